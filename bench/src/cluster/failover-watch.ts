import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, cutFrames } from '../wire/connection.ts';
import { askRedis, command, elementEnd } from '../wire/redis.ts';

const askEveryMs = 5;

/** Watches a replica and the sentinels while the primary is replaced. */
export class FailoverWatch {
  /** When the replica said for the first time that it is a primary. */
  promotedMs: number | undefined;
  /** When the first sentinel announced the new primary. */
  announcedMs: number | undefined;
  readonly #sentinels: readonly Connection[];
  #isClosed = false;

  constructor(replicaPort: number, sentinelPorts: readonly number[]) {
    this.#sentinels = sentinelPorts.map((port) => this.#listen(port));
    void this.#ask(replicaPort);
  }

  close(): void {
    this.#isClosed = true;
    for (const sentinel of this.#sentinels) sentinel.close();
  }

  #listen(port: number): Connection {
    const take = cutFrames(elementEnd, (bytes, start, end) => {
      const isAnnouncement = bytes.toString('latin1', start, end).startsWith('*3\r\n$7\r\nmessage');
      if (isAnnouncement) this.announcedMs ??= performance.now();
    });
    const sentinel = new Connection(port, take, () => {});
    sentinel.write(command('SUBSCRIBE', '+switch-master'));
    return sentinel;
  }

  async #ask(port: number): Promise<void> {
    while (!this.#isClosed && this.promotedMs === undefined) {
      // Each time over a new connection, because Sentinel ends all connections of what it promotes.
      const reply = await askRedis(port, 'INFO', 'replication').catch(() => '');
      if (reply.includes('role:master')) this.promotedMs = performance.now();
      await sleep(askEveryMs);
    }
  }
}
