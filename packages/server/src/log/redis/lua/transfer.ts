/**
 * Export and import of a whole log. An imported log cannot be used before its import has ended: until then,
 * it has the token of the import.
 */
export const transferLua: string = String.raw`
local dropped_per_call = 1000

local function import_log(prefix, import, head)
  local meta = read_meta(prefix, import)
  if not meta or meta[7] ~= import then refuse('FANFAREIMPORT', 'Another import has taken over.') end
  local log = log_of(prefix, meta)
  if is_another(log) then refuse('FANFAREIMPORT', 'Redis was restarted during the import. Run it again.') end
  if head and log.head ~= tonumber(head) then
    refuse('FANFAREIMPORT', 'A part of the import is missing, or came twice. Run it again.')
  end
  log.topics_max, log.ids_max, log.unused_per_subject_max = math.huge, math.huge, math.huge
  return log
end

-- import_begin(import, for how long ids are remembered): begins a log, if there is none. Returns whether an
-- unfinished import was found, which is now this one and has to be dropped.
local function import_begin(keys, args)
  local meta = keys[1] .. 'meta'
  if call('HEXISTS', meta, 'import') == 1 then
    call('HSET', meta, 'import', args[1])
    return stateless_reply(1)
  end
  if read_meta(keys[1]) then refuse('FANFAREEXISTS', '-') end
  local log = begin(keys[1])
  log.ids, log.ids_end = 1, tonumber(args[2])
  save_meta(log)
  call('HSET', meta, 'import', args[1])
  return reply(log, {}, 0)
end

-- import_topics(import, {topic, whether it is declared}...)
local function import_topics(keys, args)
  local log = import_log(keys[1], args[1])
  for at = 2, #args, 2 do
    local topic = get_topic(log, args[at]) or make_topic(log, args[at], nil, false)
    if args[at + 1] == '1' then set_flag(log, topic, is_declared, true) end
    note_use(log, topic)
  end
  commit(log)
  return reply(log, {})
end

-- import_messages(import, head before, {time, number of arguments, runs...}...): messages of several times. The
-- runs are those of 'append'.
local function import_messages(keys, args)
  local log = import_log(keys[1], args[1], args[2])
  local at = 3
  while at <= #args do
    local time, count = tonumber(args[at]), tonumber(args[at + 1])
    local part = { unpack(args, at + 2, at + 1 + count) }
    if time < log.time then
      log.has_new_step = true
      note_step(log.steps, { sequence = log.head + 1, before = log.time, after = time })
    end
    local batch = { time = time, groups = {}, frame = { '' }, journal = {}, runs = 0 }
    append_runs(log, batch, read_runs(log, part, 1), part)
    -- The next part reads them again.
    save_topics(log)
    at = at + 2 + count
  end
  commit(log)
  return reply(log, {})
end

-- import_end(import, head, {subject, times of its revocation}...): from now on, the log can be used.
local function import_end(keys, args)
  local log = import_log(keys[1], args[1], args[2])
  for at = 3, #args, 2 do call('HSET', log.prefix .. 'revoked', args[at], args[at + 1]) end
  if #args > 2 then call('HINCRBY', log.prefix .. 'meta', 'revocations', 1) end
  call('HDEL', log.prefix .. 'meta', 'import')
  return reply(log, {})
end

-- import_drop(import): removes an unfinished import, a part at a time. Returns whether there is more.
local function import_drop(keys, args)
  local log = { prefix = keys[1] }
  if call('HGET', log.prefix .. 'meta', 'import') ~= args[1] then
    refuse('FANFAREIMPORT', 'Another import has taken over.')
  end
  local names = call('ZPOPMIN', log.prefix .. 'names', dropped_per_call)
  for at = 1, #names, 2 do call('UNLINK', list_key(log, from_cesu(names[at]))) end
  if #names > 0 then return stateless_reply(1) end
  for name in pairs(fixed_keys) do call('UNLINK', log.prefix .. name) end
  call('UNLINK', ids_key(log, 0), ids_key(log, 1), log.prefix .. 'meta')
  return stateless_reply(0)
end

-- probe(): answered by the server that has the log.
local function probe()
  return stateless_reply()
end

-- The log as it is: an export changes nothing, and needs no new epoch.
local function export_log(prefix)
  local meta = read_meta(prefix)
  if not meta then refuse('FANFARENONE', '-') end
  return log_of(prefix, meta)
end

-- export_topics(after, limit): whether these are the last ones, and each name with whether it is declared.
local function export_topics(keys, args)
  local log = export_log(keys[1])
  local names, is_end = names_after(log, '', args[1], tonumber(args[2]))
  local topics = {}
  for at, name in ipairs(names) do
    local topic = get_topic(log, name)
    topics[at] = { name, topic and has(topic.flags, is_declared) and 1 or 0 }
  end
  return reply(log, {}, is_end and 1 or 0, topics)
end

-- export_revocations()
local function export_revocations(keys, args)
  local log = export_log(keys[1])
  return reply(log, {}, call('HGETALL', log.prefix .. 'revoked'))
end

-- export_messages(sequence, number of messages, bytes): what is stored after a place, over all topics. Returns
-- the place up to which this is, whether that is the head, and runs of topic, first ordinal and messages.
local function export_messages(keys, args)
  local log = export_log(keys[1])
  local through, messages_left, bytes_left = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local place, runs, is_complete = through, {}, true
  each_entry(log, place, function(entry)
    for _, run in ipairs(entry) do
      if messages_left <= 0 or bytes_left <= 0 then
        is_complete = false
        return true
      end
      local ordinal, sequence, count = stored_part(log, run, place)
      local taken = math.min(count, messages_left)
      if taken > 0 then
        local items = items_of_run(log, run.name, ordinal, sequence, taken)
        for _, item in ipairs(items) do bytes_left = bytes_left - text_bytes(item) end
        messages_left = messages_left - taken
        runs[#runs + 1] = { run.name, ordinal, items }
        through = sequence_and_time(items[taken])
      end
      if taken < count then
        is_complete = false
        return true
      end
      through = math.max(through, run.first + run.count - 1)
    end
  end)
  return reply(log, epochs_from(log, 0), through, is_complete and 1 or 0, runs)
end
`;
