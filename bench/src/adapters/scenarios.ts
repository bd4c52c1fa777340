import type { Publishing } from '../load/job.ts';
import type { Scenario } from '../scenario.ts';
import type { SystemName } from '../systems/names.ts';

/** Systems of two nodes and one Redis. */
export const pairs: readonly [SystemName, ...SystemName[]] = [
  'fanfare-pair-kept',
  'fanfare-pair',
  'socket.io-pair',
  'socket.io-pair-streams',
];

/** A publish is in flight until every subscriber has it. */
export const untilDelivered = (size: number): Publishing => ({
  over: 'socket',
  window: size,
  untilDelivered: true,
});

/** Publishers and subscribers use different nodes. */
export const pairScenarios: readonly Scenario[] = [100, 1000].flatMap((subscribers) =>
  [1, 64].map((size) => pairScenario(subscribers, size)),
);

function pairScenario(subscribers: number, size: number): Scenario {
  return {
    id: `pair-${subscribers}-window-${size}`,
    about:
      `a publisher on one node, and ${subscribers.toLocaleString('en')} subscribers of one topic on another, ` +
      `64 B, ${size === 1 ? 'one publish' : `${size} publishes`} in flight until every subscriber has it`,
    kind: 'fan-out',
    figures: [
      'nodesCpuUsPerDelivery',
      'publishersCpuUsPerDelivery',
      'cpuUsPerDelivery',
      'redisCpuUsPerPublish',
      'deliveriesPerSecond',
      'loadBusyPercent',
    ],
    systems: pairs,
    reference: pairs[0],
    shape: {
      subscribers,
      topics: 1,
      subscribersPerTopic: subscribers,
      messageBytes: 64,
      publishing: untilDelivered(size),
      withBareHttp: false,
    },
  };
}
