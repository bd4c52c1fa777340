import type { IncomingMessage, ServerResponse } from 'node:http';

/** A publish, over HTTP or Socket.IO. */
export interface Publish {
  readonly topic: string;
  readonly message: unknown;
}

/** The same time for which Fanfare keeps an idle connection. */
export const keepAliveTimeoutMs = 72_000;

/** Responds to `POST /publish` like Fanfare, after a call of `publish` with the JSON body. */
export function answerPublish(
  request: IncomingMessage,
  response: ServerResponse,
  publish: (publish: Publish) => void,
): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const isPublish = request.method === 'POST' && request.url === '/publish';
    const body = isPublish ? parsePublish(Buffer.concat(chunks).toString('utf8')) : undefined;
    if (body) publish(body);
    const text = body ? `Message published to topic '${body.topic}'` : 'Bad request';
    response
      .writeHead(body ? 200 : 400, {
        'content-type': 'text/plain; charset=utf-8',
        'content-length': Buffer.byteLength(text),
      })
      .end(text);
  });
}

function parsePublish(json: string): Publish | undefined {
  try {
    const body: unknown = JSON.parse(json);
    if (typeof body !== 'object' || body === null || !('topic' in body) || !('message' in body))
      return undefined;
    const { topic, message } = body;
    return typeof topic === 'string' ? { topic, message } : undefined;
  } catch {
    return undefined;
  }
}
