// npm start: from a fresh clone to a running server. What follows `npm start --` goes to `fanfare serve`.
import { build, install, root } from './prepare.mjs';

install();
build();
process.argv.splice(2, 0, 'serve');
await import(`${root}packages/cli/bin/fanfare.js`);
