export {
  fanoutAdapter,
  isFanoutAdapter,
  type FanoutAdapter,
  type FanoutOptions,
  type OutgoingEvent,
  type Overflow,
} from './fanout-adapter.ts';
