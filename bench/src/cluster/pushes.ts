/**
 * A function of Redis with the same arguments as `append`. It only pushes the messages to the lists of their
 * topics: what is left of appending if nothing is checked, counted, remembered or announced.
 */
export const pushesName = 'bench_pushes';

export const pushesSource: string = `#!lua name=${pushesName}
local function pushes(keys, args)
  local at = 7
  while at <= #args do
    local items, count = {}, struct.unpack('<I4', args[at + 1])
    for index = 1, count do items[index] = args[at + 2 * index] end
    redis.call('RPUSH', keys[1] .. 'p:' .. args[at], unpack(items))
    at = at + 2 + 2 * count
  end
  return 'OK'
end

redis.register_function('${pushesName}', pushes)`;
