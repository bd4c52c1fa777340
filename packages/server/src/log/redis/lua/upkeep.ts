/** What has to be done once a second, by any node: ages, old ids, unused names, the journal, gone nodes. */
export const upkeepLua: string = String.raw`
local due_topics_max, aged_messages_max = 200, 2000
local journal_entries_max, journal_runs_max = 500, 2000
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
      -- Its batches may still be on their way.
      call('PEXPIRE', log.prefix .. 'results:' .. gone, results_kept_ms)
    end
  end
  log.nodes = nil
  return has_more, was_gone
end

-- Removes journal entries without stored messages. The search goes round the journal, one part at a time. It
-- goes on at once where it finds many, so that it keeps up with the growth. Returns where, and whether it does.
local function sweep_journal(log, from)
  local key = log.prefix .. 'j'
  local entries = call('XRANGE', key, from, '+', 'COUNT', journal_entries_max)
  local dead, seen, looked = {}, 0, 0
  for _, entry in ipairs(entries) do
    if looked >= journal_runs_max then break end
    seen = seen + 1
    local is_needed = false
    for _, run in ipairs(runs_of(entry)) do
      looked = looked + 1
      local _, _, count = stored_part(log, run, 0)
      if count > 0 then
        is_needed = true
        break
      end
    end
    if not is_needed then dead[#dead + 1] = entry[1] end
  end
  if #dead > 0 then call('XDEL', key, unpack(dead)) end
  if seen == #entries and seen < journal_entries_max then return '-', false end
  return '(' .. entries[seen][1], 2 * #dead >= seen
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
  local lineage = {}
  for _, earlier in ipairs(lineage_of(log)) do
    lineage[#lineage + 1] = earlier.epoch
    lineage[#lineage + 1] = earlier.cut
  end
  return reply(log, lineage)
end

-- hello(node, seen epoch, seen sequence): checks what the log relies on.
local function hello(keys, args)
  local log, is_adopted = log_to_write(keys[1])
  local policy = string.match(call('INFO', 'memory'), 'maxmemory_policy:(%S+)')
  if policy and policy ~= 'noeviction' then
    refuse('FANFAREEVICTS', 'Redis removes keys when its memory is full (maxmemory-policy is ' .. policy .. ').')
  end
  check_keys(log)
  save_meta(log)
  return state_for(log, is_adopted, args[2], args[3])
end

-- state(seen epoch, seen sequence): the same, for a check every second.
local function state(keys, args)
  local log, is_adopted = log_to_write(keys[1])
  return state_for(log, is_adopted, args[1], args[2])
end

-- leave(node): its subscribers are gone.
local function leave(keys, args)
  local log = log_to_write(keys[1])
  read_limits(log, args[1])
  call('ZREM', log.prefix .. 'alive', args[2])
  forget_patterns(log, args[2])
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
