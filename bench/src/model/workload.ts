/** What clients and publishers do, and what is kept. */
export interface Workload {
  readonly clients: number;
  readonly topics: number;
  readonly subscriptionsPerClient: number;
  /** Messages a second, of all publishers. */
  readonly publishesPerSecond: number;
  /** The size of a message as JSON, in bytes. */
  readonly messageBytes: number;
  /** How many messages a publisher sends at once, to one topic. */
  readonly batchMessages: number;
  /** The share of messages that all clients get, whatever they are subscribed to otherwise. */
  readonly everyoneShare: number;
  /** The share of clients that poll. The others have a WebSocket. */
  readonly pollingShare: number;
  /** Clients that come again on an ordinary day. */
  readonly reconnectsPerSecond: number;
  /** The reconnect storm: how many clients come again, within how many seconds. */
  readonly stormShare: number;
  readonly stormSeconds: number;
  /** How long a message is kept, and how many of a topic at most. */
  readonly keepSeconds: number;
  readonly keepMessages: number;
  /** The share of messages with an id (idempotency key), and for how many seconds Redis remembers it. */
  readonly idShare: number;
  readonly idSeconds: number;
  /** How many different first segments the topics have. Only these can be spread over several logs. */
  readonly firstSegments: number;
}

/** What the parts run on, and how full they may be. */
export interface Hardware {
  /** Each core runs one node. */
  readonly coresPerMachine: number;
  readonly machineMemoryBytes: number;
  readonly machineBitsPerSecond: number;
  readonly redisMemoryBytes: number;
  readonly redisBitsPerSecond: number;
  /** One way and back between two machines, in milliseconds. */
  readonly networkMs: number;
  /** The shares of a core, of memory and of a network card that may be used. */
  readonly cpuMax: number;
  readonly memoryMax: number;
  readonly networkMax: number;
}

const gib = 2 ** 30;

export const usualHardware: Hardware = {
  coresPerMachine: 8,
  machineMemoryBytes: 32 * gib,
  machineBitsPerSecond: 10e9,
  redisMemoryBytes: 128 * gib,
  redisBitsPerSecond: 25e9,
  networkMs: 0.2,
  cpuMax: 0.6,
  memoryMax: 0.75,
  networkMax: 0.6,
};

/** Workloads of one kind, for any number of clients. */
export interface Kind {
  readonly name: string;
  readonly about: string;
  readonly workload: (clients: number) => Workload;
}

const day = 86_400;

const usual = {
  batchMessages: 1,
  everyoneShare: 0,
  pollingShare: 0.02,
  stormShare: 1,
  stormSeconds: 5,
  keepMessages: 100_000,
  idShare: 1,
  // Redis keeps the present window of ten minutes and the last one.
  idSeconds: 900,
};

export const kinds: readonly Kind[] = [
  {
    name: 'chat',
    about: 'rooms of 50; each client is in five, and writes once in five minutes',
    workload: (clients) => ({
      ...usual,
      clients,
      topics: Math.ceil(clients / 10),
      subscriptionsPerClient: 5,
      publishesPerSecond: clients / 300,
      messageBytes: 200,
      reconnectsPerSecond: clients / 1_800,
      keepSeconds: day,
      firstSegments: Math.ceil(clients / 500),
    }),
  },
  {
    name: 'scores',
    about:
      '1,000 topics, however many clients; each client watches three; one message in 100 is for everyone',
    workload: (clients) => ({
      ...usual,
      clients,
      topics: 1_000,
      subscriptionsPerClient: 3,
      publishesPerSecond: 200,
      messageBytes: 300,
      batchMessages: 4,
      everyoneShare: 0.01,
      reconnectsPerSecond: clients / 600,
      keepSeconds: 3_600,
      firstSegments: 50,
    }),
  },
  {
    name: 'notifications',
    about: 'a topic for each user, with a message in ten minutes',
    workload: (clients) => ({
      ...usual,
      clients,
      topics: clients,
      subscriptionsPerClient: 1,
      publishesPerSecond: clients / 600,
      messageBytes: 500,
      reconnectsPerSecond: clients / 600,
      keepSeconds: 7 * day,
      keepMessages: 100,
      firstSegments: clients,
    }),
  },
  {
    name: 'orders',
    about: 'shops with 20 clients; each client changes an order in two minutes, and resumes from the log',
    workload: (clients) => ({
      ...usual,
      clients,
      topics: Math.ceil(clients / 20),
      subscriptionsPerClient: 1,
      publishesPerSecond: clients / 120,
      messageBytes: 1_024,
      reconnectsPerSecond: clients / 3_600,
      keepSeconds: 7 * day,
      keepMessages: 1_000,
      firstSegments: Math.ceil(clients / 20),
    }),
  },
];
