/** Lists of topics, and what a reader of a pattern has to know of each. */
export const topicListsLua: string = String.raw`
-- Names that begin with a prefix and come after a name, in order.
local function names_after(log, prefix, after, limit)
  local from = '[' .. to_cesu(prefix)
  if after ~= '' and after >= prefix then from = '(' .. to_cesu(after) end
  local names, found = call('ZRANGEBYLEX', log.prefix .. 'names', from, '+', 'LIMIT', 0, limit), {}
  for _, name in ipairs(names) do
    name = from_cesu(name)
    if string.sub(name, 1, #prefix) ~= prefix then return found, true end
    found[#found + 1] = name
  end
  return found, #names < limit
end

local function state_of(log, name)
  local topic = get_topic(log, name)
  if not topic then return { name } end
  local last_time = topic.last_time
  return { name, topic.count - topic.trimmed, topic.last, topic.published, last_time,
    topic.last > 0 and epoch_at(log, topic.last) or '' }
end

-- list(prefix, after, limit): the states of topics.
local function list(keys, args)
  local log = log_to_read(keys[1])
  local states, found = {}, names_after(log, args[1], args[2], tonumber(args[3]))
  read_topics(log, found)
  for at, name in ipairs(found) do states[at] = state_of(log, name) end
  return reply(log, {}, states)
end

-- topic_state(topic)
local function topic_state(keys, args)
  local log = log_to_read(keys[1])
  return reply(log, {}, state_of(log, args[1]))
end

-- names(prefix, after, limit): only the names, and whether these are the last ones.
local function names(keys, args)
  local log = log_to_read(keys[1])
  local found, is_end = names_after(log, args[1], args[2], tonumber(args[3]))
  return reply(log, {}, is_end and 1 or 0, found)
end

-- The topics with messages after a place, as (topic, number of stored ones, whether any is not stored). Nil if
-- these are too many to look at, or a part of the journal is not needed and gone.
local function topics_after(log, place)
  local by_name, found, looked, through, is_known = {}, {}, 0, place, true
  each_entry(log, place, function(entry)
    looked = looked + #entry
    if looked > runs_max or entry.first > through + 1 then
      is_known = false
      return true
    end
    for _, run in ipairs(entry) do
      local _, _, count, is_partial = stored_part(log, run, place)
      local one = by_name[run.name]
      if not one and (count > 0 or is_partial) then
        one = { run.name, 0, 0 }
        by_name[run.name] = one
        found[#found + 1] = one
      end
      if one then
        one[2] = one[2] + count
        if is_partial then one[3] = 1 end
      end
    end
    through = entry.stop - 1
  end)
  return is_known and through >= log.head and found or nil
end

-- pattern_start(from, amount, epoch): where a pattern starts at the latest. For an offset, also the deletions
-- after it, and the topics with messages after it if these are few.
local function pattern_start(keys, args)
  local log = log_to_read(keys[1])
  local from, amount = args[1], tonumber(args[2])
  local sequence, kind, is_any = log.head, 'ours', 0
  local deleted, segments, after = {}, {}, nil
  if from == 'time' then sequence = place_before_time(log, amount) end
  if from == 'offset' then
    sequence, kind = resolve(log, args[3], amount)
    deleted, segments, is_any = deletions_after(log, sequence, -1)
    if kind == 'ours' or kind == 'lost' then after = topics_after(log, sequence) end
  end
  return reply(log, {}, sequence, kind, log.changes, is_any, deleted, segments, after and 1 or 0, after or {})
end

-- survey(from, amount, sequence, topics...): for each topic, the number of stored messages after the start,
-- the place before the first of them (or -1), and whether messages after the start were dropped (1).
local function survey(keys, args)
  local log = log_to_read(keys[1])
  local from, amount, sequence = args[1], tonumber(args[2]), tonumber(args[3])
  local found, wanted = {}, {}
  for at = 4, #args do wanted[at - 3] = args[at] end
  read_topics(log, wanted)
  for _, name in ipairs(wanted) do
    local topic = get_topic(log, name)
    if topic then
      local had = 0
      if from == 'last' then had = ordinal_at(log, topic, sequence) - amount
      elseif from ~= 'earliest' then had = ordinal_at(log, topic, sequence) end
      had = math.max(had, topic.trimmed)
      local due, place = topic.count - had, -1
      if due > 0 and (from == 'last' or from == 'earliest') then place = sequence_before(log, topic, had) end
      found[#found + 1] = { due, place, topic.gone > sequence and 1 or 0 }
    else
      found[#found + 1] = { 0, -1, 0 }
    end
  end
  return reply(log, {}, found)
end
`;
