import { faultKinds, type FaultKind, type History, type Verdict } from './history.ts';
import { judgeLog } from './judge-log.ts';
import { judgeOffsets } from './judge-offsets.ts';
import { judgeSubscription } from './judge-subscription.ts';
import { Ledger } from './ledger.ts';

/** Judges whether a history keeps the contract, and where it does not. A pure function. */
export function judge(history: History): Verdict {
  const ledger = new Ledger(history);
  judgeLog(history, ledger);
  judgeOffsets(history, ledger);
  for (const subscription of history.subscriptions) judgeSubscription(subscription, ledger);
  for (const { client, delivery } of history.strays ?? []) {
    ledger.report('misstated', `${client} got ${delivery.content} of ${delivery.topic}, which none was due`);
  }
  const counts = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  for (const { kind } of ledger.faults) counts[kind]++;
  const events = history.subscriptions.flatMap((each) => each.events);
  const deliveries = events.filter((event) => event.kind === 'message');
  return {
    faults: ledger.faults,
    counts,
    judged: {
      acknowledged: history.publishes.filter(({ outcome }) => outcome.kind === 'ok').length,
      unknown: history.publishes.filter(({ outcome }) => outcome.kind === 'unknown').length,
      kept: history.kept.length,
      delivered: deliveries.length,
      replayed: deliveries.filter(({ replay }) => replay !== undefined).length,
      runs: events.filter((event) => event.kind === 'subscribed').length,
      lostAcknowledged: ledger.lostAcknowledged,
    },
  };
}
