import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createSocket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextEvent, until } from '../../../../test/waits.ts';
import { fanfare, fanfarePath, outcome, temporaryDirectory } from '../../../cli/test/harness.ts';
import { LmdbFile } from '../../src/log/store/lmdb/lmdb-file.ts';
import { format, readFormat } from '../../src/log/store/migration/format.ts';
import { backupStore } from '../../src/store-tools/index.ts';
import { connectClient, startServer } from '../harness.ts';
import { accept, answer as answerWith, secret, TestReceiver } from '../webhooks/test-receiver.ts';
import { Fixture, type FixtureContent } from '../log/fixtures.ts';
import { declareTopics, publishHttp, readHistory } from './http.ts';
import { startServerProcess, terminate } from './server-process.ts';

const backups = 4;

const wholeTestMs = 120_000;

/** Publishes numbers one after the other until it is stopped. */
class Numbers {
  /** The acknowledged numbers, by topic. */
  readonly acknowledged: string[] = [];
  readonly #ended: Promise<void>;
  #isEnding = false;

  constructor(url: string, topic: string) {
    this.#ended = this.#run(url, topic);
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#ended;
  }

  async #run(url: string, topic: string): Promise<void> {
    let number = 0;
    const publishNext = async (): Promise<void> => {
      const message = `${topic} ${number++}`;
      const [answer] = await publishHttp(url, { topic, message });
      expect(answer).toMatchObject({ kind: 'ok' });
      this.acknowledged.push(JSON.stringify(message));
    };
    await until('the publisher is stopped', () => this.#isEnding, { step: publishNext, ms: wholeTestMs });
  }
}

async function contentsOf(url: string): Promise<readonly string[]> {
  return (await readHistory(url)).map(({ content }) => content);
}

/** A copy of a backup, as a restore makes it. */
function restored(backup: string): string {
  const directory = join(temporaryDirectory(), 'restored');
  cpSync(backup, directory, { recursive: true });
  return directory;
}

function snapshotsIn(data: string): readonly string[] {
  return readdirSync(data).filter((name) => name.startsWith('snapshot-'));
}

/** A server removes a snapshot once it sees that its tool has gone. */
async function expectNoSnapshots(data: string): Promise<void> {
  await until('no snapshot is left', () => snapshotsIn(data).length === 0);
}

function fixtureOf(name: string): { readonly data: string; readonly content: FixtureContent } {
  const fixture = new Fixture(name);
  return { data: fixture.unpack(), content: fixture.content };
}

async function formatOf(directory: string): Promise<number | undefined> {
  const file = new LmdbFile(directory);
  const found = readFormat(file, directory);
  await file.close();
  return found;
}

/** A server whose data takes some time to copy. */
async function startFilled(data: string): ReturnType<typeof startServerProcess> {
  const started = await startServerProcess({ data, port: 0 });
  await declareTopics(started.url, ['large']);
  for (let at = 0; at < 30; at++)
    await publishHttp(started.url, { topic: 'large', message: 'x'.repeat(900_000) });
  return started;
}

const quiet = { warn: (): void => {}, error: (): void => {} };

