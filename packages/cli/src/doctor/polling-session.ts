import type { Deployment } from './deployment.ts';
import { packetsOf, readOpening, type Opening } from './engine-packets.ts';
import { answerMs, probe, requestLine, seen, type ProbeAnswer } from './http-probe.ts';

/** A server did not respond to a request of a session as Engine.IO does. */
export class PollingError extends Error {
  readonly tried: string;
  readonly answer: ProbeAnswer;

  constructor(tried: string, answer: ProbeAnswer) {
    super(seen(answer));
    this.name = 'PollingError';
    this.tried = tried;
    this.answer = answer;
  }
}

/** A session over polling. Each request has a connection of its own, and the cookies that a browser sends. */
export class PollingSession {
  readonly opening: Opening;
  readonly #deployment: Deployment;
  readonly #headers: Record<string, string>;
  #received: string[];

  /** @throws PollingError */
  static async open(
    deployment: Deployment,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<PollingSession> {
    const url = deployment.socketUrl('polling');
    const answer = await probe(deployment.target, url, { headers });
    const opening = answer.status === 200 ? readOpening(answer.body) : undefined;
    if (!opening) throw new PollingError(requestLine(url), answer);
    return new PollingSession(deployment, opening, headers, answer);
  }

  private constructor(
    deployment: Deployment,
    opening: Opening,
    headers: Readonly<Record<string, string>>,
    answer: ProbeAnswer,
  ) {
    const cookie = answer.valuesOf('set-cookie').map((one) => one.split(';', 1)[0]);
    this.#deployment = deployment;
    this.opening = opening;
    this.#headers = { ...headers, ...(cookie.length > 0 && { cookie: cookie.join('; ') }) };
    this.#received = packetsOf(answer.body).slice(1);
  }

  get hasCookie(): boolean {
    return this.#headers['cookie'] !== undefined;
  }

  /** The headers of each request, for the websocket of this session. */
  get headers(): Readonly<Record<string, string>> {
    return this.#headers;
  }

  /** @throws PollingError */
  async send(packet: string): Promise<void> {
    const url = this.#url();
    const answer = await probe(this.#deployment.target, url, {
      method: 'POST',
      headers: { ...this.#headers, 'content-type': 'text/plain;charset=UTF-8' },
      body: packet,
    });
    if (answer.status !== 200) throw new PollingError(requestLine(url, 'POST'), answer);
  }

  /** The next packet. @throws PollingError */
  async next(timeoutMs: number = answerMs): Promise<string> {
    const ready = this.#received.shift();
    if (ready !== undefined) return ready;
    const url = this.#url();
    const answer = await probe(this.#deployment.target, url, { headers: this.#headers, timeoutMs });
    if (answer.status !== 200) throw new PollingError(requestLine(url), answer);
    this.#received = [...packetsOf(answer.body)];
    return this.#received.shift() ?? '';
  }

  /** Ends the session, so that the server need not wait for its next request. */
  async close(): Promise<void> {
    await this.send('1').catch(() => {});
  }

  #url(): string {
    return this.#deployment.socketUrl('polling', { sid: this.opening.sid });
  }
}
