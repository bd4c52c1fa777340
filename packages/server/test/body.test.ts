import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { bodyBudget, readJsonBody, readLinesBody, type PublishBody } from '../src/http/body.ts';
import { heapBytes } from './heap.ts';

const limits = { publishBytesMax: 1_000_000, batchBytesMax: 1_000_000 };
const text = `[${Array.from({ length: 900_000 }, (_, at) => at % 10).join('')}]`;

describe.each([readJsonBody, readLinesBody])('a body that arrives in small pieces: $name', (read) => {
  function begin(): { readonly request: EventEmitter; readonly body: Promise<PublishBody> } {
    const request = Object.assign(new EventEmitter(), { headers: {} });
    return {
      request,
      body: read(request as unknown as IncomingMessage, limits, bodyBudget(limits), () => {}),
    };
  }

  it('a body in small pieces takes little more memory than its bytes, and is complete', async () => {
    const { request, body } = begin();
    const before = heapBytes();
    for (let at = 0; at < text.length; at += 16) request.emit('data', Buffer.from(text.slice(at, at + 16)));
    expect(heapBytes() - before).toBeLessThan(4_000_000);
    request.emit('end');
    expect((await body).text).toBe(text);
  });

  it('a body of many pieces of a few bytes is refused', async () => {
    const { request, body } = begin();
    const refusal = expect(body).rejects.toMatchObject({ code: 'bad_request' });
    let pieces = 0;
    for (; request.listenerCount('data') > 0; pieces++) request.emit('data', Buffer.from(' '));
    await refusal;
    expect(pieces).toBeGreaterThan(1_000);
    expect(pieces).toBeLessThan(2_000);
  });
});
