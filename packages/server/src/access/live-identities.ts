import { FanfareError } from '@fanfare/protocol';
import type { Identity } from './identity.ts';

/** The identity of an open connection or stream. */
export interface LiveIdentity {
  /** Replaces the token by another token of the same subject. */
  renew(identity: Identity): void;
  /** Ends the connection, unless {@link close} was called. */
  revoke(): void;
  /** The connection has ended by itself. */
  close(): void;
}

/**
 * The longest timer, in milliseconds. The clock can be set while a timer runs, so it is read again after this
 * time.
 */
const waitMsMax = 15_000;

class Entry {
  identity: Identity;
  readonly end: (error: FanfareError) => void;

  constructor(identity: Identity, end: (error: FanfareError) => void) {
    this.identity = identity;
    this.end = end;
  }
}

/** Ends live connections when their tokens expire or are revoked. */
export class LiveIdentities {
  readonly #now: () => number;
  readonly #bySubject = new Map<string, Set<Entry>>();
  readonly #byEnd = new Map<number, Set<Entry>>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Infinity;

  /** @param now - the wall clock, in milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param end - called once, when the token has expired or was revoked, and MUST end the connection */
  track(identity: Identity, end: (error: FanfareError) => void): LiveIdentity {
    const entry = new Entry(identity, end);
    this.#add(entry);
    return {
      renew: (next) => {
        this.#remove(entry);
        entry.identity = next;
        this.#add(entry);
      },
      revoke: () => {
        if (this.#bySubject.get(identity.subject ?? '')?.has(entry)) this.#end(entry, revoked());
      },
      close: () => this.#remove(entry),
    };
  }

  /**
   * Ends the connections of a subject.
   *
   * @param isMeant - selects the connections; without it, all are ended
   * @returns the number of these connections
   */
  revoke(subject: string, isMeant?: (identity: Identity) => boolean): number {
    const all = [...(this.#bySubject.get(subject) ?? [])];
    const entries = isMeant ? all.filter(({ identity }) => isMeant(identity)) : all;
    this.#endAll(entries, revoked());
    return entries.length;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#wakesAt = -Infinity;
  }

  #add(entry: Entry): void {
    const { subject, endsAt } = entry.identity;
    if (subject === undefined) return;
    addTo(this.#bySubject, subject, entry);
    addTo(this.#byEnd, endsAt, entry);
    if (endsAt < this.#wakesAt) this.#wait();
  }

  #remove(entry: Entry): void {
    const { subject, endsAt } = entry.identity;
    if (subject === undefined) return;
    removeFrom(this.#bySubject, subject, entry);
    removeFrom(this.#byEnd, endsAt, entry);
  }

  #end(entry: Entry, error: FanfareError): void {
    this.#remove(entry);
    entry.end(error);
  }

  /** Ends all connections, even if ending one throws, for example in a listener of the app. */
  #endAll(entries: readonly Entry[], error: FanfareError): void {
    const failures: unknown[] = [];
    for (const entry of entries) {
      try {
        this.#end(entry, error);
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #wait(): void {
    clearTimeout(this.#timer);
    let next = Infinity;
    for (const endsAt of this.#byEnd.keys()) next = Math.min(next, endsAt);
    this.#wakesAt = next;
    if (next === Infinity) return;
    const waitMs = Math.min(waitMsMax, Math.max(0, next - this.#now()));
    this.#timer = setTimeout(() => this.#wake(), waitMs).unref();
  }

  #wake(): void {
    const now = this.#now();
    const ended: Entry[] = [];
    for (const [endsAt, entries] of this.#byEnd)
      if (endsAt <= now) for (const entry of entries) ended.push(entry);
    try {
      this.#endAll(ended, new FanfareError('token_expired', 'The token has expired.'));
    } finally {
      this.#wait();
    }
  }
}

function revoked(): FanfareError {
  return new FanfareError('not_authenticated', 'The token was revoked.');
}

function addTo<K>(map: Map<K, Set<Entry>>, key: K, entry: Entry): void {
  const entries = map.get(key);
  if (entries) entries.add(entry);
  else map.set(key, new Set([entry]));
}

function removeFrom<K>(map: Map<K, Set<Entry>>, key: K, entry: Entry): void {
  const entries = map.get(key);
  entries?.delete(entry);
  if (entries?.size === 0) map.delete(key);
}
