/**
 * The table of topics. The state of a topic is one value of packed numbers. Functions that write keep the
 * states of the topics that they touch, and write each once at the end.
 */
export const topicsLua: string = String.raw`
local topic_format = '<ddddddddddB'
local topic_size = 81
local deletions_max, deletions_slack, segments_max = 1000, 250, 1000

-- The flags of a topic.
local is_declared, keeps_nothing, is_listed, has_subject = 1, 2, 4, 8

local function has(flags, flag)
  return bit.band(flags, flag) ~= 0
end

local function list_key(log, name)
  return log.prefix .. 'm:' .. name
end

-- Names are sorted by UTF-16 code units, as everywhere in Fanfare. CESU-8 has the same order, byte by byte. It
-- differs from UTF-8 only in characters of four bytes, which it writes as two surrogates of three bytes each.
local function to_cesu(name)
  if not string.find(name, '[\240-\244]') then return name end
  return (string.gsub(name, '[\240-\244][\128-\191][\128-\191][\128-\191]', function(character)
    local a, b, c, d = string.byte(character, 1, 4)
    local point = (a % 8) * 262144 + (b % 64) * 4096 + (c % 64) * 64 + d % 64 - 65536
    local high, low = 0xd800 + math.floor(point / 1024), 0xdc00 + point % 1024
    return string.char(0xed, 0x80 + math.floor(high / 64) % 64, 0x80 + high % 64,
      0xed, 0x80 + math.floor(low / 64) % 64, 0x80 + low % 64)
  end))
end

local function from_cesu(name)
  if not string.find(name, '\237[\160-\175]') then return name end
  return (string.gsub(name, '\237([\160-\175])([\128-\191])\237([\176-\191])([\128-\191])', function(a, b, c, d)
    local high = (string.byte(a) % 16) * 64 + string.byte(b) % 64
    local low = (string.byte(c) % 16) * 64 + string.byte(d) % 64
    local point = 65536 + high * 1024 + low
    return string.char(240 + math.floor(point / 262144), 128 + math.floor(point / 4096) % 64,
      128 + math.floor(point / 64) % 64, 128 + point % 64)
  end))
end

local function topic_of(name, value)
  if #value < topic_size then
    refuse('FANFAREDAMAGED', "The state of the topic '" .. name .. "' cannot be read.")
  end
  local count, bytes, trimmed, last, gone, created, last_time, published, trimmed_at, age, flags =
    struct.unpack(topic_format, value)
  -- A table that is made with all its fields takes half the time of one that grows.
  return {
    name = name, count = count, bytes = bytes, trimmed = trimmed, last = last, gone = gone, created = created,
    last_time = last_time, published = published, trimmed_at = trimmed_at, age = age, flags = flags,
    subject = has(flags, has_subject) and string.sub(value, topic_size + 1) or nil,
  }
end

-- 'count' is the number of messages that the topic has had, 'trimmed' how many of them are dropped, 'gone'
-- the sequence of the newest dropped one, 'created' the head of the log when the topic was created, and
-- 'trimmed_at' the log's count of changes at the last drop. 'bytes' is the size of the stored messages.
local function get_topic(log, name)
  local known = log.topics[name]
  if known ~= nil then return known or nil end
  local value = call('HGET', log.prefix .. 'topics', name)
  local topic = value and topic_of(name, value)
  log.topics[name] = topic or false
  return topic or nil
end

-- Reads the states of several topics at once.
local function read_topics(log, names)
  for from = 1, #names, 1000 do
    local to = math.min(#names, from + 999)
    local values = call('HMGET', log.prefix .. 'topics', unpack(names, from, to))
    for at = from, to do
      local value = values[at - from + 1]
      log.topics[names[at]] = value and topic_of(names[at], value)
    end
  end
end

local function missing_messages(topic)
  refuse('FANFAREDAMAGED', "Messages of the topic '" .. topic.name .. "' are missing in the log.")
end

local function note_change(log, topic)
  log.changed[topic.name] = topic
end

local function set_flag(log, topic, flag, is_set)
  if has(topic.flags, flag) == is_set then return end
  topic.flags = is_set and topic.flags + flag or topic.flags - flag
  note_change(log, topic)
end

-- The topic has lost messages. All that one call drops counts as one change.
local function note_trim(log, topic)
  if not log.trim_change then
    log.changes = log.changes + 1
    log.trim_change = log.changes
  end
  topic.trimmed_at = log.trim_change
  note_change(log, topic)
end

local function save_topics(log)
  local pairs_of_topics, trimmed = {}, {}
  for name, topic in pairs(log.changed) do
    if topic.trimmed_at == log.trim_change then
      trimmed[#trimmed + 1] = topic.trimmed_at
      trimmed[#trimmed + 1] = name
    end
    local value = struct.pack(topic_format, topic.count, topic.bytes, topic.trimmed, topic.last, topic.gone,
      topic.created, topic.last_time, topic.published, topic.trimmed_at, topic.age, topic.flags)
    pairs_of_topics[#pairs_of_topics + 1] = name
    pairs_of_topics[#pairs_of_topics + 1] = topic.subject and value .. topic.subject or value
    if #pairs_of_topics >= 1000 then
      call('HSET', log.prefix .. 'topics', unpack(pairs_of_topics))
      pairs_of_topics = {}
    end
  end
  if #pairs_of_topics > 0 then call('HSET', log.prefix .. 'topics', unpack(pairs_of_topics)) end
  for from = 1, #trimmed, 1000 do
    call('ZADD', log.prefix .. 'trimmed', unpack(trimmed, from, math.min(#trimmed, from + 999)))
  end
end

local function commit(log)
  save_topics(log)
  save_meta(log)
end

-- For functions that may have removed topics: nodes have to forget what they have of them in memory.
local function commit_and_tell(log)
  if #log.deleted > 0 then announce(log, log.head, log.time, {}, 0) end
  commit(log)
end

local function is_only_name(topic)
  return topic.count == topic.trimmed and not has(topic.flags, is_declared)
end

local function first_segment(name)
  return string.match(name, '^[^/]*')
end

-- Remembers a deletion for readers. The newest ones are kept one by one, older ones by first segment.
local function note_deletion(log, name, sequence, at)
  local prefix = log.prefix
  call('ZADD', prefix .. 'deleted', 'GT', sequence, name)
  call('ZADD', prefix .. 'deleted:at', 'GT', at, name)
  if call('ZCARD', prefix .. 'deleted') <= deletions_max + deletions_slack then return end
  local oldest = call('ZPOPMIN', prefix .. 'deleted', deletions_slack)
  for index = 1, #oldest, 2 do
    local segment = first_segment(oldest[index])
    call('ZADD', prefix .. 'segments', 'GT', oldest[index + 1], segment)
    local its_at = call('ZSCORE', prefix .. 'deleted:at', oldest[index])
    call('ZADD', prefix .. 'segments:at', 'GT', its_at or 0, segment)
    call('ZREM', prefix .. 'deleted:at', oldest[index])
  end
  local excess = call('ZCARD', prefix .. 'segments') - segments_max
  if excess <= 0 then return end
  oldest = call('ZPOPMIN', prefix .. 'segments', excess)
  for index = 1, #oldest, 2 do
    log.deleted_in_common = math.max(log.deleted_in_common, tonumber(oldest[index + 1]))
    local its_at = tonumber(call('ZSCORE', prefix .. 'segments:at', oldest[index]) or 0)
    log.deleted_in_common_at = math.max(log.deleted_in_common_at, its_at)
    call('ZREM', prefix .. 'segments:at', oldest[index])
  end
end

-- Whether a topic of this name was deleted after so many changes, with messages after a sequence. It can be
-- true if none was, for a topic with the same first segment, but it is never false if one was.
local function was_deleted(log, name, sequence, changes)
  local prefix = log.prefix
  local function is_missed(key, member)
    local deleted = tonumber(call('ZSCORE', prefix .. key, member) or -1)
    if deleted <= sequence then return false end
    return changes < 0 or tonumber(call('ZSCORE', prefix .. key .. ':at', member) or 0) > changes
  end
  if log.deleted_in_common > sequence and log.deleted_in_common_at > changes then return true end
  return is_missed('deleted', name) or is_missed('segments', first_segment(name))
end
`;
