import { Agent, request, type ClientRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request is due at this interval, whether the earlier ones were answered or not. */
const everyMs = 20;

/** A server without other work never answers later than this. */
const recoveredMs = 200;

const body = '{"topic":"topic-0","message":1}';

/** Publishes repeatedly, alternately over kept connections and over new ones. */
export class HealthyClient {
  readonly #port: number;
  readonly #kept = new Agent({ keepAlive: true });
  readonly #timer: NodeJS.Timeout;
  #requests = 0;
  #latenciesMs: number[] = [];
  /** Start times of the requests that were not answered yet. */
  readonly #waiting = new Set<number>();
  #failed = 0;

  private constructor(port: number) {
    this.#port = port;
    this.#timer = setInterval(() => this.#publish(), everyMs);
  }

  /** Begins once the topic exists, if the system has topics. */
  static async begin(port: number): Promise<HealthyClient> {
    const declared = request({ host: '127.0.0.1', port, method: 'PUT', path: '/topics/topic-0' });
    await new Promise<void>((resolve, reject) => {
      settled(declared, (isAnswered) => (isAnswered ? resolve() : reject(new Error('There is no server.'))));
      declared.end();
    });
    return new HealthyClient(port);
  }

  /** Resolves once requests are answered in time. Forgets the earlier requests. */
  async recovered(): Promise<void> {
    for (let areLate = true; areLate;) {
      await sleep(10 * everyMs);
      areLate = this.take().latenciesMs.some((ms) => ms > recoveredMs);
    }
  }

  /** Response times of the requests since the last call, including those that still wait. */
  take(): { readonly latenciesMs: readonly number[]; readonly failed: number } {
    const now = performance.now();
    const latenciesMs = [...this.#latenciesMs, ...[...this.#waiting].map((begun) => now - begun)];
    const taken = { latenciesMs, failed: this.#failed };
    this.#latenciesMs = [];
    this.#failed = 0;
    return taken;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#kept.destroy();
  }

  #publish(): void {
    const begun = performance.now();
    this.#waiting.add(begun);
    const asked = request({
      host: '127.0.0.1',
      port: this.#port,
      method: 'POST',
      path: '/publish',
      agent: this.#requests++ % 2 === 0 ? this.#kept : false,
      headers: { 'content-type': 'application/json', 'content-length': body.length },
    });
    settled(asked, (isAnswered) => {
      if (!this.#waiting.delete(begun)) return;
      if (isAnswered) this.#latenciesMs.push(performance.now() - begun);
      else this.#failed++;
    });
    asked.end(body);
  }
}

function settled(asked: ClientRequest, onSettled: (isAnswered: boolean) => void): void {
  asked
    .once('error', () => onSettled(false))
    .once('response', (response) => {
      response
        .resume()
        .once('end', () => onSettled(true))
        .once('error', () => onSettled(false));
    });
}
