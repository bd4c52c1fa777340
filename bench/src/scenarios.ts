import type { FigureName, Publishing } from './load/job.ts';
import type { BatchesShape, FanOutShape, ReplayShape, Scenario } from './scenario.ts';
import { strangerKinds, type StrangerKind } from './strangers/kinds.ts';

const usual: FanOutShape = {
  subscribers: 500,
  topics: 1,
  subscribersPerTopic: 500,
  messageBytes: 64,
  publishing: { over: 'socket', window: 64 },
  withBareHttp: false,
};

const busy = ['serverBusyPercent', 'serverWaitingPercent', 'loadBusyPercent'] as const;

const fanOutFigures: readonly FigureName[] = [
  'cpuUsPerDelivery',
  'deliveriesPerSecond',
  'medianP50Ms',
  'medianP99Ms',
  'lastP50Ms',
  'lastP99Ms',
  ...busy,
];

function fanOut(id: string, about: string, shape: Partial<FanOutShape>, figures = fanOutFigures): Scenario {
  return { id, about, kind: 'fan-out', figures, shape: { ...usual, ...shape } };
}

const window = (size: number): Publishing => ({ over: 'socket', window: size });

const windows = [1, 64, 512].map((size) =>
  fanOut(`window-${size}`, `500 subscribers of one topic, 64 B, ${inFlight(size)}`, {
    publishing: window(size),
  }),
);

const sizesOfAudience = [100, 2000, 5000].flatMap((subscribers) =>
  [64, 1].map((size) =>
    fanOut(
      `subscribers-${subscribers}${size === 1 ? '-window-1' : ''}`,
      `${subscribers.toLocaleString('en')} subscribers of one topic, 64 B, ${inFlight(size)}`,
      { subscribers, subscribersPerTopic: subscribers, publishing: window(size) },
    ),
  ),
);

const messageSizes = [
  { name: '1k', messageBytes: 1024 },
  { name: '16k', messageBytes: 16 * 1024 },
].map(({ name, messageBytes }) =>
  fanOut(`size-${name}`, `500 subscribers of one topic, ${messageBytes / 1024} KiB, ${inFlight(64)}`, {
    messageBytes,
  }),
);

const spreads = [1, 1000, 10_000].map((topics) =>
  fanOut(
    `topics-${topics}-spread`,
    `500 clients, ${topics === 1 ? '1 topic with 50 of them' : `${topics.toLocaleString('en')} topics with 50 of them each`}, 64 B, ${inFlight(1)}`,
    { topics, subscribersPerTopic: 50, publishing: window(1) },
  ),
);

/** Shapes that `--smoke` runs with small numbers. */
export const http32: FanOutShape = { ...usual, publishing: { over: 'http', connections: 32 } };
export const topics100: FanOutShape = { ...usual, topics: 100, subscribersPerTopic: 25 };

export const atRate = (perSecond: number): FanOutShape => ({
  ...usual,
  subscribers: 200,
  topics: 100,
  subscribersPerTopic: 10,
  publishing: { over: 'socket', perSecond },
});

const rateFigures = [
  'lastP50Ms',
  'lastP99Ms',
  'lastP999Ms',
  'cpuUsPerDelivery',
  'publishesPerSecond',
  ...busy,
] as const;

const rates = [100, 1000, 10_000].map((perSecond) =>
  fanOut(
    `rate-${perSecond}`,
    `200 clients with 5 of 100 topics each, 64 B, ${perSecond.toLocaleString('en')} publishes a second`,
    atRate(perSecond),
    rateFigures,
  ),
);

export const usualBatches: BatchesShape = {
  connections: 16,
  batchMessages: 100,
  messageBytes: 64,
  keepsAll: true,
};

export const usualReplay: ReplayShape = {
  messages: 500_000,
  messageBytes: 64,
  subscribers: 1,
  messagesEach: 500_000,
  publishesPerSecond: 0,
  warmUpMessages: 100_000,
};

