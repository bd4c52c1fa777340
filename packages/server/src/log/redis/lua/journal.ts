/**
 * The order of the log over all topics. It is a stream with an entry for each batch, under the sequence of
 * the first stored message. An entry has the time and the runs: topic, number of messages, first ordinal.
 */
export const journalLua: string = String.raw`
local entries_at_first, entries_per_call = 4, 64
-- One call looks at no more runs than this, so that it takes some milliseconds at most.
local runs_max = 512
local lost_topics_max = 1024

local function runs_of(entry)
  local packed = entry[2][2]
  local time, at = struct.unpack('<d', packed)
  local first = tonumber(string.match(entry[1], '^%d+'))
  local runs, sequence = { time = time, first = first }, first
  while at <= #packed do
    local name, count, ordinal
    name, count, ordinal, at = struct.unpack('<Bc0I4d', packed, at)
    runs[#runs + 1] = { name = name, count = count, ordinal = ordinal, first = sequence }
    sequence = sequence + count
  end
  runs.stop = sequence
  return runs
end

-- Reads the states of the topics of an entry at once.
local function read_entry_topics(log, entry)
  local names = {}
  for _, run in ipairs(entry) do
    if log.topics[run.name] == nil then
      log.topics[run.name] = false
      names[#names + 1] = run.name
    end
  end
  read_topics(log, names)
end

-- Calls visit(entry) for the entries with messages after a sequence, until it returns true.
local function each_entry(log, sequence, visit)
  local key = log.prefix .. 'j'
  local before_it = call('XREVRANGE', key, integer(sequence + 1), '-', 'COUNT', 1)[1]
  local from, count = before_it and before_it[1] or '-', entries_at_first
  while true do
    local entries = call('XRANGE', key, from, '+', 'COUNT', count)
    for _, found in ipairs(entries) do
      local entry = runs_of(found)
      read_entry_topics(log, entry)
      if visit(entry) then return end
    end
    if #entries < count then return end
    from = '(' .. entries[#entries][1]
    -- Entries are small or large, like the batches.
    count = math.min(2 * count, entries_per_call)
  end
end

-- The part of a run after a sequence that is still stored: ordinal and sequence of its first message, and the
-- number. Also returns whether a part after the sequence is not stored any more.
local function stored_part(log, run, sequence)
  local skipped = math.max(0, sequence + 1 - run.first)
  local topic = get_topic(log, run.name)
  if skipped >= run.count then return 0, 0, 0, false end
  if not topic or topic.created >= run.first then return 0, 0, 0, true end
  local dropped = math.max(0, topic.trimmed + 1 - run.ordinal)
  local from = math.min(run.count, math.max(skipped, dropped))
  return run.ordinal + from, run.first + from, run.count - from, dropped > skipped
end

-- Reads stored messages by ordinal, and makes sure that they are the right ones.
local function items_of_run(log, name, ordinal, sequence, count)
  local topic = get_topic(log, name)
  local at = ordinal - topic.trimmed - 1
  local items = call('LRANGE', list_key(log, name), at, at + count - 1)
  if #items < count or sequence_and_time(checked_item(topic, items[1])) ~= sequence then missing_messages(topic) end
  return items
end

-- since(epoch, sequence, number of records, bytes): everything after a place, over all topics.
local function since(keys, args)
  local log = log_to_read(keys[1])
  local place, kind = resolve(log, args[1], tonumber(args[2]))
  local records_left, bytes_left = tonumber(args[3]), tonumber(args[4])
  local through, has_gap, is_complete, runs = place, kind ~= 'ours', true, {}
  local has_records = false
  each_entry(log, place, function(entry)
    if entry.first > through + 1 then has_gap = true end
    for _, run in ipairs(entry) do
      local ordinal, sequence, count, is_partial = stored_part(log, run, place)
      has_gap = has_gap or is_partial
      local items = {}
      for _, item in ipairs(count > 0 and items_of_run(log, run.name, ordinal, sequence, count) or {}) do
        bytes_left = bytes_left - text_bytes(item)
        if has_records and (records_left <= 0 or bytes_left < 0) then
          is_complete = false
          break
        end
        records_left = records_left - 1
        has_records = true
        items[#items + 1] = item
        through = sequence_and_time(item)
      end
      if #items > 0 then runs[#runs + 1] = { run.name, ordinal, items } end
      if not is_complete then return true end
      through = math.max(through, run.first + run.count - 1)
    end
  end)
  if is_complete then
    if through < log.head then has_gap = true end
    through = log.head
  end
  return reply(log, epochs_from(log, 0), through, is_complete and 1 or 0, has_gap and 1 or 0, runs)
end

-- The topics whose dropped messages a reader of a pattern misses, if it wants these topics; nil if there are
-- too many to look at. 'newest' and 'through': it wants only the newest ones up to there.
local function lost_topics(log, sequence, changes, newest, through)
  if log.changes == changes then return {} end
  local lost = {}
  local names = call('ZRANGE', log.prefix .. 'trimmed', '(' .. integer(changes), '+inf', 'BYSCORE',
    'LIMIT', 0, lost_topics_max + 1)
  if #names > lost_topics_max then return nil end
  for _, name in ipairs(names) do
    local topic = get_topic(log, name)
    if topic and topic.gone > sequence then
      if newest < 0 or ordinal_at(log, topic, through) - newest < topic.trimmed then lost[#lost + 1] = name end
    end
  end
  return lost
end

-- The deletions that a reader of a pattern may have to be told about: topics, and first segments of topics.
local function deletions_after(log, sequence, changes)
  local function missed(key)
    local found = {}
    if changes < 0 then
      return call('ZRANGE', log.prefix .. key, '(' .. integer(sequence), '+inf', 'BYSCORE')
    end
    for _, member in ipairs(call('ZRANGE', log.prefix .. key .. ':at', '(' .. integer(changes), '+inf', 'BYSCORE')) do
      if tonumber(call('ZSCORE', log.prefix .. key, member)) > sequence then found[#found + 1] = member end
    end
    return found
  end
  local is_any = log.deleted_in_common > sequence and log.deleted_in_common_at > changes
  return missed('deleted'), missed('segments'), is_any and 1 or 0
end

-- runs(epoch, sequence, changes, newest count or -1, newest through): what is stored after a place, as runs
-- of (topic, ordinal, sequence, number), and what a reader of a pattern may have lost since so many changes.
local function runs(keys, args)
  local log = log_to_read(keys[1])
  local place, kind = resolve(log, args[1], tonumber(args[2]))
  local changes, newest, through = tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  if kind == 'lost' then through = math.min(through, place) end
  local lost = lost_topics(log, place, changes, newest, through)
  local deleted, segments, is_any_deleted = {}, {}, 0
  if log.changes ~= changes then deleted, segments, is_any_deleted = deletions_after(log, place, changes) end
  local found, looked, stop, over = {}, 0, place, {}
  local is_complete = true
  each_entry(log, place, function(entry)
    if looked >= runs_max then
      is_complete = false
      return true
    end
    for _, run in ipairs(entry) do
      looked = looked + 1
      local ordinal, sequence, count = stored_part(log, run, place)
      if count > 0 and newest >= 0 and sequence <= through then
        local topic = get_topic(log, run.name)
        over[run.name] = over[run.name] or ordinal_at(log, topic, through) - newest
        local unwanted = math.min(count, math.max(0, over[run.name] - ordinal + 1))
        ordinal, sequence, count = ordinal + unwanted, sequence + unwanted, count - unwanted
      end
      if count > 0 then
        found[#found + 1] = { run.name, ordinal, sequence, count }
      end
    end
    stop = entry.stop - 1
  end)
  if is_complete then stop = log.head end
  local is_unknown = kind == 'lost' or kind == 'unknown' or lost == nil or is_any_deleted == 1
  return reply(log, epochs_from(log, place + 1), stop, is_complete and 1 or 0, log.changes, through,
    is_unknown and 1 or 0, lost or {}, deleted, segments, found)
end

-- records(epoch, bytes, {topic, ordinal, sequence, number}...): the messages of runs. Those that were dropped
-- meanwhile are missing at the beginning of a run. A run is empty if the log has lost it since the epoch. Later
-- runs are missing if these are many bytes.
local function records(keys, args)
  local log = log_to_read(keys[1])
  local bytes_left, found = tonumber(args[2]), {}
  for at = 3, #args, 4 do
    local run = { name = args[at], ordinal = tonumber(args[at + 1]), first = tonumber(args[at + 2]), count = tonumber(args[at + 3]) }
    if bytes_left < 0 then break end
    local last = run.first + run.count - 1
    if resolve(log, args[1], last) ~= last then run.count = 0 end
    local ordinal, sequence, count = stored_part(log, run, run.first - 1)
    local items = count > 0 and items_of_run(log, run.name, ordinal, sequence, count) or {}
    for _, item in ipairs(items) do bytes_left = bytes_left - text_bytes(item) end
    found[#found + 1] = items
  end
  local first = found[1] and found[1][1] and sequence_and_time(found[1][1]) or tonumber(args[5])
  return reply(log, epochs_from(log, first), found)
end

-- The first batch whose effective time is a given time or later, as a position before it.
local function place_before_time(log, ms)
  local key = log.prefix .. 'j'
  local first = first_effective_since(log, ms, function(since, from, stop)
    local low, high, found_time = math.max(from, 1) - 1, stop, nil
    while high - low > 1 do
      local middle = math.floor((low + high) / 2)
      local entry = call('XREVRANGE', key, integer(middle), '-', 'COUNT', 1)[1]
      local batch = entry and runs_of(entry)
      if batch and batch.first >= from and batch.time >= since then
        high, found_time = batch.first, batch.time
      else
        low = middle
      end
    end
    if found_time then return high, found_time end
  end)
  return first and first - 1 or log.head
end
`;
