/** What has to be done once a second, by any node: ages, old ids, unused names, the journal, gone nodes. */
export const upkeepLua: string = String.raw`
local due_topics_max, aged_messages_max = 200, 2000
local journal_entries_at_once, journal_runs_max = 50, 500
local results_kept_ms = 3600000

-- Drops the messages of a topic that are too old, up to a limit. Returns how many.
local function trim_age(log, topic, limit)
  local stored, count = topic.count - topic.trimmed, 0
  local key = list_key(log, topic.name)
  local due
  while count < math.min(stored, limit) and not due do
    local items = call('LRANGE', key, count, count + 63)
    if #items == 0 then missing_messages(topic) end
    for _, item in ipairs(items) do
      local sequence, time = sequence_and_time(checked_item(topic, item))
      local effective = effective_time(log, sequence, time)
      if log.trusted - effective <= topic.age then
        due = effective + topic.age
        break
      end
      count = count + 1
    end
  end
  trim(log, topic, count)
  if topic.trimmed == topic.count then note_use(log, topic)
  elseif due then call('ZADD', log.prefix .. 'due', due, topic.name) end
  return count
end

local function sweep_old_dues(log)
  local names = call('ZPOPMIN', log.prefix .. 'due:old', due_topics_max)
  for at = 1, #names, 2 do
    local topic = get_topic(log, names[at])
    -- It is looked at now.
    if topic and topic.count > topic.trimmed then call('ZADD', log.prefix .. 'due', 0, topic.name) end
  end
  return #names == 2 * due_topics_max
end

local function sweep_ages(log)
  local names = call('ZRANGE', log.prefix .. 'due', '-inf', '(' .. integer(log.trusted), 'BYSCORE',
    'LIMIT', 0, due_topics_max)
  local left = aged_messages_max
  for _, name in ipairs(names) do
    if left <= 0 then return true end
    local topic = get_topic(log, name)
    if topic and topic.count > topic.trimmed then left = left - trim_age(log, topic, left) - 1
    else call('ZREM', log.prefix .. 'due', name) end
  end
  return #names == due_topics_max or left <= 0
end

-- Batches of a node that is gone may still be on their way.
local function expire_results(log, node)
  call('PEXPIRE', log.prefix .. 'results:' .. node, results_kept_ms)
end

-- A node that is gone has left its topics. Returns whether there is more to do, and whether the node itself was
-- gone: it has to tell its topics again.
local function sweep_nodes(log, node)
  local was_gone = not call('ZSCORE', log.prefix .. 'alive', node)
  if not was_gone then call('ZADD', log.prefix .. 'alive', log.running, node) end
  local has_more = false
  for _, gone in ipairs(call('ZRANGE', log.prefix .. 'alive', '-inf', '(' .. integer(log.running - silence_max), 'BYSCORE')) do
    if leave_topics(log, gone) then has_more = true
    else
      call('ZREM', log.prefix .. 'alive', gone)
      forget_patterns(log, gone)
      expire_results(log, gone)
    end
  end
  log.nodes = nil
  return has_more, was_gone
end

-- Whether any message of a journal entry is stored, and how many runs were looked at.
local function is_needed(log, entry)
  local packed, at, looked = entry[2][2], 9, 0
  local first = tonumber(string.match(entry[1], '^%d+'))
  while at <= #packed do
    local name, count, ordinal
    name, count, ordinal, at = struct.unpack('<Bc0I4d', packed, at)
    looked = looked + 1
    local _, _, stored = stored_part(log, { name = name, count = count, ordinal = ordinal, first = first }, 0)
    if stored > 0 then return true, looked end
    first = first + count
  end
  return false, looked
end

-- Removes journal entries without stored messages. The search goes round the journal, one part at a time. It
-- goes on at once where it finds many, so that it keeps up with the growth. Returns where, and whether it does.
local function sweep_journal(log, from)
  local key = log.prefix .. 'j'
  local dead, seen, left = {}, 0, journal_runs_max
  while left > 0 do
    local entries = call('XRANGE', key, from, '+', 'COUNT', journal_entries_at_once)
    for _, entry in ipairs(entries) do
      if left <= 0 then break end
      local needed, looked = is_needed(log, entry)
      -- Reading an entry costs as much as some runs.
      left, seen = left - looked - 4, seen + 1
      if not needed then dead[#dead + 1] = entry[1] end
      from = '(' .. entry[1]
    end
    if left > 0 and #entries < journal_entries_at_once then
      from = '-'
      break
    end
  end
  if #dead > 0 then call('XDEL', key, unpack(dead)) end
  return from, from ~= '-' and 2 * #dead >= seen
end

local function revocations_version(log)
  return call('HGET', log.prefix .. 'meta', 'revocations') or '0'
end

-- sweep(limits, node, journal position). Returns whether to call it again at once, the next position, the time
-- by which ages are measured, whether the node was gone, and the version of the revocations.
local function sweep(keys, args)
  local log = log_to_write(keys[1])
  read_limits(log, args[1])
  forget_old_ids(log)
  local has_more, was_gone = sweep_nodes(log, args[2])
  has_more = sweep_old_dues(log) or has_more
  has_more = sweep_ages(log) or has_more
  has_more = forget_excess(log) or has_more
  local position, is_dead = sweep_journal(log, args[3])
  commit_and_tell(log)
  return reply(log, {}, (has_more or is_dead) and 1 or 0, position, integer(log.trusted),
    was_gone and 1 or 0, revocations_version(log))
end

-- The state with the whole lineage, for a node whose tail has seen a place.
local function state_for(log, is_adopted, epoch, sequence)
  if not is_adopted and epoch == log.epoch and tonumber(sequence) > log.head then adopt(log) end
  return reply(log, epochs_from(log, 0))
end

local greetings = 0

-- hello(node, seen epoch, seen sequence): checks what the log relies on. Also returns how often it was called,
-- by a variable of the library.
local function hello(keys, args)
  local log, is_adopted = log_to_write(keys[1])
  local policy = string.match(call('INFO', 'memory'), 'maxmemory_policy:(%S+)')
  if policy and policy ~= 'noeviction' then
    refuse('FANFAREEVICTS', 'Redis removes keys when its memory is full (maxmemory-policy is ' .. policy .. ').')
  end
  check_keys(log)
  save_meta(log)
  greetings = greetings + 1
  local state_reply = state_for(log, is_adopted, args[2], args[3])
  state_reply[#state_reply + 1] = greetings
  return state_reply
end

-- state(seen epoch, seen sequence): the same, for a check every second.
local function state(keys, args)
  local log, is_adopted = log_to_write(keys[1])
  return state_for(log, is_adopted, args[1], args[2])
end

-- rules(): a digest of the rules that were applied to all topics last.
local function rules(keys, args)
  local log = log_to_read(keys[1])
  return reply(log, {}, call('HGET', log.prefix .. 'meta', 'rules') or '')
end

-- retain(limits, digest of the rules or '', {topic, rule}...): applies changed rules to topics.
local function retain(keys, args)
  local log = log_to_write(keys[1])
  read_limits(log, args[1])
  for at = 3, #args, 2 do
    local topic = get_topic(log, args[at])
    local _, keep_count, keep_bytes, keep_age, _, flags = struct.unpack(run_format, args[at + 1])
    if topic then
      set_flag(log, topic, keeps_nothing, flags >= 2)
      local stored = topic.count - topic.trimmed
      if stored > 0 then
        topic.age = keep_age
        note_change(log, topic)
        trim(log, topic, flags >= 2 and stored or stored - keep_count)
        trim_bytes(log, topic, keep_bytes)
        if topic.count == topic.trimmed then note_use(log, topic)
        elseif keep_age == math.huge then call('ZREM', log.prefix .. 'due', topic.name)
        -- The next sweep finds out when it is due.
        else call('ZADD', log.prefix .. 'due', 0, topic.name) end
      end
    end
  end
  if args[2] ~= '' then call('HSET', log.prefix .. 'meta', 'rules', args[2]) end
  commit(log)
  return reply(log, {})
end

-- leave(node): its subscribers are gone.
local function leave(keys, args)
  local log = log_to_write(keys[1])
  read_limits(log, args[1])
  call('ZREM', log.prefix .. 'alive', args[2])
  forget_patterns(log, args[2])
  expire_results(log, args[2])
  local has_more = leave_topics(log, args[2])
  commit(log)
  return reply(log, {}, has_more and 1 or 0)
end

-- usage(): topics, and the memory of Redis, with its limit (0: none).
local function usage(keys, args)
  local log = log_to_read(keys[1])
  local memory = call('INFO', 'memory')
  return reply(log, {}, call('HLEN', log.prefix .. 'topics'), tonumber(string.match(memory, 'used_memory:(%d+)')),
    tonumber(string.match(memory, 'maxmemory:(%d+)')))
end

-- revoke(subject, times, ended subjects...): adds a revocation, and removes others.
local function revoke(keys, args)
  local log = log_to_write(keys[1])
  call('HSET', log.prefix .. 'revoked', args[1], args[2])
  for at = 3, #args do call('HDEL', log.prefix .. 'revoked', args[at]) end
  call('HINCRBY', log.prefix .. 'meta', 'revocations', 1)
  commit(log)
  return reply(log, {})
end

-- revocations()
local function revocations(keys, args)
  local log = log_to_read(keys[1])
  return reply(log, {}, integer(log.trusted), revocations_version(log), call('HGETALL', log.prefix .. 'revoked'))
end
`;
