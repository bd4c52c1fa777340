import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { outcome, Program, temporaryDirectory } from '../packages/cli/test/harness.ts';

/** The folders whose changes only the test sees. */
const own = ['etc', 'opt', 'run', 'srv', 'usr/local', 'var'];

/**
 * A machine for a test that installs and configures things: it sees the programs of this machine. Its changes
 * to `/etc`, `/opt`, `/var` and other folders are gone when the test ends. All its ports are free.
 */
export class FreshRoot {
  readonly #pid: number;

  private constructor(pid: number) {
    this.#pid = pid;
  }

  static async start(): Promise<FreshRoot> {
    const upper = temporaryDirectory();
    const mounts = own.flatMap((folder) => {
      const at = join('/upper', folder);
      return [
        `mkdir -p ${at}/changes ${at}/work`,
        `mount -t overlay overlay -o lowerdir=/${folder},upperdir=${at}/changes,workdir=${at}/work /${folder}`,
      ];
    });
    const script = [
      'set -e',
      'mount --make-rprivate /',
      `mount -t tmpfs -o size=2g tmpfs ${upper}`,
      ...mounts.map((line) => line.replaceAll('/upper', upper)),
      'ip link set lo up',
      // This process holds the name spaces. Everything in them ends with it.
      'echo ready',
      'exec sleep infinity',
    ];
    const flags = ['--mount', '--net', '--pid', '--uts', '--fork', '--kill-child', '--mount-proc'];
    const holder = new Program('unshare', [...flags, 'bash', '-c', script.join('\n')]);
    await holder.says('ready');
    const children = spawnSync('pgrep', ['--parent', String(holder.process.pid)], { encoding: 'utf8' });
    return new FreshRoot(Number(children.stdout));
  }

  /** Starts a command of bash as root. */
  program(command: string, env: Readonly<Record<string, string>> = {}): Program {
    const flags = ['--mount', '--net', '--pid', '--uts', '--target', String(this.#pid)];
    return new Program('nsenter', [...flags, '--', 'bash', '-c', command], env);
  }

  async run(command: string): ReturnType<typeof outcome> {
    return outcome(this.program(command));
  }
}

/** The reason why there can be no fresh root here. */
export function whyNoFreshRoot(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'only root can make one';
  const flags = ['--mount', '--net', '--pid', '--fork'];
  const mount = 'mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && mkdir -p /mnt/a /mnt/b';
  const overlay = 'mount -t overlay overlay -o lowerdir=/opt,upperdir=/mnt/a,workdir=/mnt/b /opt';
  const probe = spawnSync('unshare', [...flags, 'sh', '-c', `${mount} && ${overlay}`]);
  return probe.status === 0 ? undefined : 'an overlay cannot be mounted here';
}
