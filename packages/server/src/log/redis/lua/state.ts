/**
 * The log as a whole: what `meta` says, epochs, and announcements.
 *
 * A server process that has not written this log before begins a new epoch, because it may be an older copy
 * of it. The library keeps in its own variables which process this is, and what it has announced itself:
 * these variables are neither replicated nor restored with the data.
 */
export const stateLua: string = String.raw`
local format_number = '1'
local lineage_max = 1000
-- Changes are counted on from here in a new epoch, so that no count of the lost end of the log is used again.
local changes_step = 1e9

local this_process
-- By prefix: the epoch of the log and its newest announcement, and the epochs that the log has left.
local known = {}

-- Numbers of the log, packed: head, time, batch, cut, changes, uses, the window of ids and its end, the highest
-- marks of deletions, and the clock. 'cut' is the highest one of the lineage: everything after it is of the
-- present epoch.
local numbers_format = '<dddddddddddddddd'

local function integer(number)
  return string.format('%.0f', number)
end

-- Ends the function. The first word tells the node what to do.
local function refuse(word, text)
  error({ err = word .. ' ' .. text })
end

local function process()
  if not this_process then
    local info = call('INFO', 'server')
    this_process = {
      run = string.match(info, 'run_id:(%x+)'),
      -- In a cluster, an announcement stays in the shard of the log.
      publish = string.find(info, 'redis_mode:cluster', 1, true) and 'SPUBLISH' or 'PUBLISH',
    }
  end
  return this_process
end

-- 'import' is the token of the import that reads it: nobody else may use a log that is being imported.
local function read_meta(prefix, import)
  local values = call('HMGET', prefix .. 'meta', 'format', 'epoch', 'run', 'numbers', 'steps', 'test_clock', 'import')
  if values[7] and values[7] ~= import then
    refuse('FANFAREIMPORT', 'An import into this log has not finished. Wait for it, or run it again.')
  end
  if values[1] then
    if values[1] ~= format_number then
      refuse('FANFAREFORMAT', 'The log has format ' .. values[1] .. ', and this version reads format ' .. format_number .. '.')
    end
    return values
  end
  if call('EXISTS', prefix .. 'meta', prefix .. 'topics', prefix .. 'names', prefix .. 'j') > 0 then
    refuse('FANFAREDAMAGED', 'There are keys of a log under this prefix, but not its state (' .. prefix .. 'meta).')
  end
  return nil
end

local function new_log(prefix, epoch, run, test_clock)
  return {
    prefix = prefix, epoch = epoch, run = run, now = redis_time(test_clock),
    topics = {}, changed = {}, deleted = {}, steps = false,
    -- These are read below. A table that is made with all its fields takes half the time of one that grows.
    head = 0, time = 0, batch = 0, cut = 0, changes = 0, uses = 0, ids = 0, ids_end = 0, deleted_in_common = 0,
    deleted_in_common_at = 0, shown = 0, trusted = 0, running = 0, steady = 0, on_trial = 0, trial_since = 0,
  }
end

local function log_of(prefix, meta)
  local numbers = meta[4]
  if not meta[2] or not meta[3] or not numbers or #numbers ~= 128 then
    refuse('FANFAREDAMAGED', 'The state of the log (' .. prefix .. 'meta) cannot be read.')
  end
  local log = new_log(prefix, meta[2], meta[3], meta[6])
  log.head, log.time, log.batch, log.cut, log.changes, log.uses, log.ids, log.ids_end,
    log.deleted_in_common, log.deleted_in_common_at, log.shown, log.trusted, log.running, log.steady,
    log.on_trial, log.trial_since = struct.unpack(numbers_format, numbers)
  read_steps(log, meta[5])
  return log
end

local function save_meta(log)
  call('HSET', log.prefix .. 'meta', 'format', format_number, 'epoch', log.epoch, 'run', log.run,
    'numbers', struct.pack(numbers_format, log.head, log.time, log.batch, log.cut, log.changes, log.uses, log.ids,
      log.ids_end, log.deleted_in_common, log.deleted_in_common_at, log.shown, log.trusted, log.running,
      log.steady, log.on_trial, log.trial_since))
  if log.has_new_step then call('HSET', log.prefix .. 'meta', 'steps', written_steps(log)) end
end

-- Another version of the library in this process can have begun an epoch.
local function note_known(log)
  local last = known[log.prefix]
  if not last then
    last = { epoch = log.epoch, batch = 0, left = {} }
    known[log.prefix] = last
  end
  if last.epoch ~= log.epoch then
    last.left[last.epoch] = true
    last.epoch = log.epoch
  end
  last.batch = log.batch
end

-- Publishes one frame: the topics that are gone, and the records of a batch, as runs. Of 'parts', the first is
-- the head, which is written here: long strings are joined once, because Lua hashes every byte of a string.
local function announce(log, head_before, time, parts, run_count)
  log.batch = log.batch + 1
  note_known(log)
  local head = struct.pack('<BBc0ddddI4I4', 1, #log.epoch, log.epoch,
    log.batch, head_before, log.head, time, #log.deleted, run_count)
  local names = {}
  for at, name in ipairs(log.deleted) do names[at] = struct.pack('<Bc0', #name, name) end
  parts[1] = head .. table.concat(names)
  call(process().publish, log.prefix .. 'frames', table.concat(parts))
end

local function new_epoch(log)
  return string.sub(redis.sha1hex(process().run .. table.concat(call('TIME'), '.') .. (log.epoch or '')), 1, 16)
end

local fixed_keys = {
  lineage = 'list', topics = 'hash', names = 'zset', j = 'stream', due = 'zset', ['due:old'] = 'zset', trimmed = 'zset',
  unused = 'zset', excessive = 'set', deleted = 'zset', ['deleted:at'] = 'zset', segments = 'zset',
  ['segments:at'] = 'zset', alive = 'zset', revoked = 'hash',
}

-- A command that fails for the type of a key would leave half of a batch behind.
local function check_keys(log)
  for name, expected in pairs(fixed_keys) do
    local found = call('TYPE', log.prefix .. name).ok
    if found ~= 'none' and found ~= expected then
      refuse('FANFAREDAMAGED', 'The key ' .. log.prefix .. name .. ' is a ' .. found .. ', not a ' .. expected .. '.')
    end
  end
  local last = call('XREVRANGE', log.prefix .. 'j', '+', '-', 'COUNT', 1)[1]
  if last and tonumber(string.match(last[1], '^%d+')) > log.head then
    refuse('FANFAREDAMAGED', 'The journal of the log (' .. log.prefix .. 'j) is ahead of its state.')
  end
end

local function begin(prefix)
  local log = new_log(prefix, nil, process().run, nil)
  begin_clock(log)
  read_steps(log, nil)
  log.epoch = new_epoch(log)
  check_keys(log)
  -- Redis keeps a small sorted set of short names as a list, and searches it from its beginning: 2.6 µs instead
  -- of 1.2 for each of 100 topics. With a long name, which no topic has, it never does.
  call('ZADD', log.prefix .. 'trimmed', 0, string.rep('-', 300))
  announce(log, 0, log.now, {}, 0)
  save_meta(log)
  return log
end

-- Begins a new epoch. Sequences go on, and the lineage says where the old epoch ends.
local function adopt(log)
  check_keys(log)
  call('RPUSH', log.prefix .. 'lineage', log.epoch .. ' ' .. integer(log.head))
  call('LTRIM', log.prefix .. 'lineage', -lineage_max, -1)
  log.epoch = new_epoch(log)
  log.run = process().run
  log.cut = log.head
  log.changes = log.changes + changes_step
  announce(log, log.head, log.now, {}, 0)
  save_meta(log)
end

-- Whether this process has not written the log, or the keys have gone back to an earlier state.
local function is_another(log)
  if log.run ~= process().run then return true end
  local last = known[log.prefix]
  if not last then return false end
  if log.epoch == last.epoch then return log.batch < last.batch end
  return last.left[log.epoch] == true
end

-- The log for a function that writes: begun, and adopted if need be. Also returns whether it was.
local function log_to_write(prefix)
  local meta = read_meta(prefix)
  if not meta then return begin(prefix), true end
  local log = log_of(prefix, meta)
  sample_clock(log)
  if not is_another(log) then
    note_known(log)
    return log, false
  end
  adopt(log)
  return log, true
end

-- The log for a function that only reads: the node asks for the state first if the log is to be adopted.
local function log_to_read(prefix)
  local meta = read_meta(prefix)
  if not meta then refuse('FANFAREADOPT', 'There is no log yet.') end
  local log = log_of(prefix, meta)
  if is_another(log) then refuse('FANFAREADOPT', 'This server has not written the log yet.') end
  return log
end

local function lineage_of(log)
  local lineage = {}
  for at, entry in ipairs(call('LRANGE', log.prefix .. 'lineage', 0, -1)) do
    local epoch, cut = string.match(entry, '^(%S+) (%d+)$')
    if not epoch then refuse('FANFAREDAMAGED', 'The lineage of the log (' .. log.prefix .. 'lineage) cannot be read.') end
    lineage[at] = { epoch = epoch, cut = tonumber(cut) }
  end
  return lineage
end

-- The sequence of an offset in this log, and whether the offset is 'ours'. If it is not: 'lost' is the end of
-- an epoch that went further elsewhere, 'ahead' is after the head, and 'unknown' is of another log.
local function resolve(log, epoch, sequence)
  if epoch == log.epoch then
    if sequence <= log.head then return sequence, 'ours' end
    return log.head, 'ahead'
  end
  for _, earlier in ipairs(lineage_of(log)) do
    if earlier.epoch == epoch then
      if sequence <= earlier.cut then return sequence, 'ours' end
      return earlier.cut, 'lost'
    end
  end
  return 0, 'unknown'
end

-- The earlier epochs of records with a sequence or a later one, as flat pairs. Usually there are none.
local function epochs_from(log, sequence)
  local epochs = {}
  if sequence > log.cut then return epochs end
  for _, earlier in ipairs(lineage_of(log)) do
    if earlier.cut >= sequence then
      epochs[#epochs + 1] = earlier.epoch
      epochs[#epochs + 1] = earlier.cut
    end
  end
  return epochs
end

local function epoch_at(log, sequence)
  return epochs_from(log, sequence)[1] or log.epoch
end

-- Every reply begins with the state: epoch, head, batch, clock, and the earlier epochs that it needs.
local function reply(log, epochs, ...)
  return { log.epoch, log.head, log.batch, log.now, epochs, ... }
end

-- The reply of a function that does not read the log.
local function stateless_reply(...)
  return { '', 0, 0, 0, {}, ... }
end
`;
