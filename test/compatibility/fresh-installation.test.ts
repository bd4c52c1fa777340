import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { freshInstallation } from './fresh-installation.ts';
import { compatibility, missing } from './suite.ts';

interface Manifest {
  readonly exports?: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

// What users get: the packages as they are packed, and today's versions of all that they need.
const found = await freshInstallation();
if ('reason' in found) missing('a fresh installation', found.reason);
else {
  const { directory, names, versions, remove } = found;
  console.log(`A fresh installation has ${versions}`);
  afterAll(remove);
  compatibility(`a fresh installation (${versions})`, {
    node: process.execPath,
    fanfare: join(directory, 'node_modules/fanfare/bin/fanfare.js'),
    programs: directory,
  });

  test('all that the packages export is in a fresh installation, with its types', () => {
    const modules: string[] = [];
    for (const name of names) {
      const folder = join(directory, 'node_modules', name);
      const { exports = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
      for (const [path, target] of Object.entries(exports)) {
        const files = typeof target === 'string' ? [target] : [target.default, target.types];
        for (const file of files) expect(readFileSync(join(folder, file)).length).toBeGreaterThan(0);
        if (typeof target !== 'string') modules.push(join(name, path));
      }
    }
    expect(modules.length).toBeGreaterThan(5);
    const imports = modules.map((name) => `import '${name}';`).join('\n');
    execFileSync(process.execPath, ['--input-type=module', '-e', imports], { cwd: directory });
  });
}
