import type { History, Kept, Publish, State, Subscription, SubscriptionEvent } from './history.ts';
import { isOf } from './place.ts';
import type { Random } from './random.ts';

const epoch = 'model';
const topics = ['a', 'a/b', 'a/b/c', 'd'];
const interests = ['a', 'a/*', 'a/**', '**', 'd', '*'];

/** A history of a server that keeps the contract: first the log, then the deliveries to subscribers. */
export function goodHistory(random: Random): History {
  const { publishes, kept } = goodLog(random);
  const subscriptions = Array.from({ length: random.between(1, 4) }, (_, at) =>
    goodSubscription(random, kept, `client ${at}`),
  );
  return { publishes, kept, subscriptions };
}

interface Pending {
  readonly attempt: Omit<Publish, 'outcome'>;
  /** The place, if the message already has one. */
  readonly kept?: Kept;
  readonly isRetry: boolean;
}

function goodLog(random: Random): Pick<History, 'publishes' | 'kept'> {
  const publishes: Publish[] = [];
  const kept: Kept[] = [];
  const pending = new Map<string, Pending>();
  let clock = 0;
  let sequence = random.below(5);
  const place = (attempt: Pending['attempt']): Kept => {
    const { topic, content, id } = attempt;
    sequence += random.between(1, 2);
    const message = { offset: `${epoch}.${sequence}`, topic, content, time: 1000 + sequence };
    kept.push(id === undefined ? message : { ...message, id });
    return kept.at(-1) as Kept;
  };
  const send = (publisher: string, again?: Pending): void => {
    const id = random.isOneIn(3) ? {} : { id: `id ${clock}` };
    const fresh = { publisher, topic: random.pick(topics), content: `"${publisher} ${clock}"`, ...id };
    const stream = `connection of ${publisher}`;
    const attempt = { ...(again ? again.attempt : fresh), stream, sent: clock++ };
    const found = again?.kept ?? (random.isOneIn(10) ? undefined : place(attempt));
    pending.set(publisher, { attempt, isRetry: again?.kept !== undefined, ...(found && { kept: found }) });
  };
  const answer = (publisher: string, { attempt, kept: message, isRetry }: Pending): void => {
    pending.delete(publisher);
    const answered = clock++;
    if (!message && random.isOneIn(2)) {
      publishes.push({ ...attempt, answered, outcome: { kind: 'fail', code: 'storage_unavailable' } });
    } else if (!message || random.isOneIn(5)) {
      publishes.push({ ...attempt, outcome: { kind: 'unknown' } });
      const isAgain = attempt.id !== undefined && random.isOneIn(2);
      if (isAgain) send(publisher, { attempt, isRetry: true, ...(message && { kept: message }) });
    } else {
      const { offset, time } = message;
      const outcome = { kind: 'ok' as const, offset, time, ...(isRetry && { duplicate: true }) };
      publishes.push({ ...attempt, answered, outcome });
    }
  };
  for (let step = random.between(4, 80); step > 0; step--) {
    const publisher = `publisher ${random.below(3)}`;
    const waiting = pending.get(publisher);
    if (waiting) answer(publisher, waiting);
    else send(publisher);
  }
  for (const { attempt } of pending.values()) publishes.push({ ...attempt, outcome: { kind: 'unknown' } });
  return { publishes, kept };
}

function goodSubscription(random: Random, kept: readonly Kept[], client: string): Subscription {
  const interest = random.pick(interests);
  const due = kept.filter(({ topic }) => isOf(interest, topic));
  const events: SubscriptionEvent[] = [];
  const runs = random.between(1, 4);
  let at = random.below(due.length + 1);
  let reached = at === 0 ? `${epoch}.0` : (due[at - 1] as Kept).offset;
  for (let run = 0; run < runs; run++) {
    const from = run > 0 ? reached : at === 0 && random.isOneIn(2) ? 'earliest' : 'new';
    let state: State = random.isOneIn(2) ? 'live' : 'catching_up';
    const recovered = run > 0 ? { recovered: true } : {};
    events.push({ kind: 'subscribed', from, offset: reached, state, ...recovered });
    const end = run === runs - 1 ? due.length : random.between(at, due.length);
    for (; at < end; at++) {
      if (random.isOneIn(5)) {
        state = state === 'live' ? 'catching_up' : 'live';
        events.push({ kind: 'state', state, offset: reached });
      }
      const message = due[at] as Kept;
      const replay = state === 'live' ? {} : { replay: interest };
      events.push({ kind: 'message', ...message, ...replay });
      reached = message.offset;
    }
  }
  return { client, interest, form: 'envelope', events, isComplete: true };
}
