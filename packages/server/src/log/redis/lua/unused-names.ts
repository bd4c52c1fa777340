/**
 * The topics that are only names and that no node's subscribers use, in the order of their last use. When a
 * new topic exceeds the limit, the log forgets the first of them. A subject with too many loses its own
 * oldest ones.
 */
export const unusedNamesLua: string = String.raw`
local forgotten_for_topic_max, forgotten_for_subjects_max = 64, 200
-- A node that has not shown up for so long is gone, and so are its subscribers.
local silence_max = 10000
local left_topics_max = 500

local function subject_key(log, subject)
  return log.prefix .. 'u:' .. subject
end

local function used_key(log, node)
  return log.prefix .. 'used:' .. node
end

local function is_in_use(log, name)
  log.nodes = log.nodes or call('ZRANGE', log.prefix .. 'alive', 0, -1)
  for _, node in ipairs(log.nodes) do
    if call('ZSCORE', used_key(log, node), name) then return true end
  end
  return false
end

-- A node has a subscriber for a topic, or has none any more.
local function set_used(log, node, name, is_used)
  if is_used then
    log.uses = log.uses + 1
    call('ZADD', used_key(log, node), 'NX', log.uses, name)
  else
    call('ZREM', used_key(log, node), name)
  end
end

local function unlist(log, topic)
  if not has(topic.flags, is_listed) then return end
  call('ZREM', log.prefix .. 'unused', topic.name)
  if topic.subject then call('ZREM', subject_key(log, topic.subject), topic.name) end
  set_flag(log, topic, is_listed, false)
end

-- A topic is used or left now, or lost its last message.
local function note_use(log, topic)
  if not is_only_name(topic) or is_in_use(log, topic.name) then return unlist(log, topic) end
  log.uses = log.uses + 1
  call('ZADD', log.prefix .. 'unused', log.uses, topic.name)
  if topic.subject and log.unused_per_subject_max < math.huge then
    local own = subject_key(log, topic.subject)
    call('ZADD', own, log.uses, topic.name)
    if call('ZCARD', own) > log.unused_per_subject_max then call('SADD', log.prefix .. 'excessive', topic.subject) end
  end
  set_flag(log, topic, is_listed, true)
end

-- The subscribers of a node are gone: they leave their topics, up to a limit, in the order in which they came.
-- Returns whether there are more.
local function leave_topics(log, node)
  local left = call('ZPOPMIN', used_key(log, node), left_topics_max)
  for at = 1, #left, 2 do
    local topic = get_topic(log, left[at])
    if topic then note_use(log, topic) end
  end
  return #left == 2 * left_topics_max
end

-- Deletes or forgets a topic.
local function remove_topic(log, topic)
  local prefix, name = log.prefix, topic.name
  unlist(log, topic)
  local sequence, at = topic.last, 0
  if topic.last > 0 then
    at = topic.trimmed_at
    if topic.count > topic.trimmed then
      log.changes = log.changes + 1
      at = log.changes
    end
  end
  -- Its messages had the sequence of the newest stored message, so no position up to the head proves that a
  -- reader got all.
  if has(topic.flags, keeps_nothing) and topic.published > 0 then sequence = log.head + 1 end
  if sequence > 0 then note_deletion(log, name, sequence, at) end
  call('HDEL', prefix .. 'topics', name)
  call('ZREM', prefix .. 'names', to_cesu(name))
  call('ZREM', prefix .. 'due', name)
  call('ZREM', prefix .. 'trimmed', name)
  call('UNLINK', list_key(log, name))
  log.topics[name] = false
  log.changed[name] = nil
  log.deleted[#log.deleted + 1] = name
end

-- Forgets a name, unless it is in use. Returns whether it did.
local function forget(log, topic)
  if is_only_name(topic) and not is_in_use(log, topic.name) then
    remove_topic(log, topic)
    return true
  end
  unlist(log, topic)
  return false
end

-- Returns whether there may be more.
local function forget_excess(log)
  local forgotten = 0
  for _, subject in ipairs(call('SRANDMEMBER', log.prefix .. 'excessive', 16)) do
    local own = subject_key(log, subject)
    while call('ZCARD', own) > log.unused_per_subject_max do
      if forgotten >= forgotten_for_subjects_max then return true end
      forgotten = forgotten + 1
      local name = call('ZRANGE', own, 0, 0)[1]
      local topic = get_topic(log, name)
      if topic then forget(log, topic) else call('ZREM', own, name) end
    end
    call('SREM', log.prefix .. 'excessive', subject)
  end
  return call('SCARD', log.prefix .. 'excessive') > 0
end

local function is_full(log)
  return call('HLEN', log.prefix .. 'topics') >= log.topics_max
end

local function forget_next(log)
  while true do
    local name = call('ZRANGE', log.prefix .. 'unused', 0, 0)[1]
    if not name then return false end
    local topic = get_topic(log, name)
    if not topic then
      call('ZREM', log.prefix .. 'unused', name)
    elseif forget(log, topic) then
      return true
    end
  end
end

-- Forgets several names if the limit was lowered. Subjects with too many give theirs up before others.
local function has_space(log)
  if not is_full(log) then return true end
  if not log.has_forgotten_excess and call('SCARD', log.prefix .. 'excessive') > 0 then
    log.has_forgotten_excess = true
    forget_excess(log)
  end
  local forgotten = 0
  while is_full(log) and forgotten < forgotten_for_topic_max and forget_next(log) do forgotten = forgotten + 1 end
  return forgotten > 0 or not is_full(log)
end

-- Creates a topic. Returns nil at the limit of topics, if no unused name can be forgotten.
local function make_topic(log, name, subject, rule_keeps_nothing)
  if not has_space(log) then return nil end
  local flags = (rule_keeps_nothing and keeps_nothing or 0) + (subject and has_subject or 0)
  local topic = {
    name = name, count = 0, bytes = 0, trimmed = 0, last = 0, gone = 0, created = log.head, last_time = 0,
    published = 0, trimmed_at = 0, age = math.huge, flags = flags, subject = subject,
  }
  log.topics[name] = topic
  note_change(log, topic)
  -- The limit counts it from now on.
  call('HSET', log.prefix .. 'topics', name, '')
  call('ZADD', log.prefix .. 'names', 0, to_cesu(name))
  return topic
end

-- The limits that the node names, which are the same on all nodes.
local limits_format = '<dddd'
local function read_limits(log, limits)
  log.topics_max, log.ids_max, log.id_window, log.unused_per_subject_max =
    struct.unpack(limits_format, limits)
end
`;
