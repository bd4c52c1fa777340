import type {
  ConnectionDetails,
  ConnectionPage,
  HistoryPage,
  IdentityInfo,
  Stats,
  SubscriberPage,
  TopicDetails,
  TopicPage,
} from '@fanfare/protocol';

/** Why a request failed. `status` is 0 if there was no response. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** A response as it was received. */
export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

type Query = Readonly<Record<string, string | number | undefined>>;

const requestTimeoutMs = 15_000;

/** The public HTTP API of the server that has served the page. */
export class Api {
  readonly #base: URL;
  readonly #token: string | undefined;
  readonly #onRefused: (error: ApiError) => void;

  /** @param onRefused - called when the server no longer accepts the token; the request fails too */
  constructor(base: URL, token: string | undefined, onRefused: (error: ApiError) => void) {
    this.#base = base;
    this.#token = token;
    this.#onRefused = onRefused;
  }

  identity(): Promise<IdentityInfo> {
    return this.#get('identity');
  }

  stats(): Promise<Stats> {
    return this.#get('stats');
  }

  topics(query: {
    readonly prefix?: string;
    readonly cursor?: string | undefined;
    readonly limit?: number;
  }): Promise<TopicPage> {
    return this.#get('topics', query);
  }

  topic(topic: string): Promise<TopicDetails> {
    return this.#get('topic', { topic });
  }

  async declare(topic: string): Promise<void> {
    await this.#send('PUT', pathOf(topic));
  }

  async delete(topic: string): Promise<void> {
    await this.#send('DELETE', pathOf(topic));
  }

  subscribers(topic: string, limit: number): Promise<SubscriberPage> {
    return this.#get('subscribers', { topic, limit });
  }

  messages(topic: string, query: Query): Promise<HistoryPage> {
    return this.#get('messages', { topic, ...query });
  }

  connections(query: {
    readonly cursor?: string | undefined;
    readonly limit: number;
  }): Promise<ConnectionPage> {
    return this.#get('connections', query);
  }

  connection(id: string): Promise<ConnectionDetails> {
    return this.#get(`connections/${encodeURIComponent(id)}`);
  }

  async disconnect(id: string): Promise<void> {
    await this.#send('DELETE', `connections/${encodeURIComponent(id)}`);
  }

  /** Publishes a body unchanged. A refusal is returned like any other response, because the page shows it. */
  async publish(body: string, accept: string): Promise<Answer> {
    const headers = { 'content-type': 'application/json', accept };
    return this.#request('POST', 'publish', { headers, body });
  }

  async #get<T>(path: string, query: Query = {}): Promise<T> {
    const pairs = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    const search = new URLSearchParams(pairs).toString();
    const { status, text } = await this.#send('GET', search === '' ? path : `${path}?${search}`);
    try {
      // The page comes from this server, so responses have the documented shape.
      return JSON.parse(text) as T;
    } catch {
      throw new ApiError(status, 'unknown', 'The response is not from a Fanfare server.');
    }
  }

  /** @throws ApiError when the answer is a refusal */
  async #send(method: string, path: string): Promise<Answer> {
    const answer = await this.#request(method, path, { headers: { accept: 'application/json' } });
    if (answer.ok) return answer;
    throw errorOf(answer);
  }

  async #request(
    method: string,
    path: string,
    { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body?: string },
  ): Promise<Answer> {
    const authorization = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL(path, this.#base), {
        method,
        headers: { ...headers, ...authorization },
        ...(body !== undefined && { body }),
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      text = await response.text();
    } catch {
      throw new ApiError(0, 'unreachable', 'The server did not respond.');
    }
    const { ok, status } = response;
    const answer = { ok, status, type: response.headers.get('content-type') ?? '', text };
    if (status === 401) this.#onRefused(errorOf(answer));
    return answer;
  }
}

/** The error of a response. It may come from a proxy, and not have the shape of Fanfare's errors. */
export function errorOf({ status, text }: Answer): ApiError {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    if (typeof code === 'string' && typeof detail === 'string') return new ApiError(status, code, detail);
  } catch {
    // The response is not one of Fanfare: the error below says so.
  }
  return new ApiError(status, 'unknown', `The server responded with status ${status}.`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'Something went wrong.';
}

function pathOf(topic: string): string {
  return `topic?topic=${encodeURIComponent(topic)}`;
}
