/** Reading one topic: where to start, pages forward and backward. */
export const topicReadsLua: string = String.raw`
-- Whether no message of the topic after a sequence is missing.
local function is_recovered(log, name, topic, sequence, rule_has_none)
  if rule_has_none then return false end
  -- Messages that were deleted before a topic was created do not belong to it.
  if (topic and topic.created or math.huge) >= sequence and was_deleted(log, name, sequence, -1) then return false end
  return not topic or topic.gone <= sequence
end

-- The number of messages of a topic before the start.
local function start_ordinal(log, topic, from, sequence, amount)
  if from == 'earliest' then return 0 end
  if from == 'last' then return topic.count - amount end
  if from == 'time' then return ordinal_before_time(log, topic, amount) end
  return (ordinal_at(log, topic, sequence))
end

-- Where reading starts: sequence, ordinal, number of stored messages after it, and whether it is certain that
-- none is missing (1, 0; -1 if the start is not an offset). 'amount' is a number, a time or a sequence.
local function start_of(log, name, from, amount, epoch, rule_has_none)
  local topic = get_topic(log, name)
  local sequence, recovered = 0, -1
  if from == 'offset' then
    local kind
    sequence, kind = resolve(log, epoch, amount)
    if kind == 'ours' then recovered = is_recovered(log, name, topic, sequence, rule_has_none) and 1 or 0
    else recovered = 0 end
    -- Of another log, or after the head: everything.
    if kind == 'unknown' or kind == 'ahead' then from = 'earliest' end
  end
  if not topic or from == 'new' or topic.count == topic.trimmed then
    return log.head, topic and topic.count or 0, 0, recovered
  end
  local ordinal = math.max(topic.trimmed, start_ordinal(log, topic, from, sequence, amount))
  local start = recovered == 1 and ordinal < topic.count and sequence or sequence_before(log, topic, ordinal)
  return start, ordinal, topic.count - ordinal, recovered
end

-- Whether a read of the topic has to be noted as a use.
local function is_name(topic)
  return topic and is_only_name(topic) and 1 or 0
end

-- locate(topic, from, amount, epoch, whether its rule keeps nothing)
local function locate(keys, args)
  local log = log_to_read(keys[1])
  local sequence, ordinal, due, recovered = start_of(log, args[1], args[2], tonumber(args[3]), args[4], args[5] == '1')
  return reply(log, epochs_from(log, sequence), sequence, ordinal, due, recovered, is_name(log.topics[args[1]]))
end

-- open(topic, from, amount, epoch, whether its rule keeps nothing, limits, node, whether it is in use, subject?)
local function open(keys, args)
  local log = log_to_write(keys[1])
  read_limits(log, args[6])
  local name, has_none = args[1], args[5] == '1'
  local topic, creation = get_topic(log, name), 'existed'
  if args[8] == '1' then set_used(log, args[7], name, true) end
  if not topic then
    topic = make_topic(log, name, args[9], has_none)
    creation = topic and 'created' or 'topics_exhausted'
  end
  if topic then
    set_flag(log, topic, keeps_nothing, has_none)
    note_use(log, topic)
  end
  commit_and_tell(log)
  if not topic then return reply(log, {}, creation) end
  local sequence, ordinal, due, recovered = start_of(log, name, args[2], tonumber(args[3]), args[4], has_none)
  return reply(log, epochs_from(log, sequence), creation, sequence, ordinal, due, recovered)
end

-- page(topic, epoch, sequence, ordinal or -1, number of records, bytes). 'dropped' is -1 if it is unknown.
local function page(keys, args)
  local log = log_to_read(keys[1])
  local name = args[1]
  local sequence, kind = resolve(log, args[2], tonumber(args[3]))
  local topic, ordinal = get_topic(log, name), tonumber(args[4])
  -- Its place is not in this log, so its ordinal is not either.
  if kind == 'lost' or kind == 'unknown' then ordinal = -1 end
  local is_unknown = kind == 'lost' or kind == 'unknown' or was_deleted(log, name, sequence, 0)
  if not topic then
    return reply(log, {}, log.head, 0, 1, is_unknown and -1 or 0, 0, {})
  end
  -- The position can belong to an earlier topic of this name.
  local had, is_exact = ordinal, true
  if topic.created >= sequence then had = 0
  elseif ordinal < 0 then had, is_exact = ordinal_at(log, topic, sequence) end
  local from = math.max(had, topic.trimmed)
  local items = items_after(log, topic, from, tonumber(args[5]), tonumber(args[6]))
  local last = from + #items
  local is_at_head = last >= topic.count
  local first = items[1] and sequence_and_time(items[1]) or log.head
  local dropped = (is_unknown or not is_exact) and -1 or from - had
  local through = is_at_head and log.head or sequence_and_time(items[#items])
  return reply(log, epochs_from(log, first), through, last, is_at_head and 1 or 0, dropped, from, items)
end

-- before(topic, epoch, sequence, number of records, bytes): the newest messages before a place.
local function before(keys, args)
  local log = log_to_read(keys[1])
  local topic = get_topic(log, args[1])
  local sequence = tonumber(args[3])
  local last, kind = resolve(log, args[2], sequence - 1)
  local records_max, bytes_max = tonumber(args[4]), tonumber(args[5])
  if not topic or kind == 'unknown' or last < 1 then return reply(log, {}, 0, 1, is_name(topic), {}) end
  local ordinal = ordinal_at(log, topic, last)
  local newest, items, bytes = ordinal, {}, 0
  while ordinal > topic.trimmed do
    local stop = ordinal - topic.trimmed
    local some = call('LRANGE', list_key(log, topic.name), math.max(0, stop - 64), stop - 1)
    if #some == 0 then missing_messages(topic) end
    for at = #some, 1, -1 do
      bytes = bytes + text_bytes(checked_item(topic, some[at]))
      if #items > 0 and (#items >= records_max or bytes > bytes_max) then
        return reply(log, epochs_from(log, sequence_and_time(items[#items])), newest, 0, 0, items)
      end
      items[#items + 1] = some[at]
    end
    ordinal = ordinal - #some
  end
  local first = items[1] and sequence_and_time(items[#items]) or log.head
  return reply(log, epochs_from(log, first), newest, 1, is_name(topic), items)
end
`;
