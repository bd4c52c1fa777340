// npm start: prepares a fresh clone and starts the server. Arguments after `npm start --` go to
// `fanfare serve`.
import { bundle } from './bundle.mjs';
import { finishPackages } from './packages.mjs';
import { build, install } from './prepare.mjs';

install();
build('packages/cli');
finishPackages();
await bundle();
// Makes the CLI print commands that work in a checkout, even if npm did not start this script.
process.env['npm_execpath'] ??= 'npm';
process.argv.splice(2, 0, 'serve');
await import('../packages/cli/bin/fanfare.js');
