import { isDeepStrictEqual } from 'node:util';
import { FanfareError } from '@fanfare/protocol';
import { SettingsError } from './config/resolve-settings.ts';
import { canReload, hasKey, settingNames, type Settings } from './config/settings.ts';
import type { RuleSetting } from './config/rules.ts';
import type { Reloaded } from './http/reload-route.ts';
import type { Logger } from './observability/logger.ts';

export interface ReloaderParts {
  /** The settings in force. */
  readonly settings: Settings;
  /** Reads the settings again. @throws SettingsError */
  readonly read: () => Promise<Settings>;
  /**
   * Prepares everything that can fail, and changes nothing yet.
   *
   * @param next - the settings that will be in force
   * @returns puts them in force; cannot fail
   * @throws SettingsError
   */
  readonly prepare: (next: Settings, changed: ReadonlySet<keyof Settings>) => () => void;
  readonly logger: Logger;
}

/** The settings that decide which tokens are valid. */
export const keySettings = ['key', 'keyFile', 'keyAlgorithm', 'jwksUrl', 'audience', 'issuer'] as const;

/** Reads the settings again while the server runs. Either all of a reload is in force, or nothing. */
export class Reloader {
  readonly #parts: ReloaderParts;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
  }

  /**
   * Reloads, after the reloads that have begun before.
   *
   * @throws FanfareError `settings_invalid` with all problems; then nothing has changed
   */
  reload(): Promise<Reloaded> {
    const reloaded = this.#last.then(() => this.#reload());
    this.#last = reloaded.catch(() => {});
    return reloaded;
  }

  async #reload(): Promise<Reloaded> {
    const { settings, read, prepare, logger } = this.#parts;
    try {
      const given = await read();
      const { changed, needRestart } = compare(settings, given);
      const next = { ...settings, ...Object.fromEntries(changed.map((name) => [name, given[name]])) };
      if (changed.length > 0) prepare(next, new Set(changed))();
      const what = needRestart.length > 0 ? ' Some changes need a restart.' : '';
      logger.info?.({ changed, needRestart }, `The settings were reloaded.${what}`);
      return { changed, needRestart };
    } catch (error) {
      const sentence = 'The settings were not reloaded: the last ones stay in force.';
      if (!(error instanceof SettingsError)) {
        logger.error({ err: error }, sentence);
        throw error;
      }
      const { problems } = error;
      logger.error({ problems }, sentence);
      const fields = problems.map((detail) => ({ field: 'settings', detail }));
      const detail = `The settings were not reloaded. ${problems.join(' ')}`;
      throw new FanfareError('settings_invalid', detail, { fields });
    }
  }
}

/** The changes that can be applied, and those that need a restart. */
function compare(
  settings: Settings,
  next: Settings,
): { readonly changed: readonly (keyof Settings)[]; readonly needRestart: readonly (keyof Settings)[] } {
  const differs = (name: keyof Settings): boolean => !isDeepStrictEqual(settings[name], next[name]);
  // An open server must not close, or a closed one open, while its clients are connected.
  const turnsTokensOnOrOff = hasKey(settings) !== hasKey(next);
  // Webhooks run in the background, with requests under way and with places of their own.
  const changesWebhooks = !isDeepStrictEqual(webhookPart(settings.rules), webhookPart(next.rules));
  const applies = (name: keyof Settings): boolean =>
    canReload(name) &&
    !(turnsTokensOnOrOff && keySettings.some((one) => one === name)) &&
    !(changesWebhooks && name === 'rules');
  const different = settingNames.filter(differs);
  return { changed: different.filter(applies), needRestart: different.filter((name) => !applies(name)) };
}

/**
 * What decides which topics each webhook is told about, and how. The rules after the last one with a webhook
 * do not.
 */
function webhookPart(rules: readonly RuleSetting[]): readonly object[] {
  const last = rules.findLastIndex(({ webhook }) => webhook !== undefined);
  return rules.slice(0, last + 1).map(({ match, webhook }) => ({ match, webhook }));
}

/** @throws FanfareError `not_found` if there is nothing to read the settings from */
export async function reloadOf({ reloader }: { readonly reloader: Reloader | undefined }): Promise<Reloaded> {
  if (!reloader) throw new FanfareError('not_found', 'This server has no `readSettings` to reload from.');
  return reloader.reload();
}
