export {
  FanfareError,
  type Envelope,
  type ErrorCode,
  type Problem,
  type PublishResult,
  type Revocation,
  type Stats,
  type Subscribed,
} from '@fanfare/protocol';
export {
  explainSettings,
  resolveSettings,
  SettingsError,
  type ExplainedSettings,
  type SettingsFile,
  type SettingSources,
} from './config/resolve-settings.ts';
export type { Identified, Identify } from './access/identify.ts';
export { attach } from './attach.ts';
export { createServer } from './server.ts';
export type { AttachOptions, Fanfare, FanfareServer, ServerOptions } from './server-options.ts';
export type { Reloaded } from './http/reload-route.ts';
export type { RuleSetting } from './config/rules.ts';
export type { MetricsDocument } from './metrics/exposition.ts';
export type { DeclaredTopic, HistoryOptions, PublishOptions } from './program/program.ts';
export type { From, Gap, SubscribeOptions, Subscription } from './program/program-subscription.ts';
export type { Settings } from './config/settings.ts';
export { didYouMean } from './config/did-you-mean.ts';
export { settingsSchema } from './config/settings-schema.ts';
export { checkSettings, type CheckedSettings } from './check-settings.ts';
export { DataDirectoryError } from './log/store/directory/data-directory.ts';
export { LogDamagedError } from './log/topic-log.ts';
