import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { exposureOf } from './access/exposed-file.ts';
import { parseNetworks } from './access/networks.ts';
import { SettingsError } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import { openLog, type OpenedLog, type OpenLogParts } from './compose-log.ts';
import { DataDirectoryError, messageOf } from './log/store/directory/data-directory.ts';
import { webhooksFile } from './log/store/directory/file-names.ts';
import type { Logger } from './observability/logger.ts';
import { suppressRepeats } from './observability/repeat-suppression.ts';
import type { Rule, WebhookRule } from './rules/rule.ts';
import { addressCheck } from './webhooks/addresses.ts';
import { noPlaces, PlaceFile } from './webhooks/position-file.ts';
import { Receiver } from './webhooks/receiver.ts';
import { parseSecrets } from './rules/webhook-secret.ts';
import type { WebhookReports } from './webhooks/webhook.ts';
import { Webhooks, type OpenedWebhook } from './webhooks/webhooks.ts';

export interface OpenedLogAndWebhooks extends OpenedLog {
  /** Undefined if no rule has a webhook. */
  readonly webhooks: Webhooks | undefined;
}

/**
 * Opens the log. Then the webhooks continue where those of the last run stopped.
 *
 * @throws SettingsError if a secret cannot be read; DataDirectoryError if it is not known where to continue;
 *   what {@link openLog} throws
 */
export async function openLogWithWebhooks(
  settings: Settings,
  parts: OpenLogParts,
): Promise<OpenedLogAndWebhooks> {
  const { rules, now, onLost } = parts;
  const logger = suppressRepeats(parts.logger, () => performance.now());
  const webhooks = rules.all.filter(hasWebhook).map((rule) => open(rule, settings, logger));
  let file: PlaceFile | undefined;
  const opened = await openLog(settings, {
    ...parts,
    onLost: (error) => {
      file?.abandon();
      onLost(error);
    },
  });
  if (webhooks.length === 0) return { ...opened, webhooks: undefined };
  const { log } = opened;
  try {
    if (!settings.memory) file = openFile(resolve(settings.data), log.epoch, logger);
    const reports = reportsTo(logger);
    const started = new Webhooks({ webhooks, rules, log, store: file ?? noPlaces, now, reports });
    await started.start();
    return { ...opened, webhooks: started, close: () => started.stop().then(opened.close) };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

function hasWebhook(rule: Rule): rule is OpenedWebhook['rule'] {
  return rule.webhook !== undefined;
}

function open(rule: OpenedWebhook['rule'], { webhookNetworks }: Settings, logger: Logger): OpenedWebhook {
  const url = new URL(rule.webhook.url);
  const isNamed = parseNetworks(webhookNetworks) ?? (() => false);
  const receiver = new Receiver(url, addressCheck(url.protocol === 'https:', isNamed));
  const secrets = readSecrets(rule.webhook, (warning) => logger.warn({}, warning));
  return { rule, url, receiver, secrets };
}

/** @throws SettingsError if the file of the secret cannot be read, or has something else */
export function readSecrets(
  { secret, secretFile = '' }: WebhookRule,
  onWarning: (sentence: string) => void,
): readonly Buffer[] {
  let text = secret;
  try {
    text ??= readFileSync(secretFile, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError([`Cannot read webhook.secretFile '${secretFile}' (${code}).`]);
  }
  const secrets = parseSecrets(text);
  if (!secrets)
    throw new SettingsError([
      `webhook.secretFile '${secretFile}' must have one secret, or two while it is replaced, each on its own line: "whsec_" and 24 to 64 random bytes as base64.`,
    ]);
  const exposure = secret === undefined ? exposureOf(secretFile) : undefined;
  if (exposure !== undefined) onWarning(exposure);
  return secrets;
}

function openFile(directory: string, epoch: string, logger: Logger): PlaceFile {
  try {
    return new PlaceFile(directory, epoch, (err) =>
      logger.error({ err }, 'Cannot store how far the webhooks are: after a restart they repeat messages.'),
    );
  } catch (error) {
    throw new DataDirectoryError(
      `'${webhooksFile}' in the data directory '${directory}' cannot be read: ${messageOf(error)}. It says which messages the ` +
        'webhooks have delivered. Restore it from a backup, or delete it: then webhooks begin with new messages.',
      { cause: error },
    );
  }
}

function reportsTo(logger: Logger): WebhookReports {
  return {
    failing: (webhook, failure) => {
      if (failure)
        logger.warn(
          { webhook, reason: failure.reason },
          `The webhook of '${webhook}' fails (${failure.reason}): it is tried again until it succeeds.`,
        );
      else logger.warn({ webhook }, `The webhook of '${webhook}' works again.`);
    },
    gone: (webhook) =>
      logger.error(
        { webhook },
        `The receiver of the webhook of '${webhook}' has answered 410 (Gone): it gets no more requests until the server is restarted.`,
      ),
    gap: (webhook, { dropped }) =>
      logger.warn(
        { webhook, dropped },
        `Messages for the webhook of '${webhook}' were deleted before they were delivered.`,
      ),
    eventDropped: (webhook) =>
      logger.warn({ webhook }, `Too many events wait for the webhook of '${webhook}': new ones are dropped.`),
    unreadable: (webhook, err) =>
      logger.error({ webhook, err }, `The log cannot be read for the webhook of '${webhook}': trying again.`),
  };
}
