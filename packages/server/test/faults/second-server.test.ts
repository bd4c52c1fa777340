import { describe, expect, it } from 'vitest';
import { outcome, temporaryDirectory } from '../../../cli/test/harness.ts';
import { declareTopics, publishHttp } from './http.ts';
import { ServerProcess, startServerProcess } from './server-process.ts';

describe('a data directory', () => {
  it('a second server is refused in a clear sentence while another one has the data directory, and the first continues', async () => {
    const data = temporaryDirectory();
    const { url } = await startServerProcess({ data, port: 0 });
    await declareTopics(url, ['news']);
    const { code, stdout, stderr } = await outcome(new ServerProcess({ data, port: 0 }).program);
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(data);
    expect(stderr).toMatch(/^[A-Z][^\n]*\.\n$/);
    expect(await publishHttp(url, { topic: 'news', message: 1 })).toMatchObject([{ kind: 'ok' }]);
  });

  it('a data directory can be opened at once after its server was killed, with all its messages', async () => {
    const data = temporaryDirectory();
    const first = await startServerProcess({ data, port: 0 });
    await declareTopics(first.url, ['news']);
    const request = { topic: 'news', message: 1, id: 'one' };
    const [before] = await publishHttp(first.url, request);
    await first.server.kill();
    const second = await startServerProcess({ data, port: 0 });
    expect(await publishHttp(second.url, request)).toEqual([{ ...before, duplicate: true }]);
  });

  it.each(['an empty one', 'one whose server was killed'])(
    'only one of many servers that start at the same time gets the data directory: %s',
    async (which) => {
      const data = temporaryDirectory();
      if (which !== 'an empty one') await (await startServerProcess({ data, port: 0 })).server.kill();
      const servers = [1, 2, 3].map(() => new ServerProcess({ data, port: 0 }));
      const results = await Promise.all(
        servers.map(async (server) =>
          server.url().then(
            () => 'serves',
            async () => ((await server.program.exitCode) > 0 ? 'refused' : 'ended'),
          ),
        ),
      );
      expect(results.toSorted()).toEqual(['refused', 'refused', 'serves']);
    },
  );
});
