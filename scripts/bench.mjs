// @ts-check
// npm run bench: what follows `npm run bench --` goes to the benchmark.
import { bundle } from './bundle.mjs';
import { finishPackages } from './packages.mjs';
import { build, install } from './prepare.mjs';

install();
build('.');
finishPackages();
await bundle();
await import('../bench/dist/main.js');
