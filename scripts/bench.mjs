// @ts-check
// npm run bench: what follows `npm run bench --` goes to the benchmark.
import { build, install } from './prepare.mjs';

install();
build('.');
await import('../bench/dist/main.js');
