/** A measured value of the model. */
export interface Constant {
  /** The median of the rounds. */
  readonly value: number;
  /** The minimum and the maximum of the rounds. */
  readonly range: readonly [least: number, most: number];
  readonly unit: 'µs' | 'µs/s' | 'B' | 'B/s' | 'ms' | '×';
  /** The command. */
  readonly measuredBy: string;
  readonly about: string;
}

export type ConstantName =
  | 'redisIdleUsPerSecond'
  | 'redisNodeUsPerSecond'
  | 'redisNodeBytesPerSecond'
  | 'redisBeatPeerUs'
  | 'redisBeatPeerBytes'
  | 'redisAppendUs'
  | 'redisMessageUs'
  | 'redisMessageKibUs'
  | 'redisFollowerUs'
  | 'redisFollowerKibUs'
  | 'redisOpenUs'
  | 'redisResumeUs'
  | 'redisMessageBytes'
  | 'redisTopicBytes'
  | 'redisIdBytes'
  | 'frameBytes'
  | 'frameMessageBytes'
  | 'nodeIdleUsPerSecond'
  | 'nodeFrameUs'
  | 'nodeMessageUs'
  | 'nodeMessageKibUs'
  | 'nodePublishUs'
  | 'nodeBatchMessageUs'
  | 'nodeEncodeUs'
  | 'nodeWriteUs'
  | 'nodeDeliverUs'
  | 'nodeDeliverKibUs'
  | 'nodePollUs'
  | 'nodeForwardUs'
  | 'nodeConnectUs'
  | 'nodeSubscribeUs'
  | 'nodeResumeUs'
  | 'nodeResumeStoredUs'
  | 'nodeConnectionUsPerSecond'
  | 'nodeBytes'
  | 'nodeFullBytes'
  | 'nodeConnectionBytes'
  | 'nodeSubscriptionBytes'
  | 'nodeTopicBytes'
  | 'kernelConnectionBytes'
  | 'stormMemoryFactor'
  | 'ackMs'
  | 'deliveryMs';

/** The values of all constants. */
export type Values = Readonly<Record<ConstantName, number>>;

const idle = measuredBy('npm run bench -- model --measure idle');
const follow = measuredBy('npm run bench -- model --measure follow');
const connect = measuredBy('npm run bench -- model --measure connect');
const delivery = measuredBy('npm run bench -- model --measure delivery');
const polling = measuredBy('npm run bench -- model --measure polling');
const memory = measuredBy('npm run bench -- model --measure memory');
const logMemory = measuredBy('npm run bench -- model --measure log-memory');
const latency = measuredBy('npm run bench -- model --measure latency');
const storm = measuredBy('npm run bench -- continuity --interruption storm');

