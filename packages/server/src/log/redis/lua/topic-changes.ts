/** Declaring, deleting and using topics. */
export const topicChangesLua: string = String.raw`
-- declare(limits, {topic, whether its rule keeps nothing}...): creates topics, and keeps them.
local function declare(keys, args)
  local log = log_to_write(keys[1])
  read_limits(log, args[1])
  local creations = {}
  for at = 2, #args, 2 do
    local topic, creation = get_topic(log, args[at]), 'existed'
    if not topic then
      topic = make_topic(log, args[at], nil, args[at + 1] == '1')
      creation = topic and 'created' or 'topics_exhausted'
    end
    if topic then
      set_flag(log, topic, is_declared, true)
      set_flag(log, topic, keeps_nothing, args[at + 1] == '1')
      unlist(log, topic)
    end
    creations[#creations + 1] = creation
  end
  commit_and_tell(log)
  return reply(log, {}, creations)
end

-- use(limits, node, {topic, whether its rule keeps nothing}...): counts a node as alive. Creates the topics that
-- its subscribers use and that the log does not have: it may have been emptied.
local function use(keys, args)
  local log = log_to_write(keys[1])
  read_limits(log, args[1])
  call('ZADD', log.prefix .. 'alive', log.running, args[2])
  for at = 3, #args, 2 do
    set_used(log, args[2], args[at], true)
    local topic = get_topic(log, args[at]) or make_topic(log, args[at], nil, args[at + 1] == '1')
    if topic then note_use(log, topic) end
  end
  commit_and_tell(log)
  return reply(log, {})
end

-- delete(topic)
local function delete(keys, args)
  local log = log_to_write(keys[1])
  local topic = get_topic(log, args[1])
  if topic then remove_topic(log, topic) end
  commit_and_tell(log)
  return reply(log, {}, topic and 1 or 0)
end

-- touch(limits, node, {topic, whether the node has subscribers for it}...): notes uses of topics.
local function touch(keys, args)
  local log = log_to_write(keys[1])
  read_limits(log, args[1])
  for at = 3, #args, 2 do
    set_used(log, args[2], args[at], args[at + 1] == '1')
    local topic = get_topic(log, args[at])
    if topic then note_use(log, topic) end
  end
  commit(log)
  return reply(log, {})
end
`;
