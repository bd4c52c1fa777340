/**
 * Positions in the list of a topic, which is in the order of sequences. Item 0 has the ordinal `trimmed` + 1.
 */
export const positionsLua: string = String.raw`
-- Also makes sure that the item is whole.
local function checked_item(topic, item)
  if not item or #item < item_head_size + body_head_size or struct.unpack('<I4', item) ~= #item then
    missing_messages(topic)
  end
  return item
end

local function item_at(log, topic, index)
  return checked_item(topic, call('LINDEX', list_key(log, topic.name), index))
end

-- The first index in a range for which a condition of sequence and time holds; the end if there is none. It
-- must hold for everything after it.
local function first_index(log, topic, from, stop, holds)
  while from < stop do
    local middle = math.floor((from + stop) / 2)
    if holds(sequence_and_time(item_at(log, topic, middle))) then stop = middle else from = middle + 1 end
  end
  return from
end

-- The number of messages that a topic had had at a sequence. Also returns whether that is exact: dropped
-- messages after the sequence cannot be counted.
local function ordinal_at(log, topic, sequence)
  if sequence >= topic.last then return topic.count, true end
  if sequence < topic.gone then return 0, false end
  local stored = topic.count - topic.trimmed
  return topic.trimmed + first_index(log, topic, 0, stored, function(its) return its > sequence end), true
end

-- The number of messages of a topic before a time.
local function ordinal_before_time(log, topic, ms)
  local stored = topic.count - topic.trimmed
  local found
  local first = first_effective_since(log, ms, function(since, from, stop)
    local low = first_index(log, topic, 0, stored, function(its) return its >= from end)
    local high = first_index(log, topic, low, stored, function(its) return its >= stop end)
    found = first_index(log, topic, low, high, function(_, time) return time >= since end)
    if found < high then return sequence_and_time(item_at(log, topic, found)) end
  end)
  return first and topic.trimmed + found or topic.count
end

-- The sequence just before the message that comes after so many others.
local function sequence_before(log, topic, ordinal)
  if ordinal >= topic.count then return log.head end
  return sequence_and_time(item_at(log, topic, ordinal - topic.trimmed)) - 1
end

-- Up to so many messages after an ordinal, as many as fit. The first always fits.
local function items_after(log, topic, ordinal, records_max, bytes_max)
  local items, bytes, at = {}, 0, ordinal - topic.trimmed
  local stored = topic.count - topic.trimmed
  while at < stored do
    local some = call('LRANGE', list_key(log, topic.name), at, at + 63)
    if #some == 0 then missing_messages(topic) end
    for _, item in ipairs(some) do
      bytes = bytes + text_bytes(checked_item(topic, item))
      if #items > 0 and (#items >= records_max or bytes > bytes_max) then return items end
      items[#items + 1] = item
    end
    at = at + #some
  end
  return items
end
`;
