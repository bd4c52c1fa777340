import { fileURLToPath } from 'node:url';
import { newestNode } from './node-binaries.ts';
import { compatibility, missing, programs } from './suite.ts';

// The newest release of each major version, except the one that these tests run on.
const majors = [22, 24, 26];
const binaries = await Promise.all(majors.map(async (major) => newestNode(major)));
for (const [index, found] of binaries.entries()) {
  const major = majors[index];
  if ('reason' in found) missing(`Node ${major}`, found.reason);
  else {
    const fanfare = fileURLToPath(new URL('../../packages/cli/bin/fanfare.js', import.meta.url));
    compatibility(`Node ${found.version}`, { node: found.path, fanfare, programs });
  }
}
