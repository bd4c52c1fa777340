import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';

export interface OpenOptions extends BrowserContextOptions {
  /** The path after `#/`. */
  readonly route?: string;
  /** The token of this tab. */
  readonly token?: string;
  /** The errors that the browser may report: the refusals that a test provokes. */
  readonly expected?: RegExp;
}

/** A tab on the console. Unexpected errors in the browser fail the test. */
export async function openTab(browser: Browser, url: string, options: OpenOptions = {}): Promise<Page> {
  const { route, token, expected, ...context } = options;
  const page = await browser.newPage(context);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected?.test(message.text())) complaints.push(message.text());
  });
  onTestFinished(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });
  if (token !== undefined) {
    await page.addInitScript({
      content: `sessionStorage.setItem('fanfare-token', ${JSON.stringify(token)})`,
    });
  }
  await page.goto(route === undefined ? url : `${url}/#/${route}`);
  return page;
}

/** A tab whose console is connected. */
export async function openConsole(browser: Browser, url: string, options: OpenOptions = {}): Promise<Page> {
  const page = await openTab(browser, url, options);
  await page.getByText('Connected', { exact: true }).waitFor();
  return page;
}

/** The visible rows of a list of messages, or those of them with a text. */
export function messageRows(page: Page, text?: string | RegExp): Locator {
  return page.locator('[role=option]').filter(text === undefined ? {} : { hasText: text });
}
