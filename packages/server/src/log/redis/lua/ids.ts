/**
 * The ids of the last minutes (the idempotency table), in two generations. Dropping a whole generation is
 * cheap, while forgetting ids one by one would delay appends.
 */
export const idsLua: string = String.raw`
local id_format = '<c16ddB'

local function ids_key(log, generation)
  return log.prefix .. 'ids:' .. integer(generation)
end

-- Forgets ids that are older than the window.
local function forget_old_ids(log)
  if log.running < log.ids_end then return end
  call('UNLINK', ids_key(log, log.ids - 1))
  if log.running >= log.ids_end + log.id_window then call('UNLINK', ids_key(log, log.ids)) end
  log.ids = log.ids + 1
  log.ids_end = log.running + log.id_window
end

local function ids_left(log)
  return log.ids_max - call('HLEN', ids_key(log, log.ids)) - call('HLEN', ids_key(log, log.ids - 1))
end

-- Reads what is remembered of the ids of a batch.
local function read_ids(log, ids)
  log.remembered, log.new_ids = {}, {}
  for from = 1, #ids, 1000 do
    local to = math.min(#ids, from + 999)
    for generation = log.ids - 1, log.ids do
      local values = call('HMGET', ids_key(log, generation), unpack(ids, from, to))
      for at = from, to do log.remembered[ids[at]] = values[at - from + 1] or log.remembered[ids[at]] end
    end
  end
end

-- The first message with an id: digest, sequence, time, and whether it was stored.
local function remembered(log, id)
  local value = log.remembered[id]
  if not value then return nil end
  return struct.unpack(id_format, value)
end

local function remember(log, id, digest, sequence, time, is_stored)
  local value = struct.pack(id_format, digest, sequence, time, is_stored and 1 or 0)
  log.remembered[id] = value
  log.new_ids[#log.new_ids + 1] = id
  log.new_ids[#log.new_ids + 1] = value
end

local function save_ids(log)
  local ids = log.new_ids
  for from = 1, #ids, 1000 do
    call('HSET', ids_key(log, log.ids), unpack(ids, from, math.min(#ids, from + 999)))
  end
end
`;
