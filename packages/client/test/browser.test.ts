import type { Browser, Page } from 'playwright-core';
import type * as Client from '@fanfare/client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { soonMs, within } from '../../../test/waits.ts';
import { launchBrowser } from '../../server/test/browser.ts';
import { BreakableNetwork, eventually, numbers, publish, startServer } from './harness.ts';

/** What the scripts below find on the page. */
declare const Fanfare: typeof Client;
declare const window: { seen: unknown[]; fanfare: Client.Fanfare };
declare const localStorage: Client.PositionStorage;

describe('the SDK as a script of a page', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  /** A page of the server, with the SDK that the server ships. */
  async function open(url: string): Promise<Page> {
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(url);
    await page.addScriptTag({ url: `${url}/fanfare.js` });
    return page;
  }

  it('the SDK as a script of a page says why a page of another origin is refused, which that page may not read', async () => {
    const { url } = await startServer({ memory: true });
    const { url: elsewhere } = await startServer({ memory: true });
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    // The policy of the page at / lets it connect to no other server.
    await page.goto(`${elsewhere}/topics`);
    await page.addScriptTag({ url: `${elsewhere}/fanfare.js` });
    const error = async (): Promise<unknown> =>
      page.evaluate(() => {
        const { error: reason } = window.fanfare.status;
        return reason && { ...reason, message: reason.message };
      });
    await page.evaluate((server) => void (window.fanfare = Fanfare.connect(server)), url);
    await eventually(error).toMatchObject({
      code: 'not_authorized',
      message: `The server ${url} refuses pages from ${elsewhere}. Add this origin to its setting \`origins\`.`,
    });
  });

  it('the SDK as a script of a page subscribes and publishes, and goes on after a reload where it was', async () => {
    const { server, url } = await startServer({ memory: true });
    const page = await open(url);
    const start = async (): Promise<void> =>
      page.evaluate(async () => {
        window.seen = [];
        window.fanfare = Fanfare.connect();
        const options = { from: 'earliest', storage: localStorage };
        const listen = ({ message }: Client.Envelope): unknown => window.seen.push(message);
        await window.fanfare.subscribe('news/*', options, listen).ready;
      });
    const seen = async (): Promise<unknown[]> => page.evaluate(() => window.seen);
    await start();
    expect(await page.evaluate(async () => window.fanfare.publish('news/a', 0))).toMatchObject({
      topic: 'news/a',
      stored: 'memory',
    });
    for (const n of numbers(1, 20)) await server.publish('news/a', n);
    await eventually(seen).toEqual(numbers(0, 20));
    await page.reload();
    await page.addScriptTag({ url: `${url}/fanfare.js` });
    for (const n of numbers(20, 40)) await server.publish('news/a', n);
    await start();
    await server.publish('news/a', 40);
    await eventually(seen).toEqual(numbers(20, 41));
    const read = page.evaluate(async () => {
      const messages = [];
      // test/waits.ts is not in the browser: `within` bounds the whole evaluation.
      for await (const { message } of window.fanfare.history('news/a', { from: { last: 2 } }))
        messages.push(message);
      return messages;
    });
    expect(await within(soonMs, 'the browser reads the history', read)).toEqual([39, 40]);
  });

  it('the SDK as a script of a page loses nothing over lost connections, in order, whatever the transport', async () => {
    const { url } = await startServer({ memory: true });
    const network = await BreakableNetwork.to(url);
    const page = await open(network.url);
    await page.evaluate(async () => {
      window.seen = [];
      window.fanfare = Fanfare.connect();
      await window.fanfare.subscribe('news', ({ message }) => window.seen.push(message)).ready;
    });
    const state = async (): Promise<string> => page.evaluate(() => window.fanfare.status.state);
    let count = 0;
    for (let cut = 0; cut < 2; cut++) {
      network.cut();
      await eventually(state).toBe('lost');
      await publish(
        url,
        numbers(count, (count += 3_000)).map((n) => ({ topic: 'news', message: n })),
      );
      network.mend();
      await eventually(async () => page.evaluate(() => window.seen.length)).toBe(count);
    }
    expect(await page.evaluate(() => window.seen)).toEqual(numbers(0, count));
  });
});
