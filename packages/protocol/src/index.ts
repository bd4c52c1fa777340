export { encodeEnvelope, encodePlain, type EncodedMessage, type Envelope } from './envelope.ts';
export {
  errorCodes,
  FanfareError,
  refuseField,
  type ErrorCode,
  type FieldError,
  type Problem,
} from './errors.ts';
export { fieldsOf } from './fields.ts';
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
export { idBytesMax, messageDepthMax, parseId, type PublishResult, type Stored } from './publish.ts';
export {
  parseFrom,
  parseSubscribe,
  parseUnsubscribe,
  type Form,
  type From,
  type SubscribeRequest,
  type UnsubscribeRequest,
} from './subscribe.ts';
export {
  exceedsBytes,
  isReservedTopic,
  parseTopic,
  reservedTopics,
  topicBytesMax,
  type Topic,
} from './topic.ts';
