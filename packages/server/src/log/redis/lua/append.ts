/**
 * Appending a batch. It is whole or not at all, and the same number of a node has the same result.
 *
 * A message is one item everywhere: in the list of its topic, in frames and in pages. It is its own length,
 * sequence, time, the lengths of id and publisher plus one (0: there is none), the length of fields that only
 * newer versions know, id, publisher, those fields, and JSON text.
 */
export const appendLua: string = String.raw`
local item_head = '<I4dd'
local item_head_size, body_head_size = 20, 6
local run_format = '<I4ddddBB'
local run_size = 38
-- A call of Redis cannot have more arguments at once.
local items_per_call = 1000
local results_max = 16

local function sequence_and_time(item)
  local _, sequence, time = struct.unpack(item_head, item)
  return sequence, time
end

-- The size of the JSON text in a body that begins at a position, and ends with the string.
local function body_bytes(text, at)
  local id_low, id_high, publisher_low, publisher_high, further_low, further_high = string.byte(text, at, at + 5)
  local id, publisher, further = id_low + 256 * id_high, publisher_low + 256 * publisher_high, further_low + 256 * further_high
  return #text - at + 1 - body_head_size - (id > 0 and id - 1 or 0) - (publisher > 0 and publisher - 1 or 0) - further
end

local function text_bytes(item)
  return body_bytes(item, item_head_size + 1)
end

-- Usually one message comes and one goes. Its reply is cheaper than a list of one.
local function pop(key, count)
  if count > 1 then return call('LPOP', key, count) or {} end
  local item = call('LPOP', key)
  return item and { item } or {}
end

-- Drops the oldest messages of a topic.
local function trim(log, topic, count)
  if count <= 0 then return end
  local key = list_key(log, topic.name)
  while count > 0 do
    local dropped = pop(key, math.min(count, items_per_call))
    if #dropped == 0 then missing_messages(topic) end
    for _, item in ipairs(dropped) do topic.bytes = topic.bytes - text_bytes(item) end
    topic.gone = sequence_and_time(dropped[#dropped])
    topic.trimmed = topic.trimmed + #dropped
    count = count - #dropped
  end
  note_trim(log, topic)
  if topic.trimmed == topic.count then call('ZREM', log.prefix .. 'due', topic.name) end
end

-- Drops what is over a limit in bytes. The newest message is always kept.
local function trim_bytes(log, topic, bytes_max)
  if topic.bytes <= bytes_max then return end
  local bytes, count, at = topic.bytes, 0, 0
  local key, stored = list_key(log, topic.name), topic.count - topic.trimmed
  while bytes > bytes_max and count < stored - 1 do
    local items = call('LRANGE', key, at, at + 63)
    if #items == 0 then break end
    for _, item in ipairs(items) do
      if bytes <= bytes_max or count >= stored - 1 then break end
      bytes = bytes - text_bytes(item)
      count = count + 1
    end
    at = at + #items
  end
  trim(log, topic, count)
end

-- When the oldest message of a topic is too old. It can be too early: the sweep looks again.
local function set_due(log, topic, time)
  if topic.age == math.huge then return end
  call('ZADD', log.prefix .. 'due', math.min(time, log.trusted + step_ms) + topic.age, topic.name)
end

-- The outcomes of a batch, as groups of equal ones: kind, number, first sequence, time and epoch.
local function add_outcome(batch, kind, sequence, time, epoch)
  local group = batch.groups[#batch.groups]
  if group and group.kind == kind and group.epoch == epoch and group.time == time then
    if group.kind == 'A' and sequence == group.sequence + group.count
      or group.kind ~= 'A' and sequence == group.sequence then
      group.count = group.count + 1
      return
    end
  end
  batch.groups[#batch.groups + 1] = { kind = kind, count = 1, sequence = sequence, time = time, epoch = epoch }
end

local function written_outcomes(groups)
  local written = {}
  for at, group in ipairs(groups) do
    written[at] = struct.pack('<c1I4ddBc0', group.kind, group.count, group.sequence, group.time, #group.epoch, group.epoch)
  end
  return table.concat(written)
end

-- Reads the runs of a batch, and then the states of all their topics and what is remembered of all ids.
-- Damage is found before anything is written.
local function read_runs(log, args, at)
  local runs, names, ids, is_known = {}, {}, {}, {}
  while at <= #args do
    local name, packed = args[at], args[at + 1]
    local count, keep_count, keep_bytes, keep_age, bytes_max, flags, own = struct.unpack(run_format, packed)
    runs[#runs + 1] = {
      name = name, first_argument = at + 2, count = count, keep_count = keep_count, keep_bytes = keep_bytes,
      keep_age = keep_age, bytes_max = bytes_max, creates_topic = flags % 2 == 1, keeps_nothing = flags >= 2,
      subject = own == 1 and string.sub(packed, run_size + 1) or nil, topic = false, first = 0,
    }
    if not is_known[name] then
      is_known[name] = true
      names[#names + 1] = name
    end
    for id_at = at + 3, at + 1 + 2 * count, 2 do
      if args[id_at] ~= '' then ids[#ids + 1] = string.sub(args[id_at], 1, 16) end
    end
    at = at + 2 + 2 * count
  end
  read_ids(log, ids)
  read_topics(log, names)
  for _, name in ipairs(names) do
    local topic = log.topics[name]
    local stored = topic and topic.count - topic.trimmed or 0
    if stored > 0 and call('LLEN', list_key(log, name)) ~= stored then missing_messages(topic) end
  end
  return runs
end

-- The topic of a run, which the first message that needs it creates.
local function topic_for(log, run)
  if run.topic then return run.topic end
  local topic = get_topic(log, run.name)
  if not topic then
    if not run.creates_topic then return nil, 'F' end
    topic = make_topic(log, run.name, run.subject, run.keeps_nothing)
    if not topic then return nil, 'X' end
  end
  run.topic = topic
  run.first = topic.count + 1
  set_flag(log, topic, keeps_nothing, run.keeps_nothing)
  -- The rule may have changed: nothing is kept any more.
  if run.keeps_nothing then trim(log, topic, topic.count - topic.trimmed) end
  if topic.count == topic.trimmed then note_use(log, topic) end
  return topic
end

local function add_message(log, batch, run, topic, body, bytes, id)
  local is_stored = not run.keeps_nothing
  if is_stored then
    log.head = log.head + 1
    topic.count = topic.count + 1
    topic.last = log.head
    topic.bytes = topic.bytes + bytes
  end
  topic.published = topic.published + 1
  batch.items[#batch.items + 1] = struct.pack(item_head, item_head_size + #body, log.head, batch.time) .. body
  if id then
    remember(log, string.sub(id, 1, 16), string.sub(id, 17), log.head, batch.time, is_stored)
    batch.ids_left = batch.ids_left - 1
  end
  add_outcome(batch, is_stored and 'A' or 'N', log.head, batch.time, log.epoch)
end

local function append_message(log, batch, run, body, id)
  if id then
    local digest, sequence, time, is_stored = remembered(log, string.sub(id, 1, 16))
    if digest then
      if digest ~= string.sub(id, 17) then return add_outcome(batch, 'C', 0, 0, '') end
      return add_outcome(batch, is_stored == 1 and 'D' or 'U', sequence, time, epoch_at(log, sequence))
    end
  end
  local topic, missing = topic_for(log, run)
  if not topic then return add_outcome(batch, missing, 0, 0, '') end
  local bytes = body_bytes(body, 1)
  if bytes > run.bytes_max then return add_outcome(batch, 'L', run.bytes_max, 0, '') end
  if id then
    batch.ids_left = batch.ids_left or ids_left(log)
    if batch.ids_left <= 0 then return add_outcome(batch, 'I', 0, 0, '') end
  end
  add_message(log, batch, run, topic, body, bytes, id)
end

-- Stores the messages of a run, and applies the limits of the rule.
local function store_run(log, run, topic, items, batch)
  local was_empty = topic.trimmed == run.first - 1
  local key = list_key(log, run.name)
  for at = 1, #items, items_per_call do
    call('RPUSH', key, unpack(items, at, math.min(#items, at + items_per_call - 1)))
  end
  if was_empty then unlist(log, topic) end
  if was_empty or topic.age ~= run.keep_age then
    topic.age = run.keep_age
    if topic.age == math.huge then call('ZREM', log.prefix .. 'due', run.name)
    else set_due(log, topic, was_empty and batch.time or select(2, sequence_and_time(call('LINDEX', key, 0)))) end
  end
  trim(log, topic, topic.count - topic.trimmed - run.keep_count)
  trim_bytes(log, topic, run.keep_bytes)
end

local function append_run(log, batch, run, args)
  batch.items = {}
  for at = run.first_argument, run.first_argument + 2 * run.count - 2, 2 do
    append_message(log, batch, run, args[at], args[at + 1] ~= '' and args[at + 1] or nil)
  end
  local topic, items, frame = run.topic, batch.items, batch.frame
  if #items == 0 then return end
  topic.last_time = batch.time
  log.changed[topic.name] = topic
  local head = struct.pack('<Bc0I4d', #run.name, run.name, #items, run.keeps_nothing and 0 or run.first)
  batch.runs = batch.runs + 1
  frame[#frame + 1] = head
  for at = 1, #items do frame[#frame + 1] = items[at] end
  if run.keeps_nothing then return end
  batch.journal[#batch.journal + 1] = head
  store_run(log, run, topic, items, batch)
end

local function append_runs(log, batch, runs, args)
  local head_before = log.head
  for _, run in ipairs(runs) do append_run(log, batch, run, args) end
  if #batch.journal > 0 then
    call('XADD', log.prefix .. 'j', integer(head_before + 1) .. '-0',
      'r', struct.pack('<d', batch.time) .. table.concat(batch.journal))
  end
  save_ids(log)
  if batch.runs > 0 then log.time = batch.time end
  if batch.runs > 0 or #log.deleted > 0 then
    announce(log, head_before, batch.time, batch.frame, batch.runs)
  end
end

-- append(node, number, seen epoch, seen sequence, valid until, limits, {topic, rule, {body, id}...}...)
local function append(keys, args)
  local prefix, node, number = keys[1], args[1], tonumber(args[2])
  local log, is_adopted = log_to_write(prefix)
  if not is_adopted and args[3] == log.epoch and tonumber(args[4]) > log.head then
    adopt(log)
    is_adopted = true
  end
  if is_adopted then return reply(log, {}, 'adopted', '') end
  local results, slot = prefix .. 'results:' .. node, tostring(number % results_max)
  local known = call('HMGET', results, 'last', slot)
  local last = tonumber(known[1] or 0)
  if number <= last then
    local result_number, outcomes = string.match(known[2] or '', '^(%d+) (.*)$')
    if result_number == args[2] then
      -- Replicas are asked about the last write of this connection.
      call('HSET', results, 'last', known[1])
      return reply(log, {}, 'done', outcomes)
    end
    return reply(log, {}, 'superseded', '')
  end
  if log.shown > tonumber(args[5]) then return reply(log, {}, 'late', '') end
  read_limits(log, args[6])
  forget_old_ids(log)
  local batch = { time = next_timestamp(log.time, log.shown), groups = {}, frame = { '' }, journal = {}, runs = 0 }
  append_runs(log, batch, read_runs(log, args, 7), args)
  commit(log)
  local outcomes = written_outcomes(batch.groups)
  call('HSET', results, 'last', args[2], slot, args[2] .. ' ' .. outcomes)
  return reply(log, {}, 'done', outcomes)
end
`;