describe('a backup of a server that runs', () => {
  it('each backup of a server under load has every message that was acknowledged before it, and the server loses none', async () => {
    const data = join(temporaryDirectory(), 'data');
    const { server, url } = await startServerProcess({ data, port: 0 });
    await declareTopics(url, ['one', 'two']);
    const publishers = ['one', 'two'].map((topic) => new Numbers(url, topic));
    const acknowledged = (): string[] => publishers.flatMap((each) => each.acknowledged);
    const epochs = new Set<string>();
    for (let at = 0; at < backups; at++) {
      const [enough, before] = [acknowledged().length + 50, acknowledged];
      await until('more messages are acknowledged', () => before().length >= enough);
      const due = acknowledged();
      const target = join(temporaryDirectory(), 'backup');
      const { code, stdout, stderr } = await outcome(fanfare('store', 'backup', data, target));
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
      expect(stderr).toMatch(/^Backup of '.*' written to '.*' \(.*, up to message \d+ of the log\)\n$/);
      expect(readdirSync(target)).toEqual(['log.mdb']);
      expect(await outcome(fanfare('store', 'verify', target))).toMatchObject({ code: 0, stderr: '' });
      const copy = await startServerProcess({ data: restored(target), port: 0 });
      const kept = await contentsOf(copy.url);
      expect(kept).toEqual(expect.arrayContaining(due));
      expect(new Set(kept).size).toBe(kept.length);
      const [answer] = await publishHttp(copy.url, { topic: 'one', message: 'after' });
      epochs.add((answer?.kind === 'ok' && answer.offset?.split('.')[0]) || 'none');
      await terminate(copy.server);
    }
    expect(epochs.size).toBe(backups);
    expect(await outcome(fanfare('store', 'verify', data))).toMatchObject({ code: 0, stderr: '' });
    await Promise.all(publishers.map((each) => each.end()));
    await terminate(server);
    const again = await startServerProcess({ data, port: 0 });
    expect((await contentsOf(again.url)).toSorted()).toEqual(acknowledged().toSorted());
    expect(epochs).not.toContain((await readHistory(again.url))[0]?.offset.split('.')[0]);
    await expectNoSnapshots(data);
  });

  it('a restored backup has a new epoch each time, and subscribers with earlier offsets are told that messages may be missing', async () => {
    const parent = temporaryDirectory();
    const [data, target] = [join(parent, 'data'), join(parent, 'backup')];
    const rules = [{ match: '**', create: 'publish' }] as const;
    const original = await startServer({ data, rules });
    const offsets: string[] = [];
    const publish = async (message: number): Promise<void> => {
      const { offset = '' } = await original.server.publish('news', message);
      offsets.push(offset);
    };
    for (const message of [1, 2, 3]) await publish(message);
    await backupStore(data, target);
    for (const message of [4, 5]) await publish(message);
    await original.server.stop();

    const used = new Set(offsets);
    for (const directory of [restored(target), restored(target)]) {
      const epochs: (string | undefined)[] = [];
      for (const start of ['first', 'second']) {
        const { url, server } = await startServer({ data: directory, rules, logger: quiet });
        const client = await connectClient(url);
        for (const from of offsets) {
          const answer: unknown = await client.emitWithAck('subscribe', {
            topic: 'news',
            envelope: true,
            from,
          });
          expect(answer, `${start} start, from ${from}`).toMatchObject({ ok: true, recovered: false });
        }
        const { offset = '' } = await server.publish('news', start);
        expect(used).not.toContain(offset);
        used.add(offset);
        epochs.push(offset.split('.')[0]);
        await server.stop();
      }
      // A restart is not a new log.
      expect(epochs[0]).toBe(epochs[1]);
    }
  });

  it('the webhooks of a restored backup continue where the backup was, and say that messages may be missing', async () => {
    const parent = temporaryDirectory();
    const data = join(parent, 'data');
    const receiver = await TestReceiver.start();
    const webhook = { url: receiver.url, on: ['message'], secret } as const;
    const rules = [{ match: '**', create: 'publish', webhook }] as const;
    const options = { rules, webhookNetworks: '127.0.0.1', logger: quiet };
    const original = await startServer({ data, ...options });
    for (const message of [1, 2]) await original.server.publish('news', message);
    await receiver.accepts(2);
    const delivered = new RegExp(receiver.accepted.at(-1)?.body.data.offset?.replace('.', '\\.') ?? 'none');
    await until('the place is stored', () =>
      delivered.test(readFileSync(join(data, 'webhooks.json'), 'utf8')),
    );
    receiver.behaviour = answerWith(500);
    await original.server.publish('news', 3);
    await receiver.gets(3);
    const first = join(parent, 'first');
    await backupStore(data, first);
    expect(readdirSync(first).toSorted()).toEqual(['log.mdb', 'webhooks.json']);
    await original.server.stop();
    // A backup of a backup, and one of a restored backup that ran without webhooks.
    const [second, third] = [join(parent, 'second'), join(parent, 'third')];
    await backupStore(first, second);
    const between = restored(first);
    await (await startServer({ data: between, logger: quiet })).server.stop();
    await backupStore(between, third);
    for (const backup of [first, second, third]) {
      receiver.accepted.length = 0;
      receiver.behaviour = accept;
      const copy = await startServer({ data: restored(backup), ...options });
      await copy.server.publish('news', 4);
      await receiver.accepts(2);
      expect(receiver.accepted.map(({ body }) => [body.data.message, body.gap])).toEqual([
        [3, {}],
        [4, undefined],
      ]);
      await copy.server.stop();
    }
    writeFileSync(join(data, 'webhooks.json'), '{');
    await expect(backupStore(data, join(parent, 'fourth'))).rejects.toThrow(
      /'webhooks\.json' in the data directory/,
    );
    expect(readdirSync(parent).toSorted()).toEqual(['data', 'first', 'second', 'third']);
  });

  it('a backup of a stopped store of an earlier format has the present format, and the store keeps its own', async () => {
    const { content, ...fixture } = fixtureOf('format-1/stopped');
    const target = join(temporaryDirectory(), 'backup');
    await backupStore(fixture.data, target);
    expect([await formatOf(fixture.data), await formatOf(target)]).toEqual([1, format]);
    const rules = [...content.rules];
    const { url } = await startServer({ data: target, rules, logger: quiet, now: () => content.takenAt });
    const kept = await readHistory(url);
    expect(kept.map(({ offset }) => Number(offset.split('.')[1]))).toEqual(content.kept);
  });

  it('a backup that is killed leaves nothing that has the name of a backup, and the server removes its snapshot', async () => {
    const data = join(temporaryDirectory(), 'data');
    const target = join(temporaryDirectory(), 'backup');
    const { url } = await startFilled(data);
    const program = fanfare('store', 'backup', data, target);
    await until('the server makes a snapshot', () => snapshotsIn(data).length > 0);
    process.kill(-(program.process.pid ?? 0), 'SIGKILL');
    await program.exitCode;
    expect(existsSync(target)).toBe(false);
    const names = readdirSync(dirname(target));
    expect(names.filter((name) => !name.startsWith(`${basename(target)}.incomplete-`))).toEqual([]);
    await expectNoSnapshots(data);
    expect(await publishHttp(url, { topic: 'large', message: 'still' })).toMatchObject([{ kind: 'ok' }]);
    expect(await outcome(fanfare('store', 'backup', data, target))).toMatchObject({ code: 0 });
  });

  it('a server that stops during a backup ends as always, and the backup is whole or does not exist', async () => {
    const data = join(temporaryDirectory(), 'data');
    const target = join(temporaryDirectory(), 'backup');
    const { server } = await startFilled(data);
    const program = fanfare('store', 'backup', data, target);
    await until('the server makes a snapshot', () => snapshotsIn(data).length > 0);
    await terminate(server);
    const { code, stderr } = await outcome(program);
    expect(snapshotsIn(data)).toEqual([]);
    expect(existsSync(target), stderr).toBe(code === 0);
    if (code === 0) expect(await outcome(fanfare('store', 'verify', target))).toMatchObject({ code: 0 });
    else expect(stderr).toMatch(/Try again|cannot be written|There is no log/);
  });

  it('the commands of docs/backup.md back up a running server, remove old backups, and restore the data', async () => {
    const parent = temporaryDirectory();
    const [data, copies, bin] = [join(parent, 'data'), join(parent, 'copies'), join(parent, 'bin')];
    for (const directory of [copies, bin]) mkdirSync(directory);
    symlinkSync(fanfarePath, join(bin, 'fanfare'));
    const run = (script: string): void => {
      const adapted = script.replaceAll('/var/lib/fanfare', data).replaceAll('/backup', copies);
      execFileSync('sh', ['-c', adapted], {
        env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
        stdio: ['ignore', 'inherit', 'ignore'],
      });
    };
    const text = readFileSync(new URL('../../../../docs/backup.md', import.meta.url), 'utf8');
    const [nightly = '', restore = ''] = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, script]) => script);
    const { server, url } = await startServerProcess({ data, port: 0 });
    await declareTopics(url, ['news']);
    await publishHttp(url, { topic: 'news', message: 'kept' });
    for (const [name, days] of [
      ['fanfare-old', 20],
      ['fanfare-monday', 2],
    ] as const) {
      mkdirSync(join(copies, name));
      const time = Date.now() / 1_000 - days * 86_400;
      utimesSync(join(copies, name), time, time);
    }
    run(nightly);
    const [today = '', ...others] = readdirSync(copies).toSorted();
    expect(today).toMatch(/^fanfare-\d{4}-\d\d-\d\d$/);
    expect(others).toEqual(['fanfare-monday']);
    await publishHttp(url, { topic: 'news', message: 'after the backup' });
    await terminate(server);
    run(restore.replace('fanfare-monday', today));
    const again = await startServerProcess({ data, port: 0 });
    expect(await contentsOf(again.url)).toEqual(['"kept"']);
    await again.server.program.says('The data directory is a restored backup', 'stderr');
  });

  it('a start removes the snapshots of a server that was killed', async () => {
    const data = temporaryDirectory();
    mkdirSync(join(data, 'snapshot-00ecbac9-b540-4297-abc1-b0014118cfff'));
    await startServer({ data });
    expect(snapshotsIn(data)).toEqual([]);
  });

  it('a backup is refused if its target exists, if there is nothing to copy, and if the server makes no snapshots', async () => {
    const data = temporaryDirectory();
    await startServer({ data });
    const target = join(temporaryDirectory(), 'backup');
    await expect(backupStore(data, temporaryDirectory())).rejects.toThrow(
      'exists already. Name a new directory',
    );
    await expect(backupStore(temporaryDirectory(), target)).rejects.toThrow('There is no log in');
    await expect(backupStore(data, join(target, 'deeper'))).rejects.toThrow('cannot be written: ENOENT');
    // Servers of earlier versions close every connection to their socket.
    const old = temporaryDirectory();
    writeFileSync(join(old, 'log.mdb'), '');
    const socket = createSocket((connection) => connection.destroy());
    onTestFinished(() => void socket.close());
    socket.listen(join(old, 'owner-00ecbac9-b540-4297-abc1-b0014118cfff.sock'));
    await nextEvent(socket, 'listening', 'the socket listens');
    await expect(backupStore(old, target)).rejects.toThrow('or is of an earlier version. Try again, or stop');
    expect(existsSync(target)).toBe(false);
  });
});
