import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../browser.ts';
import { connectClient, publish, startServer } from '../harness.ts';
import { declare } from '../http-tools.ts';
import { messageRows, openConsole } from './page.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** The visible names in the list of topics. */
function shownTopics(page: Page): Promise<readonly string[]> {
  return page.locator('tbody .column-topic a').allTextContents();
}

/** Code for a browser: finds layout faults in the visible list, and whether the end of a name can be read. */
const layout = `(topic) => {
  const table = document.querySelector('.table');
  const box = table.getBoundingClientRect();
  const heads = [...table.querySelectorAll('th')].filter((head) => head.offsetWidth > 0);
  const isCut = (cell) => cell.offsetWidth > 0 && cell.scrollWidth > cell.clientWidth;
  const link = [...table.querySelectorAll('tbody a')].find((one) => one.textContent === topic);
  const cell = link.closest('td').getBoundingClientRect();
  const end = document.createRange();
  const name = link.querySelector('bdi')?.firstChild ?? link.firstChild;
  end.setStart(name, Math.max(0, topic.length - 16));
  end.setEnd(name, topic.length);
  const { left, right } = end.getBoundingClientRect();
  return {
    columnsCut: heads.filter((head) => isCut(head.firstElementChild)).map((head) => head.textContent),
    timesCut: [...table.querySelectorAll('td.column-time')].filter(isCut).length,
    emptySpace: Math.abs(heads.at(-1).getBoundingClientRect().right - box.right) > 20,
    endIsShown: left >= cell.left && right <= cell.right,
    isOnScreen: box.bottom <= innerHeight,
  };
}`;
const readable = { columnsCut: [], timesCut: 0, emptySpace: false, endIsShown: true, isOnScreen: true };

