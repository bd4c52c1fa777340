import { setTimeout as sleep } from 'node:timers/promises';
import { topic } from '../continuity/subscribers.ts';
import { ContentError } from '../load/checker.ts';
import type { Processes, RunningServer } from '../processes.ts';
import { startFanfare } from '../systems/fanfare.ts';
import { httpBatchWire } from '../wire/http-batches.ts';
import { FailoverWatch } from './failover-watch.ts';
import { addRound, renderRounds, type Column, type Part, type PartOptions, type PartResult } from './part.ts';
import { lostIn, pauseOf, type PauseFigures } from './pause.ts';
import { startSentinels, type SentinelTrio } from './sentinels.ts';
import { SteadyPublisher } from './steady-publisher.ts';

const messagesPerSecond = 200;
/** How long it is published before the primary is killed, and after the first acknowledgement. */
const beforeMs = 2_000;
const afterMs = 1_000;
const failoverMs = 60_000;
const wire = httpBatchWire('memory');

type Figures = PauseFigures & {
  readonly lost: number;
  readonly refusals: number;
  readonly published: number;
};

const columns: readonly Column<keyof Figures>[] = [
  { name: 'fromPromotionMs', title: 'from the promotion to the first acknowledgement, ms', digits: 0 },
  { name: 'fromAnnouncementMs', title: 'from +switch-master to it, ms', digits: 0 },
  { name: 'untilPromotionMs', title: 'from SIGKILL to the promotion, ms', digits: 0 },
  { name: 'pauseMs', title: 'whole pause, ms', digits: 0 },
  { name: 'published', title: 'published', digits: 0 },
  { name: 'refusals', title: 'repeated', digits: 0 },
  { name: 'lost', title: 'lost', digits: 0 },
];

/** How soon publishes are acknowledged again after Sentinel has promoted a replica. */
export const promotion: Part = {
  id: 'promotion',
  about:
    `a primary is killed, and three sentinels promote its replica: ${messagesPerSecond} publishes a second ` +
    'over HTTP, each repeated until it is acknowledged',
  placement: 'All servers run on processor 0. The publisher is not pinned.',
  run,
};

async function run({ processes, rounds, markdown, isSmall, onProgress }: PartOptions): Promise<PartResult> {
  const results = new Map<string, Figures[]>();
  for (let round = 1; round <= rounds; round++) {
    onProgress(`promotion, round ${round} of ${rounds}`);
    addRound(results, 'Sentinel', await measureOnce(processes, isSmall));
  }
  return { text: renderRounds(promotion, columns, results, markdown), figures: Object.fromEntries(results) };
}

async function measureOnce(processes: Processes, isSmall: boolean): Promise<Figures> {
  const trio = await startSentinels(processes, { downAfterMs: 1_000, isFast: isSmall });
  let node: RunningServer | undefined;
  try {
    node = await startFanfare(processes, {}, ['--redis', trio.url]);
    await wire.createTopic(node.port, topic);
    return await measureFailover(trio, node.port, isSmall ? 300 : beforeMs);
  } finally {
    await node?.stop();
    await trio.stop();
  }
}

async function measureFailover(trio: SentinelTrio, port: number, waitMs: number): Promise<Figures> {
  const watch = new FailoverWatch(trio.replica.port, trio.sentinelPorts);
  const publisher = new SteadyPublisher(port, messagesPerSecond);
  try {
    await sleep(waitMs);
    const killedMs = performance.now();
    await trio.primary.stop();
    await until('no sentinel has announced a new primary', () => watch.announcedMs !== undefined);
    await until('the replica does not say that it is a primary', () => watch.promotedMs !== undefined);
    const { promotedMs = Infinity, announcedMs = Infinity } = watch;
    await until('no publish was acknowledged after the promotion', () =>
      publisher.acknowledgedMs.some((ms) => ms >= promotedMs),
    );
    await sleep(afterMs);
    await publisher.stop();
    const { acknowledgedMs, published, refusals } = publisher;
    const figures = pauseOf({ killedMs, promotedMs, announcedMs, acknowledgedMs });
    const lost = lostIn({ published, kept: await wire.count(port, topic) });
    return { ...figures, lost, refusals, published };
  } finally {
    publisher.abandon();
    watch.close();
  }
}

/** Waits for what processes do not announce to this one. */
async function until(otherwise: string, holds: () => boolean): Promise<void> {
  const endsAt = performance.now() + failoverMs;
  while (!holds()) {
    if (performance.now() > endsAt) throw new ContentError(`After ${failoverMs / 1e3} s, ${otherwise}.`);
    await sleep(1);
  }
}
