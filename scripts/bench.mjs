// @ts-check
// npm run bench: what follows `npm run bench --` goes to the benchmark.
import { bundle } from './bundle.mjs';
import { build, install } from './prepare.mjs';

install();
build('.');
await bundle();
await import('../bench/dist/main.js');
