import type { Offset } from '@fanfare/protocol';
import { LogUnreachableError } from '../topic-log.ts';
import type { RemoteState } from './library.ts';
import { descentOf } from './lineage.ts';

/** A reader waits for the tail for so long, in milliseconds. A silent connection is replaced within 3 s. */
const waitMsMax = 5_000;

/** A place that a reader waits for. */
export interface AwaitedPlace extends Offset {
  /** The number of the frame that must have come too, because messages that are not stored have no place. */
  readonly batch?: number;
}

interface Waiter {
  readonly place: AwaitedPlace;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The log has lost the place that a reader waits for. */
export function lostPlace(): LogUnreachableError {
  return new LogUnreachableError('The log has lost its newest messages. Ask it again.');
}

/** Readers that wait until the tail is at a place. */
export class TailWaiters {
  readonly #waiters = new Set<Waiter>();

  /** Rejects with a LogUnreachableError if the tail does not get there. */
  async wait(place: AwaitedPlace): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settled = (): void => {
        clearTimeout(isLate);
        this.#waiters.delete(waiter);
      };
      const waiter = {
        place,
        resolve: () => (settled(), resolve()),
        reject: (error: Error) => (settled(), reject(error)),
      };
      const isLate = setTimeout(() => {
        waiter.reject(new LogUnreachableError('The newest messages did not come from Redis in time.'));
      }, waitMsMax);
      this.#waiters.add(waiter);
    });
  }

  /**
   * Settles the waiters that have to wait no longer.
   *
   * @param tail - where the tail is
   * @param state - with the epoch of the tail
   * @param isNewest - whether the tail has just learnt the state of the log. A place in an epoch that is not
   *   known then is in a log that is gone
   */
  settle(tail: TailPlace, state: RemoteState, isNewest: boolean): void {
    for (const { place, resolve, reject } of this.#waiters) {
      const descent = descentOf(place.epoch, state);
      const isGone = descent ? place.sequence > descent.cut : isNewest;
      if (isGone) reject(lostPlace());
      else if (isPast(tail, place, state)) resolve();
    }
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.#waiters) reject(error);
  }
}

/** The epoch of the tail, its head, and the number of its newest frame. */
export interface TailPlace {
  readonly epoch: string;
  readonly head: number;
  readonly batch: number;
}

/** Whether the tail is at a place, or past it. @param state - with the epoch of the tail */
export function isPast(tail: TailPlace, place: AwaitedPlace, state: RemoteState): boolean {
  const descent = descentOf(place.epoch, state);
  if (!descent || place.sequence > Math.min(descent.cut, tail.head)) return false;
  // The numbers of frames do not go on in a new epoch.
  return place.batch === undefined || place.epoch !== tail.epoch || place.batch <= tail.batch;
}
