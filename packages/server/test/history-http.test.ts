import type { HistoryPage } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { until } from '../../../test/waits.ts';
import { bearer, secret } from './access/tokens.ts';
import { publish, startServer } from './harness.ts';
import { declare, readPage, temporaryDirectory, topicUrl } from './http-tools.ts';

/** Publishes numbers from 1 on to a topic, and returns their offsets. */
async function publishNumbers(url: string, topic: string, count: number): Promise<string[]> {
  await declare(url, topic);
  const messages = Array.from({ length: count }, (_, at) => ({ topic, message: at + 1 }));
  const { text } = await publish(url, messages);
  return (JSON.parse(text) as { offset: string }[]).map(({ offset }) => offset);
}

describe('the messages of a topic', () => {
  it('the messages of a topic come in pages, and each page says where the next one starts', async () => {
    const { url } = await startServer();
    const offsets = await publishNumbers(url, 'news', 250);
    const first = await readPage(url, 'news');
    expect(first).toMatchObject({ next: offsets[99], more: true });
    expect(first).not.toHaveProperty('recovered');
    const second = await readPage(url, 'news', `?from=${first.next}&limit=150`);
    expect(second).toMatchObject({ next: offsets[249], more: false, recovered: true });
    expect([...first.messages, ...second.messages].map(({ message }) => message)).toEqual(
      Array.from({ length: 250 }, (_, at) => at + 1),
    );
    expect(second.messages[0]).toEqual({
      topic: 'news',
      message: 101,
      offset: offsets[100],
      time: expect.any(Number) as number,
    });
    const end = await readPage(url, 'news', `?from=${second.next}`);
    expect(end).toEqual({ messages: [], next: second.next, more: false, recovered: true });
    await publish(url, { topic: 'news', message: 'later' });
    expect((await readPage(url, 'news', `?from=${end.next}`)).messages).toMatchObject([{ message: 'later' }]);
  });

  it('the messages of a topic start at the requested position', async () => {
    let now = 1_000_000;
    const { url } = await startServer({ now: () => now });
    await publishNumbers(url, 'news', 3);
    now += 1_000;
    await publish(url, { topic: 'news', message: 4 });
    const numbers = async (query: string): Promise<unknown[]> =>
      (await readPage(url, 'news', query)).messages.map(({ message }) => message);
    expect(await numbers('?from=earliest')).toEqual([1, 2, 3, 4]);
    expect(await numbers('?from=new')).toEqual([]);
    expect(await numbers('?from=last')).toEqual([4]);
    expect(await numbers('?last=2')).toEqual([3, 4]);
    expect(await numbers('?last=0')).toEqual([]);
    expect(await numbers('?last=99')).toEqual([1, 2, 3, 4]);
    expect(await numbers('?time=1000001')).toEqual([4]);
    expect(await numbers('?time=0&limit=2')).toEqual([1, 2]);
    expect(await numbers('?time=1001001')).toEqual([]);
  });

  it.each([true, false])(
    'the messages of a topic come in pages backward too, kept in memory: %s',
    async (memory) => {
      const { url } = await startServer(memory ? {} : { data: await temporaryDirectory() });
      await declare(url, 'other');
      const offsets: string[] = [];
      for (let count = 0; count < 5; count++) {
        await publish(url, { topic: 'other', message: 'between' });
        offsets.push(...(await publishNumbers(url, 'news', 7)));
      }
      const [newest] = (await readPage(url, 'news', '?last=1')).messages;
      expect(newest?.offset).toBe(offsets.at(-1));
      const found: (string | undefined)[] = [];
      let before = offsets.at(-1) ?? '';
      let more = true;
      const readBack = async (): Promise<void> => {
        const page = await readPage(url, 'news', `?before=${before}&limit=8`);
        expect(page.messages.length).toBeGreaterThan(0);
        expect(page.messages[0]).toEqual({
          topic: 'news',
          message: (offsets.indexOf(page.next) % 7) + 1,
          offset: page.next,
          time: expect.any(Number) as number,
        });
        found.unshift(...page.messages.map(({ offset }) => offset));
        ({ more, next: before } = page);
      };
      await until('the first page is read', () => !more, { step: readBack, soFar: () => found });
      expect(found).toEqual(offsets.slice(0, -1));
      expect(before).toBe(offsets[0]);
      expect(await readPage(url, 'news', `?before=${before}`)).toEqual({
        messages: [],
        next: before,
        more: false,
      });
      // The limit is exactly the number of messages, so `more` is false.
      expect(await readPage(url, 'news', `?before=${offsets[8]}&limit=8`)).toMatchObject({ more: false });
      expect(await readPage(url, 'news', `?before=${offsets[8]}&limit=7`)).toMatchObject({ more: true });
    },
  );

  it('reading backward ends at the oldest kept message, and finds nothing before an offset of another log', async () => {
    const { url } = await startServer({ rules: [{ match: 'few', keep: { count: 3 } }] });
    const offsets = await publishNumbers(url, 'few', 9);
    const page = await readPage(url, 'few', `?before=${offsets[8]}`);
    expect(page.messages.map(({ message }) => message)).toEqual([7, 8]);
    expect(page.more).toBe(false);
    expect((await readPage(url, 'few', `?before=${offsets[3]}`)).messages).toEqual([]);
    const [epoch] = (offsets[0] ?? '').split('.');
    expect((await readPage(url, 'few', `?before=${epoch}.99999`)).messages).toHaveLength(3);
    expect(await readPage(url, 'few', '?before=other.99')).toEqual({
      messages: [],
      next: 'other.99',
      more: false,
    });
  });

  it('reading backward returns pages of at most 4 MiB, the newest messages first', async () => {
    const { url } = await startServer();
    await declare(url, 'large');
    const text = 'x'.repeat(1_000_000);
    for (let message = 0; message < 6; message++)
      await publish(url, { topic: 'large', message: [message, text] });
    const [last] = (await readPage(url, 'large', '?last=1')).messages;
    const numbers = ({ messages }: HistoryPage): number[] =>
      messages.map(({ message }) => (message as [number])[0]);
    const page = await readPage(url, 'large', `?before=${last?.offset}`);
    expect([numbers(page), page.more]).toEqual([[1, 2, 3, 4], true]);
    const rest = await readPage(url, 'large', `?before=${page.next}`);
    expect([numbers(rest), rest.more]).toEqual([[0], false]);
  });

  it.each([
    ['news', 'before=x'],
    ['news', 'before='],
    ['news', 'before=e.1&before=e.1'],
    ['news', 'before=e.1&from=earliest'],
    ['news', 'before=e.1&last=1'],
    ['news', 'before=e.1&time=1'],
    ['news/*', 'before=e.1'],
  ])(
    'a request for the messages of %s is refused, and the wrong field is named: %s',
    async (topic, query) => {
      const { url } = await startServer();
      await declare(url, 'news');
      const response = await fetch(topicUrl(url, topic, `/messages?${query}`));
      expect([response.status, await response.json()]).toMatchObject([
        400,
        { code: 'bad_request', errors: [{ field: 'before' }] },
      ]);
      const stream = await fetch(topicUrl(url, 'news', '/messages?before=e.1'), {
        headers: { accept: 'text/event-stream' },
      });
      expect([stream.status, await stream.json()]).toMatchObject([400, { errors: [{ field: 'before' }] }]);
    },
  );

  it('reading backward needs an existing topic and the right to read it', async () => {
    const { url } = await startServer({ key: secret });
    const ask = async (topic: string): Promise<unknown> => {
      const headers = await bearer({ subscribe: ['mine'] });
      const response = await fetch(topicUrl(url, topic, '/messages?before=e.1'), { headers });
      return ((await response.json()) as { code: string }).code;
    };
    expect([await ask('mine'), await ask('theirs')]).toEqual(['topic_not_found', 'not_authorized']);
  });

  it('the messages of a pattern come together, in the order of the log', async () => {
    const { url } = await startServer();
    for (const topic of ['a/x', 'a/y', 'b']) await declare(url, topic);
    const all = [1, 2, 3, 4, 5, 6].map((message) => ({ topic: ['a/x', 'b', 'a/y'][message % 3], message }));
    await publish(url, all);
    const page = await readPage(url, 'a/*');
    expect(page.messages.map(({ topic, message }) => [topic, message])).toEqual([
      ['a/y', 2],
      ['a/x', 3],
      ['a/y', 5],
      ['a/x', 6],
    ]);
    expect((await readPage(url, '**', '?limit=4')).messages).toHaveLength(4);
    expect((await readPage(url, 'nothing/**')).messages).toEqual([]);
  });

  it('a page of messages says that messages are missing when some were dropped', async () => {
    const { url } = await startServer({
      rules: [
        { match: 'few', keep: { count: 3 } },
        { match: 'none', keep: 'none' },
      ],
    });
    const offsets = await publishNumbers(url, 'few', 3);
    await publish(
      url,
      [4, 5, 6, 7].map((message) => ({ topic: 'few', message })),
    );
    const page = await readPage(url, 'few', `?from=${offsets[0]}`);
    expect(page.recovered).toBe(false);
    expect(page.messages.map(({ message }) => message)).toEqual([5, 6, 7]);
    expect((await readPage(url, 'few', `?from=${page.next}`)).recovered).toBe(true);
    expect((await readPage(url, 'few', '?from=other.1')).recovered).toBe(false);
    await declare(url, 'none');
    await publish(url, { topic: 'none', message: 1 });
    expect(await readPage(url, 'none', `?from=${page.next}`)).toMatchObject({
      messages: [],
      recovered: false,
    });
  });

  it('messages in a page are the same as published, character for character', async () => {
    const { url } = await startServer();
    await declare(url, 'news');
    await publish(url, '{"topic":"news","message":{"a":1.0,"b":12345678901234567890},"id":"\\u00e9"}');
    const text = await (await fetch(topicUrl(url, 'news', '/messages'))).text();
    expect(text).toMatch(
      /^\{"messages":\[\{"topic":"news","message":\{"a":1\.0,"b":12345678901234567890\},"offset":"[^"]+","time":\d+,"id":"é"\}\],"next":"[^"]+","more":false\}$/,
    );
  });

  it.each([
    ['from=nonsense', 'from'],
    ['from=', 'from'],
    ['from=%ff', 'from'],
    ['from=a.1&from=a.2', 'from'],
    ['from=new&last=1', 'last'],
    ['from=new&time=1', 'time'],
    ['last=1&time=1', 'last'],
    ['last=x', 'last'],
    ['last=-1', 'last'],
    ['last=99999999999999999', 'last'],
    ['time=1e3', 'time'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
  ])(
    'a request for messages with a wrong parameter is refused, and the parameter is named: %s',
    async (query, field) => {
      const { url } = await startServer();
      await declare(url, 'news');
      const response = await fetch(topicUrl(url, 'news', `/messages?${query}`));
      expect([response.status, await response.json()]).toMatchObject([
        400,
        { code: 'bad_request', errors: [{ field }] },
      ]);
      if (field === 'limit') return;
      const accept = { accept: 'text/event-stream' };
      const stream = await fetch(topicUrl(url, 'news', `/messages?${query}`), { headers: accept });
      expect([stream.status, await stream.json()]).toMatchObject([
        400,
        { code: 'bad_request', errors: [{ field }] },
      ]);
    },
  );

  it('the messages of a topic that does not exist get 404', async () => {
    const { url } = await startServer();
    for (const accept of ['*/*', 'text/event-stream']) {
      const response = await fetch(topicUrl(url, 'nowhere', '/messages'), { headers: { accept } });
      expect([response.status, await response.json()]).toMatchObject([404, { code: 'topic_not_found' }]);
      // The requests have not created the topics either.
      expect((await fetch(topicUrl(url, 'nowhere'))).status).toBe(404);
    }
  });
});
