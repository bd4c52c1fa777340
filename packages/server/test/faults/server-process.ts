import { fanfarePath, Program } from '../../../cli/test/harness.ts';
import { inNamespace, type Namespace } from '../redis/network-namespaces.ts';

export interface ServeOptions {
  /** The data directory, unless `flags` say where messages are kept. */
  readonly data?: string;
  readonly port: number;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs. By default in the namespace of this process. */
  readonly network?: Namespace | undefined;
}

const greeting = /Fanfare serves on (http:\/\/[^\s"]+)/;

/** A real server in a process of its own, started as a user starts it. */
export class ServerProcess {
  readonly program: Program;

  constructor({ data, port, flags = [], env = {}, network }: ServeOptions) {
    const args = ['serve', '--port', String(port), ...(data === undefined ? [] : ['--data', data]), ...flags];
    const [first = '', ...rest] = [...inNamespace(network), process.execPath, fanfarePath, ...args];
    this.program = new Program(first, rest, env);
  }

  /** Its address, once it serves. */
  async url(): Promise<string> {
    await this.program.says(greeting);
    const [, url] = greeting.exec(this.program.stdout) ?? [];
    if (url === undefined) throw new Error(`no address in ${this.program.stdout}`);
    return url;
  }

  /** Kills it like a crash; resolves once it has ended. */
  async kill(): Promise<void> {
    this.program.process.kill('SIGKILL');
    await this.program.exitCode;
  }
}

/** Stops it like an operator. */
export async function terminate({ program }: ServerProcess): Promise<void> {
  program.process.kill('SIGTERM');
  const code = await program.exitCode;
  if (code !== 0) throw new Error(`ended with ${code}: ${program.stderr}`);
}

export async function startServerProcess(
  options: ServeOptions,
): Promise<{ readonly server: ServerProcess; readonly url: string }> {
  const server = new ServerProcess(options);
  return { server, url: await server.url() };
}
