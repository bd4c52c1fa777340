import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../browser.ts';
import { connectClient, startServer } from '../harness.ts';
import { declare } from '../http-tools.ts';
import { openConsole } from './page.ts';

describe('the overview', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('the console first shows the overview if there are topics, with the rates of publishes and deliveries', async () => {
    const { url, server } = await startServer();
    await declare(url, 'orders');
    for (const client of [await connectClient(url), await connectClient(url)]) {
      await client.emitWithAck('subscribe', { topic: 'orders' });
    }
    const timer = setInterval(() => void server.publish('orders', 1), 20);
    try {
      const page = await openConsole(browser, url);
      await page.getByRole('heading', { name: 'Overview' }).waitFor();
      const figure = async (title: string): Promise<number> => {
        const card = page.getByRole('region', { name: title, exact: true });
        return Number.parseFloat((await card.locator('.figure').textContent()) ?? '');
      };
      await expect.poll(() => figure('Publishes per second')).toBeGreaterThan(10);
      const [publishes, deliveries] = [
        await figure('Publishes per second'),
        await figure('Deliveries per second'),
      ];
      // There are two subscribers, but the two figures may be from consecutive seconds.
      expect(deliveries / publishes).toBeGreaterThan(1.2);
      expect(await figure('Connections')).toBe(3);
      expect(await figure('Topics')).toBe(1);
      expect(await page.locator('canvas').count()).toBe(7);
      const chart = page.getByRole('img', {
        name: /^Publishes per second, over the last 15 minutes; now \d/,
      });
      await chart.waitFor();
    } finally {
      clearInterval(timer);
    }
  });

  it('the overview reports a problem in words, and its end', async () => {
    const { url } = await startServer();
    await declare(url, 'orders');
    const page = await openConsole(browser, url, { route: 'overview' });
    await page.getByText('All is well.').waitFor();
    // The server runs in this process, so this loop blocks it.
    const timer = setInterval(() => {
      const end = performance.now() + 120;
      while (performance.now() < end);
    }, 150);
    try {
      await page.getByText(/^The event-loop delay is \d+ ms/).waitFor();
    } finally {
      clearInterval(timer);
    }
    await page.getByText('All is well.').waitFor();
  });

  it('the overview continues its charts while another page is shown', async () => {
    const { url } = await startServer();
    await declare(url, 'orders');
    const page = await openConsole(browser, url, { route: 'overview' });
    await page.locator('canvas').first().waitFor();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.getByRole('link', { name: 'Topics' }).click();
    await expect.poll(() => asked.filter((path) => path === '/stats').length).toBeGreaterThan(1);
  });
});
