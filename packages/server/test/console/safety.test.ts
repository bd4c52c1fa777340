import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { secret, tokenFor } from '../access/tokens.ts';
import { launchBrowser } from '../browser.ts';
import { connectClient, publish, startServer } from '../harness.ts';
import { messageRows, openConsole } from './page.ts';
import { payloads } from './xss.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** The signs of harm: a script that ran, or an element that a text created. */
function harm(page: Page): Promise<unknown> {
  return page.evaluate(`({
    pwned: globalThis.pwned,
    elements: [...document.querySelectorAll('#console *')]
      .filter((one) => /^(script|img|iframe|object|embed|video|audio|base|form|link|meta|math|marquee|style)$/i.test(one.tagName)
        ? one.tagName !== 'FORM' || one.hasAttribute('action') : false)
      .map((one) => one.outerHTML),
    handlers: [...document.querySelectorAll('#console *')]
      .filter((one) => one.getAttributeNames().some((name) => name.startsWith('on')))
      .map((one) => one.outerHTML),
    links: [...document.querySelectorAll('a')].map((one) => one.getAttribute('href')).filter((href) => !href.startsWith('#')),
    title: document.title.includes('pwned!'),
  })`);
}

const none = { pwned: undefined, elements: [], handlers: [], links: [], title: false };

it(
  'the console shows topics, messages and names as text, whatever they contain',
  { timeout: 240_000 },
  async () => {
    expect(payloads.length).toBeGreaterThanOrEqual(50);
    const { url } = await startServer({ key: secret, rules: [{ match: '**', publisher: true }] });
    const admin = await connectClient(url, 'websocket', { auth: { token: await tokenFor({ admin: true }) } });
    for (const payload of payloads) {
      await admin.emitWithAck('subscribe', { topic: payload, envelope: true });
      const token = await tokenFor({ sub: payload, publish: ['**'], subscribe: ['**'] });
      const headers = { authorization: `Bearer ${token}` };
      const { status } = await publish(
        url,
        { topic: payload, message: { [payload]: payload }, id: payload },
        headers,
      );
      expect([payload, status]).toEqual([payload, 200]);
      const client = await connectClient(url, 'websocket', { auth: { token } });
      await client.emitWithAck('subscribe', { topic: payload, envelope: true });
    }
    const page = await openConsole(browser, url, {
      route: 'topics',
      token: await tokenFor({ admin: true, sub: 'admin' }),
    });
    const dialogs: string[] = [];
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    await page.getByText(`${payloads.length} topics`, { exact: true }).waitFor();
    for (const route of ['topics', 'connections', 'topics/**', 'overview']) {
      await page.goto(`${url}/#/${route}`);
      await page.getByRole('region').or(messageRows(page)).first().waitFor();
      expect([route, await harm(page)]).toEqual([route, none]);
    }
    for (const payload of payloads) {
      await page.goto(`${url}/#/topics/${encodeURIComponent(payload)}`);
      await expect.poll(() => page.getByRole('heading', { level: 1 }).textContent()).toBe(payload);
      await messageRows(page).first().click();
      const details = page.getByRole('region', { name: 'Message' });
      await expect.poll(() => details.locator('dd').last().textContent()).toBe(payload);
      expect(await details.locator('.json-key').first().textContent()).toBe(JSON.stringify(payload));
      await page.getByRole('tab', { name: 'Subscribers' }).click();
      await page.getByRole('cell', { name: payload, exact: true }).first().waitFor();
      expect([payload, await harm(page)]).toEqual([payload, none]);
    }
    await page.goto(`${url}/#/try`);
    for (const payload of payloads) {
      await page.locator('#subscribe').getByLabel('Topic').fill(payload);
      await page.locator('#publish').getByLabel('Topic').fill(payload);
      await page.getByRole('textbox', { name: 'Message' }).fill(payload);
      await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
      await page.getByRole('button', { name: 'Publish', exact: true }).click();
    }
    await expect.poll(() => page.locator('#messages li').count()).toBeGreaterThan(40);
    expect(await harm(page)).toEqual(none);
    expect(dialogs).toEqual([]);
  },
);

it('the safety check detects harmful content', async () => {
  const { url } = await startServer();
  const page = await openConsole(browser, url, { expected: /Content Security Policy|404|javascript/ });
  await page.evaluate(
    `document.querySelector('main').insertAdjacentHTML('beforeend', ${JSON.stringify(payloads[1])})`,
  );
  expect(await harm(page)).not.toEqual(none);
});

it('the content security policy lets no script run except the console, even if a text became HTML', async () => {
  const { url } = await startServer();
  const page = await openConsole(browser, url, { expected: /Content Security Policy|404|javascript/ });
  for (const payload of payloads) {
    await page.evaluate(
      `document.querySelector('main').insertAdjacentHTML('beforeend', ${JSON.stringify(payload)})`,
    );
  }
  expect(await page.evaluate('globalThis.pwned')).toBe(undefined);
  const response = await fetch(url, { headers: { accept: 'text/html', connection: 'close' } });
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'self'");
  expect(policy).not.toContain('unsafe');
});