describe('the list of topics', () => {
  it('the list of topics shows messages, subscribers, the last message and its time', async () => {
    const { url, server } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'orders/7' });
    await client.emitWithAck('subscribe', { topic: 'quiet' });
    await server.publish('orders/7', { item: 'tea' });
    await server.publish('orders/7', { item: 'coffee' });
    const page = await openConsole(browser, url, { route: 'topics' });
    const row = page.getByRole('row', { name: /orders\/7/ });
    await row.getByText('{"item":"coffee"}').waitFor();
    const cells = await row.getByRole('cell').allTextContents();
    expect(cells.slice(2, 4)).toEqual(['1', '2']);
    expect(cells[4]).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
    await page.getByText('2 topics', { exact: true }).waitFor();
  });

  it('the list of topics shows how many messages come per second', async () => {
    const { url, server } = await startServer();
    await declare(url, 'busy');
    const timer = setInterval(() => void server.publish('busy', 1), 20);
    try {
      const page = await openConsole(browser, url, { route: 'topics' });
      const rate = page.getByRole('row', { name: /busy/ }).getByRole('cell').nth(1);
      await expect.poll(async () => Number(await rate.textContent())).toBeGreaterThan(10);
    } finally {
      clearInterval(timer);
    }
  });

  it('the list of topics can be searched by a part or the start of the name, and sorted by any column', async () => {
    const { url, server } = await startServer();
    for (const topic of ['alpha', 'beta/alpha', 'gamma']) await declare(url, topic);
    for (let n = 0; n < 3; n++) await server.publish('gamma', n);
    await server.publish('alpha', 0);
    const page = await openConsole(browser, url, { route: 'topics' });
    await expect.poll(() => shownTopics(page)).toEqual(['alpha', 'beta/alpha', 'gamma']);
    await page.getByLabel('Search').fill('ALPHA');
    await expect.poll(() => shownTopics(page)).toEqual(['alpha', 'beta/alpha']);
    await page.getByLabel('Where').selectOption('at the start of the name');
    await page.getByLabel('Search').fill('alp');
    await expect.poll(() => shownTopics(page)).toEqual(['alpha']);
    await page.getByLabel('Search').fill('');
    await expect.poll(() => shownTopics(page)).toHaveLength(3);
    await page.getByRole('button', { name: 'Kept' }).click();
    await expect.poll(() => shownTopics(page)).toEqual(['gamma', 'alpha', 'beta/alpha']);
    expect(await page.getByRole('columnheader', { name: 'Kept' }).getAttribute('aria-sort')).toBe(
      'descending',
    );
    await page.getByRole('button', { name: 'Topic' }).click();
    await page.getByRole('button', { name: 'Topic' }).click();
    await expect.poll(() => shownTopics(page)).toEqual(['gamma', 'beta/alpha', 'alpha']);
  });

  it('the list of topics shows all columns, the time of the last message and the end of long names on any screen', async () => {
    const { url } = await startServer({ rules: [{ match: '**', create: 'publish' }] });
    const long = (n: number): string => `sites/hamburg-altona/north-wing/floors/${n}/temperature`;
    const topics = Array.from({ length: 105 }, (_, n) => (n < 50 ? `orders/${100 + n}` : long(100 + n)));
    await publish(
      url,
      topics.map((topic) => ({ topic, message: 1 })),
    );
    const page = await openConsole(browser, url, { route: 'topics', viewport: { width: 390, height: 844 } });
    await page.getByText('105 topics', { exact: true }).waitFor();
    for (const width of [390, 640, 760, 860, 1_280]) {
      await page.setViewportSize({ width, height: 844 });
      for (const [from, topic] of [
        [0, 'orders/100'],
        [1_500, long(151)],
        [99_999, long(204)],
      ] as const) {
        await page.evaluate(`document.querySelector('.table').scrollTo(0, ${from})`);
        await page.getByRole('link', { name: topic, exact: true }).waitFor();
        expect([width, topic, await page.evaluate(`(${layout})(${JSON.stringify(topic)})`)]).toEqual([
          width,
          topic,
          readable,
        ]);
      }
    }
  });

  it('the list of topics has few rows for 10,000 topics, and scrolls smoothly', async () => {
    const { url } = await startServer({ rules: [{ match: '**', create: 'publish' }] });
    for (const from of [0, 5_000]) {
      const topics = Array.from({ length: 5_000 }, (_, at) => `topic/${String(from + at).padStart(5, '0')}`);
      await publish(
        url,
        topics.map((topic) => ({ topic, message: 1 })),
      );
    }
    const page = await openConsole(browser, url, { route: 'topics' });
    await page.getByText('10,000 topics', { exact: true }).waitFor();
    const rows = page.locator('tbody tr');
    expect(await rows.count()).toBeLessThan(100);
    const frames = await page.evaluate<number>(`new Promise((resolve) => {
      const list = document.querySelector('.table');
      const startedAt = performance.now();
      let frames = 0;
      const step = () => {
        list.scrollTop += 400;
        frames++;
        if (performance.now() - startedAt < 2000) requestAnimationFrame(step);
        else resolve(frames);
      };
      requestAnimationFrame(step);
    })`);
    expect(frames, 'frames in two seconds').toBeGreaterThan(40);
    expect(await rows.count()).toBeLessThan(100);
    await page.evaluate("document.querySelector('.table').scrollTo(0, 1e9)");
    await page.getByRole('link', { name: 'topic/09999' }).waitFor();
    await page.getByLabel('Search').fill('0777');
    await expect.poll(() => shownTopics(page)).toHaveLength(11);
  });
});

