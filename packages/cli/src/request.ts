import { request as httpRequest, STATUS_CODES } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly body: string;
}

export interface Request {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
}

/** The longest answer that is read; all the servers we ask answer in a line. */
const answerCharactersMax = 1_048_576;

/**
 * One HTTP request. Not `fetch`, which refuses some ports that a server may well be on, such as 6000.
 * Rejects with Node's error, or a `TimeoutError`.
 */
export function request(url: string, { method, headers, body, timeoutMs }: Request): Promise<Answer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    const sent = send(url, { method, headers: { ...headers }, signal }, (response) => {
      const { statusCode: status = 0, statusMessage } = response;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < answerCharactersMax) text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status, statusText: statusMessage ?? STATUS_CODES[status] ?? '', body: text }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
