import { spawn } from 'node:child_process';
import { delimiter } from 'node:path';
import { soonMs, within } from '../waits.ts';

/** A failure of an npm command. `isUnreachable` means that the registry could not be reached. */
export class NpmError extends Error {
  readonly isUnreachable: boolean;

  constructor(command: string, output: string) {
    super(`npm ${command} failed: ${summaryOf(output)}`);
    this.isUnreachable = unreachable.test(output);
  }
}

const unreachable =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|E(403|407|429|5\d\d)|ERR_SOCKET_TIMEOUT|timed out)\b/;

/** The lines that describe the failure. */
function summaryOf(output: string): string {
  const lines = output.split('\n').filter((line) => /^npm (error|ERR!) (?!A complete log)/.test(line));
  const texts = lines
    .map((line) => line.replace(/^npm (error|ERR!) /, '').trim())
    .filter((text) => text !== '');
  return texts.slice(0, 4).join('; ') || output.trim() || 'it did not say why';
}

export interface NpmOptions {
  readonly registry?: string | undefined;
  /** The folder with the Node for npm, and the npm, if it is not the usual one. */
  readonly bin?: string | undefined;
  /** How long one request to the registry can take. 20 seconds by default. */
  readonly requestTimeoutMs?: number;
}

/** How long npm can take, with all of its requests. */
const timeoutMs = 300_000;

/**
 * Runs npm.
 *
 * @returns what it printed
 * @throws NpmError
 */
export async function npm(cwd: string, args: readonly string[], options: NpmOptions = {}): Promise<string> {
  const { registry, bin, requestTimeoutMs = 20_000 } = options;
  // The default retries would delay the tests for minutes when there is no network.
  const network = [
    '--fetch-retries=1',
    '--fetch-retry-mintimeout=1000',
    `--fetch-timeout=${requestTimeoutMs}`,
  ];
  if (registry !== undefined) network.push(`--registry=${registry}`);
  const child = spawn('npm', [...args, ...network], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(bin !== undefined && { PATH: pathWith(bin) }) },
    shell: process.platform === 'win32',
    timeout: timeoutMs,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const closed = new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...ended) => resolve(ended));
  });
  // This limit is longer than the time after which npm is ended.
  const [code, signal] = await within(timeoutMs + soonMs, `npm ${args[0]} ends`, closed, () => stderr);
  if (signal !== null) stderr += `\nnpm error timed out after ${timeoutMs} ms`;
  if (code !== 0) throw new NpmError(args[0] ?? '', stderr);
  return stdout;
}

function pathWith(bin: string): string {
  return `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
}