/** In the order in which they run. */
export const scenarios: readonly Scenario[] = [
  ...windows,
  fanOut(
    'http-32',
    '500 subscribers of one topic, 64 B, 32 HTTP clients with one publish each in flight',
    http32,
  ),
  {
    id: 'http-1-subscriber',
    about: 'one subscriber (node:http: none), 64 B, 32 HTTP clients with one publish each in flight',
    kind: 'fan-out',
    figures: ['publishesPerCpuSecond', 'publishesPerSecond', ...busy],
    shape: { ...http32, subscribers: 1, subscribersPerTopic: 1, withBareHttp: true },
  },
  ...sizesOfAudience,
  ...messageSizes,
  fanOut('topics-100', `500 clients with 5 of 100 topics each, 64 B, ${inFlight(64)}`, topics100),
  ...spreads,
  ...rates,
  {
    id: 'durable-publish',
    about: 'one subscriber, 64 B, 64 HTTP clients with one publish each in flight',
    kind: 'fan-out',
    figures: ['publishesPerSecond', 'publishesPerCpuSecond', 'medianP50Ms', 'medianP99Ms', ...busy],
    systems: ['fanfare', 'fanfare-disk', 'fanfare-memory', 'fanfare-redis-kept'],
    shape: {
      ...usual,
      subscribers: 1,
      subscribersPerTopic: 1,
      publishing: { over: 'http', connections: 64 },
    },
  },
  {
    ...fanOut(
      'guarded',
      `what tokens and limits cost: 500 subscribers of one topic, 64 B, ${inFlight(64)}`,
      {},
    ),
    systems: ['fanfare', 'fanfare-guarded'],
  },
  {
    id: 'guarded-durable',
    about:
      'what tokens and limits cost: one subscriber, 64 B, 64 HTTP clients with one publish each in flight',
    kind: 'fan-out',
    figures: ['publishesPerSecond', 'publishesPerCpuSecond', 'medianP50Ms', 'medianP99Ms', ...busy],
    systems: ['fanfare-disk', 'fanfare-disk-guarded'],
    shape: {
      ...usual,
      subscribers: 1,
      subscribersPerTopic: 1,
      publishing: { over: 'http', connections: 64 },
    },
  },
  batches('batches-8', '8 in flight, everything kept', { connections: 8 }),
  batches('batches', '16 in flight, everything kept', {}),
  batches('batches-trimmed', '16 in flight, the newest 100,000 kept', { keepsAll: false }),
  replay('replay', 'one subscriber reads 500,000 messages of 64 B', {}),
  replay('replay-100', '100 subscribers read the last 20,000 of 500,000 messages of 64 B each', {
    subscribers: 100,
    messagesEach: 20_000,
  }),
  replay('replay-live', 'one subscriber reads 500,000 messages of 64 B while 1,000 a second are published', {
    publishesPerSecond: 1000,
  }),
  ...[2000, 500].map((connections): Scenario => ({
    id: connections === 2000 ? 'idle-memory' : `idle-memory-${connections}`,
    about: `${connections.toLocaleString('en')} clients with one subscription each, 45 s after the last came`,
    kind: 'idle',
    figures: ['kibPerConnection'],
    roundsMax: 2,
    connections,
    quietMs: 45_000,
  })),
  connects('connect-rate', 200, 1000),
  // Most of the code of a connection is compiled by then.
  connects('connect-rate-warm', 8000, 8000),
  ...strangerKinds.flatMap((kind) => [500, 5000].map((connections) => strangers(kind, connections))),
];

function connects(id: string, warmUpConnections: number, connections: number): Scenario {
  const [number, others] = [connections, warmUpConnections].map((count) => count.toLocaleString('en'));
  return {
    id,
    about: `${number} clients connect and subscribe, 64 at a time, after ${others} others`,
    kind: 'connect',
    figures: ['cpuUsPerConnection', 'connectionsPerSecond', ...busy],
    connections,
    warmUpConnections,
  };
}

function strangers(attack: StrangerKind, connections: number): Scenario {
  return {
    id: `strangers-${attack}-${connections}`,
    about: `${connections.toLocaleString('en')} connections that send 84 KB each and read nothing: ${attack}`,
    kind: 'strangers',
    figures: [
      'peakMib',
      'peakKibPerConnection',
      'healthyP50Ms',
      'healthyP99Ms',
      'healthyMaxMs',
      'healthyFailed',
      ...busy,
    ],
    // With 5,000 connections, Socket.IO alone needs more memory than the machine has.
    systems: connections > 1000 ? ['fanfare', 'node:http'] : ['fanfare', 'socket.io', 'node:http'],
    roundsMax: 3,
    attack,
    connections,
    attackMs: connections > 1000 ? 15_000 : 6_000,
  };
}

function batches(id: string, about: string, shape: Partial<BatchesShape>): Scenario {
  return {
    id,
    about: `HTTP batches of 100 messages of 64 B (redis-streams: 100 XADD in one write), ${about}`,
    kind: 'batches',
    figures: ['cpuUsPerMessage', 'messagesPerSecond', 'answerP50Ms', 'answerP99Ms', ...busy],
    systems: ['fanfare', 'fanfare-disk', 'fanfare-memory', 'fanfare-redis-kept', 'redis-streams'],
    shape: { ...usualBatches, ...shape },
  };
}

function replay(id: string, about: string, shape: Partial<ReplayShape>): Scenario {
  return {
    id,
    about,
    kind: 'replay',
    figures: [
      'cpuUsPerMessage',
      'messagesPerCpuSecond',
      'messagesPerSecond',
      'loopDelayP99Ms',
      'loopDelayMaxMs',
      'loopDelayOwnMaxMs',
      ...busy,
    ],
    systems: ['fanfare-disk', 'fanfare-memory', 'fanfare-redis-kept'],
    shape: { ...usualReplay, ...shape },
  };
}

function inFlight(size: number): string {
  return size === 1 ? 'one publish in flight' : `${size} publishes in flight`;
}
