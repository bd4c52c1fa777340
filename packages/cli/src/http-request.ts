import { request as httpRequest, STATUS_CODES } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly body: string;
}

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  /** The certificates to trust, as PEM. Without them, Node's own are used. */
  readonly ca?: readonly string[] | undefined;
}

/** The longest response that is read. A page of messages can have one long message. */
const answerCharactersMax = 268_435_456;

/**
 * Sends an HTTP request. It does not use `fetch`, which refuses some ports, such as 6000.
 * Rejects with Node's error, or a `TimeoutError`.
 */
export function request(url: string, { method, headers, body, timeoutMs, ca }: Request): Promise<Answer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    const sent = send(url, { method, headers: { ...headers }, signal, ca: ca && [...ca] }, (response) => {
      const { statusCode: status = 0, statusMessage } = response;
      const pieces: string[] = [];
      let characters = 0;
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        characters += piece.length;
        if (characters > answerCharactersMax) response.destroy(new Error('the answer is too long'));
        else pieces.push(piece);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status, statusText: statusMessage ?? STATUS_CODES[status] ?? '', body: pieces.join('') }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
