export {
  fanoutAdapter,
  isFanoutAdapter,
  waitingBytesOf,
  type FanoutAdapter,
  type FanoutOptions,
  type OutgoingEvent,
  type Overflow,
} from './fanout-adapter.ts';
