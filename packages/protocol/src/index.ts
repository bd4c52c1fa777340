export type {
  ConnectionDetails,
  ConnectionInfo,
  ConnectionPage,
  SubscribedInfo,
  SubscriberInfo,
  SubscriberPage,
} from './connection-info.ts';
export { encodeEnvelope, encodePlain, type EncodedMessage, type Envelope } from './envelope.ts';
export {
  errorCodes,
  FanfareError,
  refuseField,
  type ErrorCode,
  type FieldError,
  type Problem,
  type Refused,
} from './errors.ts';
export { fieldsOf } from './fields.ts';
export type { HistoryPage, HistoryPageBefore } from './history.ts';
export type { IdentityInfo, Revocation, TokenRenewed } from './identity-info.ts';
export { formatOffset, parseOffset, type Offset } from './offset.ts';
export {
  covers,
  isPattern,
  matches,
  overlaps,
  parseInterest,
  type Interest,
  type Pattern,
} from './pattern.ts';
export {
  encodePublishResult,
  idBytesMax,
  messageDepthMax,
  parseId,
  type PublishAnswer,
  type PublishResult,
  type Stored,
} from './publish.ts';
export type { Figures, LogSize, LoopDelay, NodeStats, Stats, WebhookStats } from './stats.ts';
export {
  parseFrom,
  parseSubscribe,
  parseUnsubscribe,
  type Form,
  type From,
  type SubscribeRequest,
  type UnsubscribeRequest,
} from './subscribe-request.ts';
export type {
  FromInput,
  GapEvent,
  StateEvent,
  Subscribed,
  SubscriptionState,
  Unsubscribed,
} from './subscription.ts';
export type { RuleDescription, TopicDetails, TopicInfo, TopicPage } from './topic-info.ts';
export {
  exceedsBytes,
  isReservedTopic,
  parseTopic,
  reservedTopics,
  topicBytesMax,
  type Topic,
} from './topic.ts';
