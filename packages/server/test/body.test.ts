import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { BodyRoom, readJsonBody, readLinesBody } from '../src/http/body.ts';
import { heapBytes } from './heap.ts';

const limits = { publishBytesMax: 1_000_000, batchBytesMax: 1_000_000 };

it.each([readJsonBody, readLinesBody])(
  'a body that comes one byte at a time takes little more than its bytes, and is whole: $name',
  async (read) => {
    const request = Object.assign(new EventEmitter(), { headers: {} });
    const reading = read(request as unknown as IncomingMessage, limits, new BodyRoom(limits));
    const body = `[${Array.from({ length: 300_000 }, (_, at) => at % 10).join('')}]`;
    const before = heapBytes();
    for (const character of body) request.emit('data', Buffer.from(character));
    expect(heapBytes() - before).toBeLessThan(4_000_000);
    request.emit('end');
    expect((await reading).text).toBe(body);
  },
);
