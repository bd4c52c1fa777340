import { algorithmOf } from './access/algorithms.ts';
import { KeyError } from './access/jwt-keys.ts';
import { openVerifier } from './access/verifier-factory.ts';
import { rulesOf } from './compose-log.ts';
import { readSecrets } from './compose-webhooks.ts';
import { SettingsError } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import { CertificateError, openCertificate } from './http/certificate.ts';
import { parseRedisUrl } from './log/redis/redis-url.ts';

/** What a start would find out about settings. Each is one sentence. */
export interface CheckedSettings {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads keys, the certificate and the secrets of webhooks. Parses the URL of Redis, and starts nothing. */
export function checkSettings(settings: Settings): CheckedSettings {
  const problems: string[] = [];
  const warnings: string[] = [];
  const onWarning = (sentence: string): void => void warnings.push(sentence);
  const { key, keyFile, redis } = settings;
  const keyAlgorithm = algorithmOf(settings.keyAlgorithm);
  // One at a time, so that a wrong key does not hide a wrong file.
  for (const keys of [
    { key, keyFile: '' },
    { key: '', keyFile },
  ]) {
    try {
      const parts = { now: Date.now, monotonicMs: () => performance.now(), onFailure: () => {}, onWarning };
      openVerifier({ ...settings, ...keys, jwksUrl: '', keyAlgorithm }, parts)?.close();
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      problems.push(error.message);
    }
  }
  try {
    openCertificate(settings, { onWarning, onFailure: () => {} })?.close();
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    problems.push(error.message);
  }
  for (const { webhook } of rulesOf(settings).all) {
    try {
      if (webhook) readSecrets(webhook, onWarning);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      problems.push(...error.problems);
    }
  }
  try {
    if (redis !== '') parseRedisUrl(redis);
  } catch (error) {
    problems.push((error as Error).message);
  }
  return { problems, warnings };
}
