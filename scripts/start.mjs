// npm start: from a fresh clone to a running server. What follows `npm start --` goes to `fanfare serve`.
import { build, install } from './prepare.mjs';

install();
build('packages/cli');
process.argv.splice(2, 0, 'serve');
await import('../packages/cli/bin/fanfare.js');
