export type { Acknowledgement, Envelope, From, Gap } from './envelope.ts';
export { FanfareError, type ClientErrorCode } from './errors.ts';
export {
  connect,
  Fanfare,
  type ConnectOptions,
  type PublishOptions,
  type Status,
  type SubscribeOptions,
} from './fanfare.ts';
export type { HistoryOptions } from './history.ts';
export type { PositionOptions, PositionStorage } from './position.ts';
export type { PublishLimits, PublishResult } from './publisher.ts';
export type { SocketOptions } from './server-address.ts';
export type { Subscription } from './subscription.ts';
export type { TokenSource } from './token.ts';
export type { MessageOf, TopicMap, TopicOf } from './topics.ts';
