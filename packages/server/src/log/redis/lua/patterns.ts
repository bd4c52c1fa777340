/**
 * The patterns that subscribers of all nodes use: a publish to a topic that one of them matches creates the
 * topic. A version tells nodes whether to read them again.
 */
export const patternsLua: string = String.raw`
local function patterns_key(log, node)
  return log.prefix .. 'patterns:' .. node
end

local function note_patterns(log)
  call('HINCRBY', log.prefix .. 'meta', 'patterns', 1)
end

-- A node is gone, with its subscribers.
local function forget_patterns(log, node)
  if call('UNLINK', patterns_key(log, node)) == 1 then note_patterns(log) end
end

-- cover(node, {pattern, whether the node has subscribers for it}...)
local function cover(keys, args)
  local log = log_to_write(keys[1])
  local changes = 0
  for at = 2, #args, 2 do
    changes = changes + call(args[at + 1] == '1' and 'SADD' or 'SREM', patterns_key(log, args[1]), args[at])
  end
  if changes > 0 then note_patterns(log) end
  commit(log)
  return reply(log, {})
end

-- patterns(known version): the version, and the patterns if it is another one.
local function patterns(keys, args)
  local log = log_to_read(keys[1])
  local version = call('HGET', log.prefix .. 'meta', 'patterns') or '0'
  if version == args[1] then return reply(log, {}, version, {}) end
  local all = {}
  for at, node in ipairs(call('ZRANGE', log.prefix .. 'alive', 0, -1)) do all[at] = patterns_key(log, node) end
  return reply(log, {}, version, #all > 0 and call('SUNION', unpack(all)) or {})
end
`;
