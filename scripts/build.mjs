// npm run build
import { bundle } from './bundle.mjs';
import { finishPackages } from './packages.mjs';
import { build, install } from './prepare.mjs';

install();
build('.');
finishPackages();
await bundle();