describe('the page of a topic', () => {
  const open = (url: string, topic: string, expected?: RegExp): Promise<Page> =>
    openConsole(browser, url, {
      route: `topics/${encodeURIComponent(topic)}`,
      ...(expected && { expected }),
    });

  it('the page of a topic shows a publish as it happens, and its message as a tree', async () => {
    const { url } = await startServer();
    await declare(url, 'orders');
    const page = await open(url, 'orders');
    await page.getByText('No messages yet. They appear here').waitFor();
    await publish(url, { topic: 'orders', message: { item: 'tea', deep: { deeper: { deepest: 1 } } } });
    await messageRows(page).click();
    const tree = page.locator('.json');
    await tree.getByText('"tea"').waitFor();
    expect(await tree.getByText('"deepest"').count()).toBe(0);
    await tree.getByText('"deeper"').click();
    await tree.getByText('"deepest"').waitFor();
    await tree.getByText('"deeper"').press('Enter');
    await expect.poll(() => tree.getByText('"deepest"').count()).toBe(0);
  });

  it('the page of a topic shows no new messages while it is paused, and continues afterwards', async () => {
    const { url, server } = await startServer();
    await declare(url, 'orders');
    const page = await open(url, 'orders');
    await server.publish('orders', 'first');
    await messageRows(page, /first/).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await server.publish('orders', 'second');
    await page.getByRole('button', { name: '1 new message: continue' }).waitFor();
    expect(await messageRows(page).count()).toBe(1);
    await page.getByRole('button', { name: 'Resume' }).click();
    await messageRows(page, /second/).waitFor();
  });

  it('the page of a topic does not scroll while an earlier message is being read', async () => {
    const { url, server } = await startServer();
    await declare(url, 'orders');
    for (let n = 0; n < 50; n++) await server.publish('orders', `early ${n}`);
    const page = await open(url, 'orders');
    await messageRows(page, 'early 49').waitFor();
    await page.getByRole('listbox').hover();
    await page.mouse.wheel(0, -400);
    await page.getByRole('button', { name: 'Continue' }).waitFor();
    await server.publish('orders', 'late');
    await page.getByRole('button', { name: '1 new message: continue' }).click();
    await messageRows(page, /late/).waitFor();
  });

  it('the page of a topic filters messages by their content', async () => {
    const { url, server } = await startServer();
    await declare(url, 'orders');
    for (const item of ['tea', 'coffee', 'green tea']) await server.publish('orders', { item });
    const page = await open(url, 'orders');
    await expect.poll(() => messageRows(page).count()).toBe(3);
    await page.getByLabel('Filter').fill('TEA');
    await expect.poll(() => messageRows(page).count()).toBe(2);
    await page.getByText('2 of 3').waitFor();
  });

  it('the page of a topic can be used with the keyboard alone', async () => {
    const { url, server } = await startServer();
    await declare(url, 'orders');
    for (const item of ['tea', 'coffee']) await server.publish('orders', { item });
    const page = await open(url, 'orders');
    await expect.poll(() => messageRows(page).count()).toBe(2);
    await page.getByLabel('Filter').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await page.locator('.json').getByText('"tea"').waitFor();
    await page.getByRole('tab', { name: 'Live' }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('tab', { name: 'History' }).getAttribute('aria-selected')).toBe('true');
  });

  it('the page of a topic loads earlier messages when it is scrolled up', async () => {
    const { url } = await startServer();
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'long' });
    await publish(
      url,
      Array.from({ length: 900 }, (_, n) => ({ topic: 'long', message: `message ${n}` })),
    );
    const page = await open(url, 'long');
    await page.getByRole('tab', { name: 'History' }).click();
    await messageRows(page, 'message 899').waitFor();
    for (let pages = 2; pages <= 5; pages++) {
      await page.evaluate("document.querySelector('[role=listbox]').scrollTo(0, 0)");
      await page
        .locator('.below-list')
        .getByText(`${Math.min(900, pages * 200)} messages`)
        .waitFor();
    }
    await page.getByText('900 messages, from the earliest, to the newest').waitFor();
    await page.evaluate("document.querySelector('[role=listbox]').scrollTo(0, 0)");
    await messageRows(page, 'message 0').first().waitFor();
    expect(await messageRows(page).count()).toBeLessThan(100);
  });

  it('the page of a topic shows stored messages from the earliest, a time or an offset', async () => {
    const { url, server } = await startServer();
    await declare(url, 'kept');
    const first = await server.publish('kept', 'first');
    await server.publish('kept', 'second');
    const page = await open(url, 'kept');
    await page.getByRole('tab', { name: 'History' }).click();
    await expect.poll(() => messageRows(page).count()).toBe(2);
    await page.getByLabel('Start at').selectOption('an offset');
    await page.getByRole('textbox', { name: 'Offset' }).fill(first.offset ?? '');
    await page.getByRole('button', { name: 'Show' }).click();
    await expect
      .poll(() => messageRows(page).allTextContents())
      .toEqual([expect.stringContaining('second') as string]);
    await page.getByLabel('Start at').selectOption('a time');
    await page.getByLabel('Time', { exact: true }).fill('2001-01-01T00:00:00');
    await page.getByRole('button', { name: 'Show' }).click();
    await expect.poll(() => messageRows(page).count()).toBe(2);
    await page.getByLabel('Time', { exact: true }).fill('2101-01-01T00:00:00');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('No messages are kept here.').waitFor();
    await page.getByLabel('Start at').selectOption('the earliest messages');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('2 messages, from the earliest, to the newest').waitFor();
  });

  it('the page of a topic shows its subscribers, their subscriptions and the rule', async () => {
    const { url } = await startServer({ rules: [{ match: 'state/*', keep: { count: 7 } }] });
    const client = await connectClient(url);
    await client.emitWithAck('subscribe', { topic: 'state/a', envelope: true });
    await client.emitWithAck('subscribe', { topic: 'state/*' });
    const page = await open(url, 'state/a');
    await page.getByRole('tab', { name: 'Subscribers' }).click();
    const rows = page.getByRole('row', { name: new RegExp(client.id ?? '-') });
    await expect.poll(() => rows.count()).toBe(2);
    await page.getByText('2 subscribers.').waitFor();
    await page.getByText('kept · 2 subscribers ·').waitFor();
    await rows.filter({ hasText: 'state/*' }).getByText('live', { exact: true }).waitFor();
    await page.getByRole('tab', { name: 'Rule' }).click();
    await page.getByText('"match": "state/*"').waitFor();
    await page.getByText('"count": 7').waitFor();
  });

  it('the page of a topic publishes, detects invalid JSON before, and shows the exact response', async () => {
    const { url } = await startServer();
    await declare(url, 'orders');
    const page = await open(url, 'orders', /status of 409/);
    const message = page.getByRole('textbox', { name: 'Message' });
    await message.fill('{"item": ');
    await page.getByText('This is not JSON').waitFor();
    expect(await page.getByRole('button', { name: 'Publish' }).isDisabled()).toBe(true);
    await message.fill('{"item": "tea", "count": 1.0}');
    await page.getByLabel('Id', { exact: true }).fill('one');
    await page.getByRole('button', { name: 'Publish' }).click();
    const answer = page.getByRole('status', { name: 'Response' });
    await answer.getByText('HTTP 200').waitFor();
    expect(JSON.parse((await answer.locator('pre').textContent()) ?? '')).toMatchObject({
      ok: true,
      topic: 'orders',
      id: 'one',
      stored: 'memory',
    });
    await messageRows(page, /tea/).waitFor();
    const kept = await fetch(`${url}/topics/orders/messages`, { headers: { connection: 'close' } });
    expect(await kept.text()).toContain('"count":1.0');
    await message.fill('{"item": "coffee"}');
    await page.getByRole('button', { name: 'Publish' }).click();
    await answer.getByText('HTTP 409').waitFor();
    await answer.getByText('id_conflict', { exact: false }).waitFor();
  });

  it('the page of a topic deletes the topic only after a confirmation, and can create it again', async () => {
    const { url, server } = await startServer();
    await declare(url, 'orders');
    await server.publish('orders', 'x');
    const page = await open(url, 'orders', /status of 404/);
    const isThere = async (): Promise<number> =>
      (await fetch(`${url}/topics/orders`, { headers: { connection: 'close' } })).status;
    await page.getByRole('button', { name: 'Delete …' }).click();
    await page.getByText('This permanently deletes the topic and its 1 message.').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    expect(await isThere()).toBe(200);
    await page.getByRole('button', { name: 'Delete …' }).click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByText('This topic does not exist.').waitFor();
    expect(await isThere()).toBe(404);
    await page.getByRole('button', { name: 'Create topic' }).click();
    await page.getByText('0 messages kept').waitFor();
    expect(await isThere()).toBe(200);
  });

  it('opening the page of a topic that does not exist does not create it', async () => {
    const { url } = await startServer();
    const page = await open(url, 'nothing', /status of 404/);
    await page.getByText('This topic does not exist.').waitFor();
    expect((await fetch(`${url}/topics/nothing`, { headers: { connection: 'close' } })).status).toBe(404);
    const pattern = await open(url, '$x', /status of 404/);
    await pattern.getByText("The topic must not begin with '$'").waitFor();
    // A browser would treat this name as a step in a path.
    const step = await open(url, '..', /status of 404/);
    await step.getByText('This topic does not exist.').waitFor();
  });

  it('the page of a pattern shows the messages of matching topics with their names', async () => {
    const { url, server } = await startServer();
    for (const topic of ['orders/1', 'orders/2']) {
      await declare(url, topic);
      await server.publish(topic, 'x');
    }
    const page = await open(url, 'orders/*');
    await messageRows(page, /orders\/1/).waitFor();
    await messageRows(page, /orders\/2/).waitFor();
  });
});
