export { fanoutAdapter, type FanoutOptions, type Overflow } from './fanout-adapter.ts';
