import type { Limit } from './limit-kind.ts';
import type { RuleSetting } from './rules.ts';

export type SettingValue = string | number | boolean | readonly RuleSetting[];

/** The groups of the settings in help and in files, in their order. */
export const settingGroups = ['common', 'storage', 'access', 'limits', 'network'] as const;

export type SettingGroup = (typeof settingGroups)[number];

/** A setting: its default, its bounds and its texts. */
export interface SettingKind<T extends SettingValue> {
  readonly default: T;
  /** The description for people. `fanfare serve --help` shows its first sentence only. */
  readonly about: string;
  /** The group in help. Without one, a limit is in the group `limits`. */
  readonly group?: SettingGroup;
  readonly min?: number;
  readonly max?: number;
  /** A second environment variable beside `FANFARE_…`, if there is a customary name, such as `PORT`. */
  readonly alsoEnv?: string;
  /** Whether the value is secret: errors, logs and `fanfare config print` must not show it. */
  readonly isSecret?: boolean;
  /** Whether a reload applies a change. Other changes need a restart. All limits can be reloaded. */
  readonly canReload?: boolean;
  /** Present if the setting is a limit for clients. */
  readonly limit?: Limit;
}
