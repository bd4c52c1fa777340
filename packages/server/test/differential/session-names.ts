/** The ids of sessions and clients. They differ each time, and are compared by their order. */
export class SessionNames {
  readonly #names = new Map<string, string>();
  readonly #sessions: string[] = [];

  /** The id of a session, or one that the server cannot know. */
  at(index: number): string {
    return at(this.#sessions, index) ?? 'nobody';
  }

  inWords(text: string): string {
    const named = text.replaceAll(/(?<="sid\\?":\\?")[\w-]{20}/g, (sid) => {
      if (!this.#names.has(sid)) {
        this.#names.set(sid, `id ${this.#names.size}`);
        if (text.includes('upgrades')) this.#sessions.push(sid);
      }
      return this.#names.get(sid) ?? sid;
    });
    return named.replaceAll(/sid=([\w-]{20})/g, (_all, sid: string) => `sid=${this.#names.get(sid)}`);
  }
}

/** Counts from the last item. Beyond the first it begins anew, so that all indexes are good. */
export function at<T>(items: readonly T[], index: number): T | undefined {
  return items.at(-1 - (index % Math.max(1, items.length)));
}
