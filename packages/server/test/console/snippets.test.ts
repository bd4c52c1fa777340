import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TopicInfo } from '@fanfare/protocol';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { nextEvent } from '../../../../test/waits.ts';
import { secret, tokenFor } from '../access/tokens.ts';
import { launchBrowser } from '../browser.ts';
import { startServer } from '../harness.ts';
import { openConsole } from './page.ts';

/** A directory in which `socket.io-client` is found, as after the `npm install` of the snippet. */
const cwd = fileURLToPath(new URL('../..', import.meta.url));

const commands = {
  curl: (code: string) => ['sh', '-c', `exec ${code}`],
  JavaScript: (code: string) => [process.execPath, '--input-type=module', '-e', code],
  // Only Debian's own Python finds Debian's modules.
  Python: (code: string) => ['/usr/bin/python3', '-u', '-c', code],
} as const;

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

interface Running {
  readonly said: () => string;
  readonly ended: Promise<unknown>;
}

/** Runs a program until it or the test ends. */
function run([program = '', ...args]: readonly string[], token: string): Running {
  const child = spawn(program, args, { cwd, env: { ...process.env, TOKEN: token } });
  onTestFinished(() => void child.kill());
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  return { said: () => said, ended: nextEvent(child, 'close', 'the program of the snippet ends') };
}

it.each(['curl', 'JavaScript', 'Python'] as const)(
  "the console's snippet for %s works when it is copied",
  async (language) => {
    const { url } = await startServer({ key: secret });
    const token = await tokenFor({ admin: true });
    const page = await openConsole(browser, url, { route: 'try', token });
    const topic = "it's a topic";
    await page.locator('#publish').getByLabel('Topic').fill(topic);
    await page
      .getByRole('textbox', { name: 'Message' })
      .fill(`{"from": "${language}", "it's": [true, null]}`);
    await page.getByLabel('Message is JSON').check();
    await page.getByRole('tab', { name: language }).click();
    const codeOf = async (title: string): Promise<readonly string[]> => {
      const region = page.getByRole('region', { name: `${title} with ${language}` });
      return commands[language]((await region.textContent()) ?? '');
    };
    const headers = { authorization: `Bearer ${token}`, connection: 'close' };
    const at = `${url}/topics/${encodeURIComponent(topic)}`;
    await fetch(at, { method: 'PUT', headers });
    const subscriber = run(await codeOf('Subscribe'), token);
    const subscribers = async (): Promise<unknown> =>
      ((await (await fetch(at, { headers })).json()) as TopicInfo).subscribers;
    await expect.poll(subscribers).toBe(1);
    const publisher = run(await codeOf('Publish'), token);
    await publisher.ended;
    expect(publisher.said()).toContain("Message published to topic 'it's a topic'");
    await expect.poll(subscriber.said).toContain(language);
  },
);
