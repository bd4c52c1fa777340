import { ContentError } from '../load/checker.ts';

export const markerTopic = 'marker';

/**
 * Checks that the follower has the whole log. Some messages of the load go to the topic of the markers, and a
 * client of the follower subscribes to it. It must get each marker, at the place that the publisher was told.
 * If the follower missed messages or jumped to the head, its live subscriptions get an event for that.
 */
export class Markers {
  /** The place of each marker whose publish was answered. */
  readonly #published: number[] = [];
  readonly #received: number[] = [];
  #isLive = false;

  published(sequence: number): void {
    this.#published.push(sequence);
  }

  /**
   * @param event - a Socket.IO packet of the subscriber
   * @throws ContentError
   */
  received(event: string): void {
    if (!this.#isLive && event.startsWith(`42["state",{"topic":"${markerTopic}","state":"live"`)) {
      this.#isLive = true;
      return;
    }
    const sequence = /^42\["message",\{"topic":"marker",.*"offset":"[^".]+\.(\d+)"/.exec(event)?.[1];
    if (sequence === undefined) throw new ContentError(`The follower's subscriber got ${event}.`);
    const last = this.#received.at(-1) ?? 0;
    if (Number(sequence) <= last)
      throw new ContentError(`The follower delivered the place ${sequence} after ${last}.`);
    this.#received.push(Number(sequence));
  }

  /** Whether the follower has delivered all that were published. */
  get areComplete(): boolean {
    return this.#received.length === this.#published.length;
  }

  /**
   * Compares the places.
   *
   * @throws ContentError
   */
  check(): void {
    // Answers to publishes over several connections have no order.
    const published = this.#published.toSorted((a, b) => a - b);
    const wrong = published.findIndex((sequence, at) => sequence !== this.#received[at]);
    if (wrong === -1 && this.areComplete) return;
    throw new ContentError(
      `The follower delivered ${this.#received.length} of ${published.length} markers, ` +
        `and not the one at the place ${published[wrong]}.`,
    );
  }
}
