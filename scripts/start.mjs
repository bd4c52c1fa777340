// npm start: from a fresh clone to a running server. What follows `npm start --` goes to `fanfare serve`.
import { bundle } from './bundle.mjs';
import { finishPackages } from './packages.mjs';
import { build, install } from './prepare.mjs';

install();
build('packages/cli');
finishPackages();
await bundle();
// Also when this was not started by npm, what it says to type is what works in a checkout.
process.env['npm_execpath'] ??= 'npm';
process.argv.splice(2, 0, 'serve');
await import('../packages/cli/bin/fanfare.js');
