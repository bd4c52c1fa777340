import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../../bench/src/free-port.ts';
import { launchBrowser } from '../browser.ts';
import { publish, startServer } from '../harness.ts';
import { openConsole } from './page.ts';

describe('the page Try it', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  const open = (url: string): Promise<Page> =>
    openConsole(browser, url, { expected: /status of 404|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET/ });

  it('the page Try it lets a newcomer subscribe and publish, and shows both', async () => {
    const { url } = await startServer();
    const page = await open(url);

    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await page
      .getByText("Topic 'news' does not exist: no client has subscribed to it yet (HTTP 404)")
      .waitFor();
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
    await page.getByRole('button', { name: 'Unsubscribe from news' }).waitFor();
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await page.getByText("Message published to topic 'news'").waitFor();
    await page.locator('#messages').getByText('hello').waitFor();

    await page.getByRole('button', { name: 'Unsubscribe from news' }).click();
    await expect.poll(() => page.locator('#subscriptions li').count()).toBe(0);
    expect(await page.locator('#messages li').count()).toBe(1);
  });

  it('the page Try it shows messages of other programs, and JSON as JSON', async () => {
    const { url } = await startServer();
    const page = await open(url);
    await page.locator('#subscribe').getByLabel('Topic').fill('connect');
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
    await page.getByRole('button', { name: 'Unsubscribe from connect' }).waitFor();
    await publish(url, { topic: 'connect', message: { a: [1] } });
    await page.locator('#messages pre').waitFor();
    expect(JSON.parse((await page.locator('#messages pre').textContent()) ?? '')).toEqual({ a: [1] });
  });

  it('the page Try it says why a subscribe is refused, and which message is not JSON', async () => {
    const { url } = await startServer();
    const page = await open(url);
    await page.locator('#subscribe').getByLabel('Topic').fill('$x');
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
    // Proves: the page shows both sentences; `waitFor` fails when it does not.
    await page.getByText("The topic must not begin with '$'").waitFor();
    await page.getByLabel('Message is JSON').check();
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await page.getByText('The message is not JSON.').waitFor();
  });

  it('the page Try it shows topics and messages as text, whatever they contain', async () => {
    const { url } = await startServer();
    const page = await open(url);
    const attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    await page.locator('#subscribe').getByLabel('Topic').fill(attack);
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
    await page.locator('#subscriptions li').waitFor();
    await publish(url, { topic: attack, message: attack });
    await publish(url, { topic: attack, message: { [attack]: attack } });
    await expect.poll(() => page.locator('#messages li').count()).toBe(2);
    expect(await page.locator('#messages pre').last().textContent()).toBe(attack);
    expect(await page.locator('#console img, #console script').count()).toBe(0);
    expect(await page.title()).toBe('Try it · Fanfare');
  });

  it('the page Try it shows a lost connection, and continues when the server is back', async () => {
    const port = await freePort();
    const first = await startServer({ port });
    const page = await open(first.url);
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
    await page.getByRole('button', { name: 'Unsubscribe from news' }).waitFor();
    await first.server.stop();
    await page.locator('#connection[data-state=lost]').waitFor();
    const { server } = await startServer({ port });
    await page.getByText('Connected', { exact: true }).waitFor();
    await expect
      .poll(() => server.publish('news', 'back').catch(() => undefined))
      .toMatchObject({ ok: true });
    await page.locator('#messages').getByText('back').first().waitFor();
  });
});
