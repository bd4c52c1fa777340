import { createServer } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { startListening } from '../../../test/waits.ts';
import { fanfare, outcome } from './harness.ts';

const detail = 'The log did not answer in time.';
const problem = JSON.stringify({ code: 'outcome_unknown', status: 503, detail, retryable: true });

/** A server that refuses each publish with an error. */
async function startRefusing(body: string): Promise<string> {
  const http = createServer((request, response) => {
    request.resume();
    response.writeHead(503, { 'content-type': 'application/problem+json', connection: 'close' }).end(body);
  });
  onTestFinished(() => void http.close());
  return `http://localhost:${await startListening(http)}`;
}

it('fanfare pub exits with 6 if the server does not know whether it published the message, and says how to repeat it', async () => {
  const url = await startRefusing(problem);
  const unknown = `It is unknown whether the message was published: ${detail}`;
  expect(await outcome(fanfare('pub', 'news', 'hello', '--url', url))).toEqual({
    code: 6,
    stdout: '',
    stderr: `${unknown}\nWith --id, the command can be repeated: the message is not published twice.\n`,
  });
  expect(await outcome(fanfare('pub', 'news', 'hello', '--id', 'x', '--url', url))).toMatchObject({
    code: 6,
    stderr: `${unknown}\nRepeat the command with the same --id: the message is not published twice.\n`,
  });
  const lines = fanfare('pub', 'news', '-', '--url', url);
  lines.process.stdin?.end('one\ntwo\n');
  expect(await outcome(lines)).toMatchObject({ code: 6, stderr: `${unknown}\n` });
});

it('fanfare pub exits with 1 if the message was not published because it could not be stored', async () => {
  const url = await startRefusing(problem.replace('outcome_unknown', 'storage_unavailable'));
  expect(await outcome(fanfare('pub', 'news', 'hello', '--id', 'x', '--url', url))).toEqual({
    code: 1,
    stdout: '',
    stderr: `Failed to publish message: ${detail}\n`,
  });
});
