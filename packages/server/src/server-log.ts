import { maskedValue, settingNames, type Settings } from './config/settings.ts';
import type { Logger } from './observability/logger.ts';
import { version } from './version.ts';

/** Logs the life of a server: one line for each event. */
export class ServerLog {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Logs everything that is in force, without secrets.
   *
   * @param place - where the server listens
   */
  started(
    settings: Settings,
    place: { readonly url?: string; readonly adminUrl?: string | undefined },
  ): void {
    const inForce: Record<string, unknown> = {};
    for (const name of settingNames) inForce[name] = maskedValue(name, settings[name]);
    const fields = { ...place, version, node: process.version, settings: inForce };
    this.#logger.info?.(fields, 'The server has started.');
  }

  stopping(): void {
    this.#logger.info?.({}, 'The server is stopping.');
  }

  stopped(): void {
    this.#logger.info?.({}, 'The server has stopped.');
  }
}
