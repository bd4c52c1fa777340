import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../../bench/src/free-port.ts';
import { secret, tokenFor } from '../access/tokens.ts';
import { launchBrowser } from '../browser.ts';
import { connectClient, startServer } from '../harness.ts';
import { messageRows, openConsole, openTab } from './page.ts';

let browser: Browser;

const expected = /status of 40[134]|ERR_CONNECTION_REFUSED/;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

function pages(page: Page): Promise<readonly string[]> {
  return page.getByRole('navigation').getByRole('link').allTextContents();
}

describe('a server with keys', () => {
  it('the console asks for a token, says why an invalid one is refused, and accepts a valid one', async () => {
    const { url } = await startServer({ key: secret });
    const page = await openTab(browser, url, { expected });
    await signIn(page, 'nonsense');
    await page.getByRole('status').getByText('token', { exact: false }).waitFor();
    await signIn(page, await tokenFor({ admin: true, sub: 'ann' }));
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.getByText('ann', { exact: true }).waitFor();
    expect(await pages(page)).toEqual(['Overview', 'Topics', 'Connections', 'Try it']);
  });

  it('the console keeps the token over a reload, but not after signing out, nor in another tab', async () => {
    const { url } = await startServer({ key: secret });
    const page = await openTab(browser, url, { expected });
    await signIn(page, await tokenFor({ admin: true }));
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.reload();
    await page.getByText('Connected', { exact: true }).waitFor();
    expect(await page.evaluate('[localStorage.length, document.cookie]')).toEqual([0, '']);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    await page.reload();
    await page.getByLabel('Token').waitFor();
    const other = await openTab(browser, url, { expected });
    await other.getByLabel('Token').waitFor();
  });

  it('the console shows clients without admin rights only what their token allows, and says so', async () => {
    const { url, server } = await startServer({ key: secret });
    const admin = await connectClient(url, 'websocket', { auth: { token: await tokenFor({ admin: true }) } });
    for (const topic of ['mine/a', 'mine/b', 'secret']) await admin.emitWithAck('subscribe', { topic });
    await server.publish('mine/a', 'hello');
    const token = await tokenFor({ sub: 'bob', subscribe: ['mine/*'], publish: ['mine/a'] });
    const page = await openConsole(browser, url, { token, expected });
    await page.getByRole('heading', { name: 'Topics' }).waitFor();
    expect(await pages(page)).toEqual(['Topics', 'Try it']);
    await page.getByText('need the admin right').waitFor();
    await expect
      .poll(() => page.locator('tbody .column-topic').allTextContents())
      .toEqual(['mine/a', 'mine/b']);

    await page.getByRole('link', { name: 'mine/a' }).click();
    await messageRows(page, /hello/).waitFor();
    expect(await page.getByRole('tab').allTextContents()).toEqual(['Live', 'History', 'Rule']);
    expect(await page.getByRole('button', { name: 'Delete …' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Publish' }).count()).toBe(1);
    await page.goto(`${url}/#/topics/mine%2Fb`);
    await page.getByText('Your token does not allow publishing to this topic.').waitFor();
    expect(await page.getByRole('button', { name: 'Publish' }).count()).toBe(0);

    await page.goto(`${url}/#/topics/secret`);
    await page.getByRole('status').getByText(/not/).first().waitFor();
    expect(await page.getByRole('listbox').count()).toBe(0);
    await page.goto(`${url}/#/connections`);
    await page.getByText('needs a token with the admin right').waitFor();
    await page.goto(`${url}/#/try`);
    await page.getByText('publish to: mine/a').waitFor();
    await page.getByText('subscribe to: mine/*').waitFor();
  });

  it('the console asks for a token again when the last one has expired', async () => {
    const { url } = await startServer({ key: secret });
    const token = await tokenFor({ admin: true, exp: 3 });
    const page = await openTab(browser, url, { expected });
    await signIn(page, token);
    await page.getByText('Connected', { exact: true }).waitFor();
    await page.getByLabel('Token').waitFor({ timeout: 20_000 });
    await page
      .getByRole('status')
      .getByText(/ended|expired/)
      .waitFor();
    await signIn(page, await tokenFor({ admin: true }));
    await page.getByText('Connected', { exact: true }).waitFor();
  });
});

it('the console reports a lost connection on every page, and recovers by itself with the same page open', async () => {
  const port = await freePort();
  const first = await startServer({ port, key: secret });
  const topic = { route: 'topics/orders', token: await tokenFor({ admin: true }) };
  const admin = await connectClient(first.url, 'websocket', { auth: { token: topic.token } });
  await admin.emitWithAck('subscribe', { topic: 'orders' });
  const page = await openConsole(browser, first.url, { ...topic, expected: /status of 404|ERR_/ });
  await page.getByRole('listbox').waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  await first.server.stop();
  await page.getByRole('alert').getByText('The connection to the server is lost').waitFor();
  const { server } = await startServer({ port, key: secret });
  await page.getByText('Connected', { exact: true }).waitFor();
  await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  await expect
    .poll(() => server.publish('orders', 'back').catch(() => undefined))
    .toMatchObject({ ok: true });
  await messageRows(page, /back/).first().waitFor();
});
