import axe, { type RunOnly, type RunOptions } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secret, tokenFor } from '../access/tokens.ts';
import { launchBrowser } from '../browser.ts';
import { connectClient, startServer } from '../harness.ts';
import { declare } from '../http-tools.ts';
import { messageRows, openConsole, openTab } from './page.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** The rules about colours among those that axe checks by default. */
const colourRules: RunOnly = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };

/**
 * The violations that axe finds on a page in its light and its dark theme. The elements are the same in both,
 * so that only the colours are checked again. The debugger injects axe, because the page's policy does not
 * apply to it.
 */
async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await run(page, {});
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await run(page, { runOnly: colourRules });
  return [...light, ...dark.map((violation) => `dark: ${violation}`)];
}

async function run(page: Page, options: RunOptions): Promise<readonly string[]> {
  const all = JSON.stringify({ ...options, resultTypes: ['violations'] });
  return page.evaluate<string[]>(`axe.run(document, ${all}).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => id + ': ' + html + ' ' + failureSummary)))`);
}

/** Every page, with the element to wait for. */
const pages: readonly { readonly route: string; readonly ready: (page: Page) => Promise<void> }[] = [
  { route: 'overview', ready: (page) => page.locator('canvas').first().waitFor() },
  { route: 'topics', ready: (page) => page.locator('tbody .column-topic').first().waitFor() },
  {
    route: 'topics/orders',
    ready: async (page) => {
      await messageRows(page).first().click();
      await page.locator('.json').waitFor();
      await page.getByRole('button', { name: 'Publish' }).click();
      await page.getByText('HTTP 200').waitFor();
    },
  },
  {
    route: 'topics/orders',
    ready: async (page) => {
      await page.getByRole('tab', { name: 'History' }).click();
      await messageRows(page).first().waitFor();
    },
  },
  {
    route: 'topics/orders',
    ready: async (page) => {
      await page.getByRole('tab', { name: 'Subscribers' }).click();
      await page.getByRole('cell').first().waitFor();
    },
  },
  {
    route: 'topics/orders',
    ready: async (page) => {
      await page.getByRole('tab', { name: 'Rule' }).click();
      await page.getByText('"match"').waitFor();
      await page.getByRole('button', { name: 'Delete …' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  { route: 'topics/missing', ready: (page) => page.getByText('This topic does not exist.').waitFor() },
  {
    route: 'connections',
    ready: async (page) => {
      await page.locator('tbody').getByRole('link').first().click();
      await page.getByRole('button', { name: 'Disconnect …' }).waitFor();
    },
  },
  {
    route: 'try',
    ready: async (page) => {
      await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
      await page.getByRole('button', { name: 'Unsubscribe from news' }).waitFor();
      await page.getByRole('button', { name: 'Publish', exact: true }).click();
      await page.locator('#messages li').waitFor();
      await page.getByRole('tab', { name: 'Python' }).click();
    },
  },
];

describe("the console's accessibility in its light and dark theme", () => {
  it.each([1_280, 360])(
    'axe finds no violations on any page of the console that is %d pixels wide',
    async (width) => {
      const { url, server } = await startServer();
      const client = await connectClient(url);
      await client.emitWithAck('subscribe', { topic: 'orders', envelope: true });
      await server.publish('orders', { item: 'tea' });
      for (const { route, ready } of pages) {
        const viewport = { width, height: 800 };
        const page = await openConsole(browser, url, { route, viewport, expected: /status of 404/ });
        await ready(page);
        expect([route, await violations(page)]).toEqual([route, []]);
        const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        expect([route, overflow]).toEqual([route, 0]);
        await page.close();
      }
    },
  );

  it('axe finds no violations in the sign-in form, on a page for clients without admin rights, and in the banner', async () => {
    const { url, server } = await startServer({ key: secret });
    const signIn = await openTab(browser, url, { expected: /status of 401/ });
    await signIn.getByLabel('Token').waitFor();
    expect(await violations(signIn)).toEqual([]);
    const token = await tokenFor({ subscribe: ['**'] });
    const page = await openConsole(browser, url, { route: 'overview', token, expected: /status of 40|ERR_/ });
    await page.getByText('needs a token with the admin right').waitFor();
    await server.stop();
    await page.getByRole('alert').waitFor();
    expect(await violations(page)).toEqual([]);
  });
});

it('the accessibility check detects a violation, and bad colours of the dark theme alone', async () => {
  const { url } = await startServer();
  const page = await openConsole(browser, url);
  await page.evaluate(`{
    document.querySelector('main').append(document.createElement('button'));
    const text = document.createElement('p');
    text.textContent = 'hardly visible';
    text.className = 'hardly-visible';
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('@media (prefers-color-scheme: dark) { .hardly-visible { color: #333; background: #222; } }');
    document.adoptedStyleSheets.push(sheet);
    document.querySelector('main').append(text);
  }`);
  expect(await violations(page)).toEqual([
    expect.stringMatching(/^button-name: /),
    expect.stringMatching(/^dark: color-contrast: .*hardly visible/),
  ]);
});

it('the console keeps the chosen theme after a reload', async () => {
  const { url } = await startServer();
  await declare(url, 'a');
  const page = await openConsole(browser, url, { colorScheme: 'light' });
  const background = (): Promise<string> =>
    page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
  const light = await background();
  await page.getByRole('button', { name: 'Theme: Auto' }).click();
  await page.getByRole('button', { name: 'Theme: Light' }).click();
  await page.getByRole('button', { name: 'Theme: Dark' }).waitFor();
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.reload();
  await page.getByRole('button', { name: 'Theme: Dark' }).waitFor();
  expect(await background()).toBe(dark);
});
