// npm run build
import { bundle } from './bundle.mjs';
import { build, install } from './prepare.mjs';

install();
build('.');
await bundle();
