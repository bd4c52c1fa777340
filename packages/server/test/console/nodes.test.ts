import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser } from '../browser.ts';
import { connectClient, startServer } from '../harness.ts';
import { RedisServer } from '../redis/redis-server.ts';
import { openConsole } from './page.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

it('the console shows all nodes, and the node of each connection', async () => {
  const redis = (await RedisServer.start()).url;
  const [one, other] = [await startServer({ redis }), await startServer({ redis })];
  const client = await connectClient(other.url);
  await client.emitWithAck('subscribe', { topic: 'orders' });
  const page = await openConsole(browser, one.url, { route: 'overview' });
  const nodes = page.getByRole('region', { name: 'Nodes', exact: true }).locator('tbody tr');
  await expect.poll(() => nodes.count()).toBe(2);
  const ids = await nodes.locator('td:first-child').allTextContents();
  await page.getByRole('link', { name: 'Connections' }).click();
  await page.getByRole('columnheader', { name: 'Node' }).waitFor();
  const row = page.getByRole('row').filter({ hasText: client.id ?? 'no id' });
  const shown = (await row.locator('td').nth(1).textContent()) ?? '';
  expect(ids).toContain(shown);
  // The connection of the page is on the other node.
  const own = page
    .getByRole('row')
    .filter({ hasNotText: client.id ?? 'no id' })
    .locator('td:nth-child(2)');
  expect(await own.first().textContent()).not.toBe(shown);
});
