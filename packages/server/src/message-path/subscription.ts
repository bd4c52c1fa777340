import {
  formatOffset,
  isPattern,
  type FanfareError,
  type Form,
  type Interest,
  type Offset,
  type SubscriptionState,
} from '@fanfare/protocol';
import {
  LogFullError,
  LogUnreachableError,
  LogUnwritableError,
  type Page,
  type Position,
  type Start,
  type TopicLog,
} from '../log/topic-log.ts';
import type { Rules } from '../rules/rule.ts';
import type { Audience, TopicFilter } from '../subscriptions/audience.ts';
import type { SubscriptionIndex } from '../subscriptions/subscription-index.ts';
import type { Counters } from './counters.ts';
import type { Peer } from './peer.ts';
import { encodeGap, encodeState, type LiveEvent } from './peer-events.ts';
import { notAllowed } from './refusals.ts';
import { encodePage, pageLimit, type Replay, type Replays } from './replay.ts';
import type { TopicWatcher } from './topic-watcher.ts';

export interface SubscriptionParts {
  readonly log: TopicLog;
  readonly index: SubscriptionIndex;
  readonly rules: Rules;
  readonly counters: Counters;
  readonly replays: Replays;
  readonly watcher?: TopicWatcher | undefined;
  /** Logs a failure of a subscription that has begun, and makes a refusal of it. */
  readonly onFailure: (error: unknown) => FanfareError;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** The interest and the form of a subscription. */
export interface Wanted {
  readonly interest: Interest;
  readonly form: Form;
  /** The readable topics of a pattern. Undefined if all its topics are readable. */
  readonly filter: TopicFilter | undefined;
}

/** The start of a subscription. */
export interface Begun extends Start {
  readonly state: SubscriptionState;
}

/**
 * A subscription of one client to a topic or pattern, in one form. It has a position that moves along the
 * log. A live subscription gets messages from the tail of the log. A subscription that is catching up reads
 * the log at its own pace.
 */
export class Subscription implements Replay {
  readonly interest: Interest;
  readonly form: Form;
  /** The time when it was made, in milliseconds since 1970. */
  readonly since: number;
  readonly #peer: Peer;
  readonly #parts: SubscriptionParts;
  #audience: Audience;
  #state: SubscriptionState | 'ended' = 'catching_up';
  /** While it catches up: the position up to which everything was sent. */
  #position: Position = { epoch: '', sequence: 0 };
  /** The audience's count of unstored messages when the subscription was last live. */
  #unstoredSeen: number;
  /** Whether an unknown number of unstored messages was missed since the subscription was last live. */
  #hasMissed = false;
  /** Whether it has begun: its topic exists. */
  #hasBegun = false;
  /** Whether the client knows that the subscription is catching up. */
  #isNotified = false;
  /** Whether it waits until the peer has space. */
  #isBlocked = false;

  constructor({ interest, form, filter }: Wanted, peer: Peer, parts: SubscriptionParts) {
    this.interest = interest;
    this.form = form;
    this.since = parts.now();
    this.#peer = peer;
    this.#parts = parts;
    this.#audience = parts.index.open(interest, form, filter);
    this.#unstoredSeen = this.#audience.unstored;
  }

  get audience(): Audience {
    return this.#audience;
  }

  get state(): SubscriptionState {
    return this.#state === 'live' ? 'live' : 'catching_up';
  }

  /** Whether it has ended, for example because messages in the log are damaged. */
  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** The place in the log up to which everything was sent. */
  get place(): Offset {
    return this.#state === 'live' ? placeAtHead(this.#parts.log) : this.#position;
  }

