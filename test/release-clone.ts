import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { outcome, Program } from '../packages/cli/test/harness.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

/** A copy of this checkout with a repository of its own, whose only commit has everything. */
export class ReleaseClone {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** @param isBuilt - with what is installed and built here, so that it can make a release */
  static make({ isBuilt }: { readonly isBuilt: boolean }): ReleaseClone {
    mkdirSync(join(root, 'dist'), { recursive: true });
    // On the same file system as the installed packages, because these are linked.
    const directory = mkdtempSync(join(root, 'dist/clone-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const clone = new ReleaseClone(directory);
    const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
    });
    for (const file of tracked.split('\0').filter((name) => name !== ''))
      cpSync(join(root, file), join(directory, file), { preserveTimestamps: true });
    if (isBuilt) clone.#takeBuilt();
    clone.commit();
    return clone;
  }

  #takeBuilt(): void {
    for (const name of readdirSync(join(root, 'packages')))
      for (const built of readdirSync(join(root, 'packages', name)))
        if (/^(?:dist|node_modules|.*\.tsbuildinfo)$/.test(built))
          this.#link(join('packages', name, built), built === 'node_modules');
    for (const name of readdirSync(join(root, 'node_modules')))
      if (!/^\.(?:cache|vite.*|fanfare-installed)$/.test(name)) this.#link(join('node_modules', name), true);
  }

  /** Commits everything, and says that the installed packages fit. */
  commit(): void {
    const stamp = createHash('sha256').update(this.read('package-lock.json')).digest('hex');
    mkdirSync(join(this.directory, 'node_modules'), { recursive: true });
    writeFileSync(join(this.directory, 'node_modules/.fanfare-installed'), stamp);
    const git = (...args: string[]): void => void execFileSync('git', args, { cwd: this.directory });
    git('init', '--quiet');
    git('add', '--all');
    const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com'];
    git(...identity, 'commit', '--quiet', '--allow-empty', '--message=test: take a state');
  }

  async release(...args: string[]): ReturnType<typeof outcome> {
    return outcome(new Program(process.execPath, [join(this.directory, 'scripts/release.mjs'), ...args]));
  }

  read(path: string): string {
    return readFileSync(join(this.directory, path), 'utf8');
  }

  /** Changes a file. */
  edit(path: string, change: (text: string) => string): void {
    const changed = change(this.read(path));
    if (changed === this.read(path)) throw new Error(`the change of ${path} changes nothing`);
    writeFileSync(join(this.directory, path), changed);
  }

  #link(path: string, isHardLink: boolean): void {
    const target = join(this.directory, path);
    mkdirSync(dirname(target), { recursive: true });
    execFileSync('cp', [isHardLink ? '-al' : '-a', join(root, path), target]);
  }
}
