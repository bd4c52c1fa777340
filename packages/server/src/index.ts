export { FanfareError, type ErrorCode, type Problem, type PublishResult } from '@fanfare/protocol';
export {
  resolveSettings,
  SettingsError,
  type SettingsFile,
  type SettingSources,
} from './config/resolve-settings.ts';
export type { Identified, Identify } from './access/identify.ts';
export { attach, createServer } from './server.ts';
export type { AttachOptions, Fanfare, FanfareServer, ServerOptions } from './server-options.ts';
export type { RuleSetting } from './config/rules.ts';
export type { Settings } from './config/settings.ts';
export { DataDirectoryError } from './log/store/data-directory.ts';
export { LogDamagedError } from './log/topic-log.ts';
