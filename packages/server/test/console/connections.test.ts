import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nextEvent } from '../../../../test/waits.ts';
import { launchBrowser } from '../browser.ts';
import { connectClient, startServer } from '../harness.ts';
import { openConsole } from './page.ts';

describe('the connections', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('the console lists connections with their details, and can search them', async () => {
    const { url } = await startServer();
    const [first, second] = [await connectClient(url), await connectClient(url, 'polling')];
    await first.emitWithAck('subscribe', { topic: 'orders' });
    await first.emitWithAck('subscribe', { topic: 'orders', envelope: true });
    const page = await openConsole(browser, url, { route: 'connections' });
    await page.getByText('3 connections', { exact: true }).waitFor();
    const row = page.getByRole('row', { name: first.id ?? '-' });
    const cells = await row.getByRole('cell').allTextContents();
    expect(cells.slice(1, 3)).toEqual(['websocket', '127.0.0.1']);
    expect(cells.slice(5)).toEqual(['2', '0', '0 B']);
    await page.getByLabel('Search').fill('polling');
    await expect.poll(() => page.locator('tbody tr').count()).toBe(1);
    await page.getByRole('row', { name: second.id ?? '-' }).waitFor();
  });

  it('the console ends a connection only after a confirmation', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'orders/*', envelope: true });
    const reason = nextEvent<string>(client, 'disconnect', 'the console ends the connection');
    const page = await openConsole(browser, url, { route: 'connections', expected: /status of 404/ });
    await page.getByRole('link', { name: client.id ?? '-' }).click();
    const panel = page.getByRole('region', { name: `Connection ${client.id}` });
    await panel.getByText('orders/*').waitFor();
    await panel.getByText('envelopes, live').waitFor();
    await panel.getByRole('button', { name: 'Disconnect …' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(client.connected).toBe(true);
    await panel.getByRole('button', { name: 'Disconnect …' }).click();
    await page.getByRole('button', { name: 'Disconnect', exact: true }).click();
    expect(await reason).toBe('io server disconnect');
    await panel.getByText('This connection is closed.').waitFor();
    await page.getByText('1 connection', { exact: true }).waitFor();
  });
});
