// @ts-check
// npm run bench: arguments after `npm run bench --` go to the benchmark.
import { bundle } from './bundle.mjs';
import { finishPackages } from './packages.mjs';
import { build, install } from './prepare.mjs';

install();
build('.');
finishPackages();
await bundle();
await import('../bench/dist/main.js');
