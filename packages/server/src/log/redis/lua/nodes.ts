/** The nodes that share the log: their addresses, and what they send each other. */
export const nodesLua: string = String.raw`
-- A node that has not shown up for so long is not asked any more.
local beat_max = 10000

-- beat(node id, address, key, settings): makes a node known. Returns the key of all nodes, which is the first
-- one that a node has given, and the ids, addresses and settings of the living nodes.
local function beat(keys, args)
  local log = log_to_write(keys[1])
  local id, address, key, settings = unpack(args)
  call('SET', log.prefix .. 'nodes:key', key, 'NX')
  local hash = log.prefix .. 'nodes'
  call('HSET', hash, id, integer(log.now) .. ' ' .. address .. ' ' .. settings)
  local living, entries = {}, call('HGETALL', hash)
  for at = 1, #entries, 2 do
    local time, their_address, theirs = string.match(entries[at + 1], '^(%d+) (%S*) (%S*)$')
    if time and log.now - tonumber(time) <= beat_max then
      living[#living + 1] = entries[at]
      living[#living + 1] = their_address
      living[#living + 1] = theirs
    else
      call('HDEL', hash, entries[at])
    end
  end
  return reply(log, {}, call('GET', log.prefix .. 'nodes:key'), living)
end

-- tell(node id, text): sends a text to one node, if it listens.
local function tell(keys, args)
  call(process().publish, keys[1] .. 'node:' .. args[1], args[2])
  return stateless_reply()
end

-- part(node id): a node has stopped.
local function part(keys, args)
  call('HDEL', keys[1] .. 'nodes', args[1])
  return stateless_reply()
end
`;