  /** Begins to send messages, in a later turn at the earliest. */
  begin({ position, ...start }: Start): Begun {
    this.#position = position;
    this.#unstoredSeen = this.#audience.unstored;
    if (start.recovered === false) this.#parts.counters.gaps++;
    this.#hasBegun = true;
    this.#parts.watcher?.onSubscription(this.interest, 1);
    if (start.due === 0 && isAtHead(position, this.#parts.log)) this.#goLive();
    else {
      this.#isNotified = true;
      this.#parts.replays.add(this);
    }
    return { position, ...start, state: this.state };
  }

  /**
   * The peer had no space for a live message: the subscription reads this message and all later ones from the
   * log.
   */
  overflow({ before, isStored }: LiveEvent): void {
    if (this.#state !== 'live') return;
    // The ordinal counts the messages of one topic.
    const { epoch, sequence } = before;
    this.#position = isPattern(this.interest) ? { epoch, sequence } : before;
    this.#unstoredSeen = this.#audience.unstored - (isStored ? 0 : 1);
    this.#leave();
    this.#state = 'catching_up';
    this.#isBlocked = true;
    // A topic that keeps nothing has no messages in the log.
    this.#isNotified = isStored || isPattern(this.interest);
    if (this.#isNotified) this.#notifyState('catching_up');
  }

  /** The tail of the log continues elsewhere: a live subscription reads the log from the given place. */
  fallBehind({ epoch, sequence }: Offset): void {
    if (this.#state !== 'live') return;
    this.#position = { epoch, sequence };
    this.#unstoredSeen = this.#audience.unstored;
    this.#leave();
    this.#state = 'catching_up';
    this.#isNotified = true;
    this.#notifyState('catching_up');
    this.#parts.replays.add(this);
  }

  /** Messages that are not stored may have been missed: an unknown number. */
  miss(): void {
    if (this.#state === 'ended' || !this.#parts.rules.mayKeepNothing(this.interest)) return;
    this.#hasMissed = true;
    if (this.#state === 'live') this.#notifyUnstored();
  }

  /** The peer has space again. */
  drained(): void {
    if (!this.#isBlocked || this.#state !== 'catching_up') return;
    this.#isBlocked = false;
    this.#parts.replays.add(this);
  }

  async offerPage(): Promise<boolean> {
    if (this.#state !== 'catching_up') return false;
    try {
      const audience = this.#audience;
      const page = await this.#parts.log.read(
        this.interest,
        this.#position,
        { ...pageLimit, recordsMax: this.#peer.offeredMessagesMax ?? pageLimit.recordsMax },
        audience.filter?.allows,
      );
      // Meanwhile the subscription may have ended, or got another filter. Then it reads the page again.
      if (this.#state !== 'catching_up') return false;
      return this.#audience === audience ? this.#offer(page) : true;
    } catch (error) {
      if (!canPass(error)) this.#fail(error);
      else {
        // It is logged: nobody else tells an operator that the log cannot be read.
        if (!(error instanceof LogUnreachableError)) this.#parts.onFailure(error);
        this.#parts.replays.retry(this);
      }
      return false;
    }
  }

  /** Changes the readable topics of the pattern. Undefined means all of them. */
  restrict(filter: TopicFilter | undefined): void {
    const { index } = this.#parts;
    if (this.#state === 'ended' || this.#audience.filter?.key === filter?.key) return;
    const isLive = this.#state === 'live';
    if (isLive) this.#leave();
    else this.#notifyUnstored();
    index.close(this.#audience, this.form);
    this.#audience = index.open(this.interest, this.form, filter);
    this.#unstoredSeen = this.#audience.unstored;
    if (isLive) this.#join();
  }

  /** Ends the subscription, because the client may no longer read any of its topics. */
  forbid(): void {
    if (this.#state === 'live') this.#leave();
    this.#notifyFailure(notAllowed('read', this.interest));
  }

  /** Ends the subscription. If it has missed messages, it first sends the event `gap`. */
  end(): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'live') this.#leave();
    else this.#notifyUnstored();
    this.#close();
  }

  /** Ends the subscription of a peer that has gone. Nothing is sent. */
  abandon(): void {
    if (this.#state === 'live') this.#leave();
    if (this.#state !== 'ended') this.#close();
  }

  /** Reads a page. @returns whether to read the next page at once */
  #offer({ records, position, isAtHead: isLast, dropped }: Page): boolean {
    const { log, counters } = this.#parts;
    const events = encodePage(records, this.form, this.interest);
    const deliveries = events.length;
    if (dropped !== 0) events.unshift(encodeGap(this.interest, this.form, dropped));
    if (events.length > 0 && !this.#peer.offer(events)) {
      this.#isBlocked = true;
      return false;
    }
    if (!this.#peer.isPolled) counters.deliveries += deliveries;
    if (dropped !== 0) counters.gaps++;
    this.#position = position;
    // Nothing is broadcast between this check and joining the audience, so there is neither a gap nor a
    // repeat.
    if (!isLast || !isAtHead(position, log)) return true;
    this.#goLive();
    return false;
  }

  #goLive(): void {
    this.#notifyUnstored();
    this.#state = 'live';
    if (this.#isNotified) this.#notifyState('live');
    this.#join();
  }

  #notifyUnstored(): void {
    const missed = this.#hasMissed ? 'unknown' : this.#audience.unstored - this.#unstoredSeen;
    this.#hasMissed = false;
    this.#unstoredSeen = this.#audience.unstored;
    if (missed === 0) return;
    this.#parts.counters.gaps++;
    this.#peer.notify(encodeGap(this.interest, this.form, missed));
  }

  #notifyState(state: SubscriptionState): void {
    if (this.form !== 'envelope') return;
    const offset = formatOffset(this.#position);
    this.#peer.notify(encodeState(this.interest, state, offset));
  }

  #join(): void {
    this.#audience.live[this.form]++;
    this.#parts.counters.live++;
    this.#peer.join(this.#audience, this.form);
  }

  #leave(): void {
    this.#audience.live[this.form]--;
    this.#parts.counters.live--;
    this.#peer.leave(this.#audience, this.form);
  }

  #close(): void {
    const { index, log, watcher } = this.#parts;
    this.#state = 'ended';
    if (this.#hasBegun) watcher?.onSubscription(this.interest, -1);
    index.close(this.#audience, this.form);
    log.noteUse(this.interest);
  }

  #fail(error: unknown): void {
    this.#notifyFailure(this.#parts.onFailure(error));
  }

  #notifyFailure(error: FanfareError): void {
    if (this.#state === 'ended') return;
    this.#close();
    const problem = { ...error.toProblem(), topic: this.interest };
    this.#peer.notify({ name: 'error', argumentJson: JSON.stringify(problem) });
  }
}

/** Whether the same read can succeed later: the log is there, but somebody has to do something about it. */
function canPass(error: unknown): boolean {
  return error instanceof LogUnwritableError || error instanceof LogFullError;
}

function placeAtHead({ epoch, head: sequence }: TopicLog): Offset {
  return { epoch, sequence };
}

function isAtHead({ epoch, sequence }: Offset, log: TopicLog): boolean {
  return sequence === log.head && epoch === log.epoch;
}