/** Measured as README.md says: the unit, the median, the minimum and the maximum of the rounds. */
export const constants: Readonly<Record<ConstantName, Constant>> = {
  redisIdleUsPerSecond: idle('µs/s', 900, 831, 1180, 'CPU of a Redis without nodes'),
  redisNodeUsPerSecond: idle('µs/s', 489, 373, 516, 'CPU of Redis for a node without clients'),
  redisNodeBytesPerSecond: idle('B/s', 708, 708, 708, 'what Redis sends such a node'),
  redisBeatPeerUs: idle('µs', 1.15, 1.13, 1.83, 'CPU of Redis in a heartbeat for each node alive'),
  redisBeatPeerBytes: idle('B', 56.1, 55.9, 58.1, 'what it sends in a heartbeat for each of them'),
  nodeIdleUsPerSecond: idle('µs/s', 2660, 2490, 3000, 'CPU of a node without clients'),

  redisAppendUs: follow('µs', 94.8, 80.8, 99.8, 'CPU of Redis for a batch'),
  redisMessageUs: follow('µs', 9.2, 8, 10.2, 'CPU of Redis for a message of a batch'),
  redisMessageKibUs: follow('µs', 13.2, 12.9, 14.8, '… and for a KiB of its text'),
  redisFollowerUs: follow('µs', 3.04, 3, 3.43, 'CPU of Redis to send a frame to a node'),
  redisFollowerKibUs: follow('µs', 0.414, 0.377, 0.429, '… and for a KiB of it'),
  frameBytes: follow('B', 165, 165, 166, 'a frame without messages'),
  frameMessageBytes: follow('B', 49, 49, 49.1, 'a message in a frame, without its text'),
  nodeFrameUs: follow('µs', 56.9, 37.8, 60.5, 'CPU of a node for a frame that it does not need'),
  nodeMessageUs: follow('µs', 1.62, 0.953, 3.59, '… and for a message in it'),
  nodeMessageKibUs: follow('µs', 5.99, 5.76, 6.46, '… and for a KiB of its text'),
  nodePublishUs: follow('µs', 203, 187, 231, 'CPU of a node to accept a request with a batch'),
  nodeBatchMessageUs: follow('µs', 9.78, 6.48, 10.5, '… and for a message of it'),

  redisOpenUs: connect('µs', 49.5, 44.8, 49.6, 'CPU of Redis for a subscription, new or resumed'),
  redisResumeUs: connect('µs', 78.5, 70.7, 91.2, '… if it has to read ten messages too'),
  nodeConnectUs: connect('µs', 1010, 783, 1020, 'CPU of a node for a WebSocket that connects'),
  nodeSubscribeUs: connect('µs', 166, 134, 176, 'CPU of a node for a subscription'),
  nodeResumeUs: connect('µs', 235, 100, 565, '… that resumes, with ten messages from memory'),
  nodeResumeStoredUs: connect('µs', 245, 193, 276, '… with ten messages from Redis, in addition'),

  nodeEncodeUs: delivery('µs', 9.36, 2.48, 32.2, 'CPU of a node for a message that it needs'),
  nodeWriteUs: delivery('µs', 7.29, 6.97, 7.34, 'CPU of a node for a write to a subscriber'),
  nodeDeliverUs: delivery('µs', 0.107, -0.00513, 0.11, '… and for a message in it'),
  nodeDeliverKibUs: delivery('µs', 0.156, 0.147, 0.167, '… and for a KiB of its text'),

  nodePollUs: polling('µs', 82, 67, 87.8, 'CPU of a node for a poll with a message'),
  nodeForwardUs: polling('µs', 192, 190, 313, '… and of both nodes if it is passed on'),

  redisTopicBytes: memory('B', 380, 380, 380, 'memory of Redis for a topic in use'),
  nodeConnectionUsPerSecond: memory('µs/s', 4.24, 4.02, 5.33, 'CPU of a node for a client that does nothing'),
  nodeBytes: memory('B', 100_000_000, 99_100_000, 101_000_000, 'memory of a node without clients'),
  nodeConnectionBytes: memory('B', 6300, 5960, 6830, 'memory of a node for a client'),
  nodeSubscriptionBytes: memory('B', 505, 265, 1290, '… for a subscription to a shared topic'),
  nodeTopicBytes: memory('B', 316, -718, 1090, '… for a topic'),
  kernelConnectionBytes: memory('B', 4120, 3150, 4720, 'memory of the kernel for one end of a connection'),

  redisMessageBytes: logMemory('B', 120, 120, 120, 'memory of Redis for a message, without its text'),
  redisIdBytes: logMemory('B', 139, 138, 140, 'memory of Redis for an id'),
  nodeFullBytes: logMemory(
    'B',
    304_000_000,
    295_000_000,
    313_000_000,
    'memory of a node with the newest 64 MiB',
  ),

  ackMs: latency('ms', 0.925, 0.896, 0.99, 'median until a publish is acknowledged, alone'),
  deliveryMs: latency('ms', 1.01, 0.998, 1.07, '… until another node delivers it'),

  stormMemoryFactor: storm('×', 1.22, 1.22, 1.22, 'peak memory of a node in a storm'),
};

export const values: Values = Object.fromEntries(
  Object.entries(constants).map(([name, { value }]) => [name, value]),
) as Values;

function measuredBy(
  command: string,
): (unit: Constant['unit'], value: number, least: number, most: number, about: string) => Constant {
  return (unit, value, least, most, about) => ({
    value,
    range: [least, most],
    unit,
    measuredBy: command,
    about,
  });
}
