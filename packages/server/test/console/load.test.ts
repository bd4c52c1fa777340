import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../browser.ts';
import { startServer } from '../harness.ts';
import { declare } from '../http-tools.ts';
import { messageRows, openConsole } from './page.ts';

const require = createRequire(import.meta.url);

describe('the size of the console', () => {
  it('the console has at most 150 KB of script, gzipped', async () => {
    const script = await readFile(require.resolve('@fanfare/console/console.js'));
    const { length } = gzipSync(script);
    expect(length).toBeGreaterThan(20_000);
    expect(length).toBeLessThanOrEqual(150_000);
  });
});

describe('an open page of the console', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it('the console is shown within a second, and sends requests only to its server', async () => {
    const { url } = await startServer();
    const page = await browser.newPage();
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:')) foreign.push(request.url());
    });
    // The first page also waits for the start of the browser.
    await page.goto(url);
    await page.getByRole('heading', { name: 'Try it' }).waitFor();
    const startedAt = performance.now();
    await page.reload();
    await page.getByRole('heading', { name: 'Try it' }).waitFor();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(foreign.filter((one) => !one.startsWith(url.replace('http', 'ws')))).toEqual([]);
    await page.close();
  });

  it('the console stays responsive with 1,000 messages a second on its live tab', async () => {
    const { url, server } = await startServer();
    await declare(url, 'busy');
    const page = await openConsole(browser, url, { route: 'topics/busy' });
    await page.getByRole('listbox').waitFor();
    await page.evaluate(`(() => {
      globalThis.frames = [];
      let last = performance.now();
      const step = (now) => { globalThis.frames.push(now - last); last = now; requestAnimationFrame(step); };
      requestAnimationFrame(step);
    })()`);
    let published = 0;
    const startedAt = performance.now();
    const timer = setInterval(() => {
      const due = performance.now() - startedAt - published;
      for (let n = 0; n < due; n++) void server.publish('busy', { n: published++, item: 'tea', paid: true });
    }, 10);
    try {
      const rate = page.locator('.number', { hasText: '/s ·' });
      const perSecond = async (): Promise<number> =>
        Number.parseFloat(((await rate.textContent()) ?? '').replaceAll(',', ''));
      await expect.poll(perSecond).toBeGreaterThan(800);
      await page.evaluate('globalThis.frames.length = 0');
      await expect
        .poll(() => page.evaluate<number>('globalThis.frames.reduce((a, b) => a + b, 0)'))
        .toBeGreaterThan(3_000);
      const gaps = await page.evaluate<number[]>('globalThis.frames.slice()');
      const seconds = gaps.reduce((sum, gap) => sum + gap, 0) / 1_000;
      expect(gaps.length / seconds, 'frames a second').toBeGreaterThan(20);
      expect(await messageRows(page).count()).toBeLessThan(80);
      expect(Number(await messageRows(page).last().getAttribute('aria-setsize'))).toBeLessThanOrEqual(1_000);
      const pausedAt = performance.now();
      await page.getByRole('button', { name: 'Pause' }).click();
      await page.getByRole('button', { name: /new messages: continue$/ }).waitFor();
      expect(performance.now() - pausedAt, 'until it is paused, in ms').toBeLessThan(1_000);
      await page.getByRole('button', { name: 'Resume' }).click();
      await messageRows(page).first().waitFor();
    } finally {
      clearInterval(timer);
    }
  });

  it('the console says how many messages it skipped when more come than it can paint', async () => {
    const { url, server } = await startServer();
    await declare(url, 'flood');
    const page = await openConsole(browser, url, { route: 'topics/flood' });
    await page.getByRole('listbox').waitFor();
    // While the page paints no frames, more messages come than the list can hold.
    await page.evaluate(`(() => {
      globalThis.held = [];
      globalThis.paint = globalThis.requestAnimationFrame;
      globalThis.requestAnimationFrame = (callback) => globalThis.held.push(callback);
    })()`);
    const publishes = Array.from({ length: 3_000 }, (_, n) => server.publish('flood', n));
    await Promise.all(publishes);
    await page.getByText(/^3,000 \/s|^[12],\d{3} \/s/).waitFor();
    await page.evaluate(`(() => {
      globalThis.requestAnimationFrame = globalThis.paint;
      for (const callback of globalThis.held) globalThis.paint(callback);
    })()`);
    await page.getByText('2,000 skipped (too fast to show)').waitFor();
    await messageRows(page, '2999').waitFor();
  });
});
