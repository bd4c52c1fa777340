import { found, fine, skipped, type Check, type Found } from './check.ts';
import type { Deployment } from './deployment.ts';
import { probe, requestLine, seen } from './http-probe.ts';

/** How long the first event can take. The server sends it at once. */
const promptMs = 3_000;

/** A pattern makes no topic exist. */
const pattern = 'fanfare-doctor/**';

/** Do the events of a stream (Server-Sent Events) arrive when the server sends them? */
export const eventStream: Check = {
  name: 'streams',
  async run(deployment) {
    if (!deployment.isFanfare) return skipped('only Fanfare has them');
    const plain = await read(deployment, {});
    if (plain.kind === 'refused') return skipped(plain.saw);
    if (plain.kind === 'late') return found('stream_buffered', plain.tried, plain.saw);
    const compressed = await read(deployment, { 'accept-encoding': 'gzip' });
    if (compressed.kind === 'late') return found('stream_compressed', compressed.tried, compressed.saw);
    return fine(`the first event after ${Math.ceil(plain.elapsedMs)} ms`);
  },
};

type Reading =
  | { readonly kind: 'prompt'; readonly elapsedMs: number }
  | { readonly kind: 'refused'; readonly saw: string }
  | ({ readonly kind: 'late' } & Pick<Found, 'tried' | 'saw'>);

async function read({ target }: Deployment, more: Readonly<Record<string, string>>): Promise<Reading> {
  const url = `${target.name}/messages?topic=${pattern}`;
  const headers = {
    accept: 'text/event-stream',
    ...more,
    ...(target.token !== undefined && { authorization: `Bearer ${target.token}` }),
  };
  const asked = Object.keys(more).length > 0 ? ' and Accept-Encoding: gzip' : '';
  const tried = `${requestLine(url)} with Accept: text/event-stream${asked}`;
  try {
    const isEnough = (body: string): boolean => body.includes('event: subscribed');
    const answer = await probe(target, url, { headers, isEnough, timeoutMs: promptMs });
    if (answer.status !== 200) return { kind: 'refused', saw: seen(answer) };
    if (isEnough(answer.body)) return { kind: 'prompt', elapsedMs: answer.elapsedMs };
    return { kind: 'late', tried, saw: 'HTTP 200, and no event within 3 s' };
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') throw error;
    return { kind: 'late', tried, saw: 'no response within 3 s' };
  }
}
