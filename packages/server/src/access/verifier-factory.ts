import type { Algorithm } from './algorithms.ts';
import { KeyError, parseKeys } from './jwt-keys.ts';
import { JwtVerifier } from './jwt-verifier.ts';
import { KeyFile } from './key-file.ts';
import { KeySet } from './key-set.ts';
import { KeyUrl } from './key-url.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface KeySettings {
  readonly key: string;
  readonly keyFile: string;
  readonly keyAlgorithm: Algorithm | undefined;
  readonly jwksUrl: string;
  readonly audience: string;
  readonly issuer: string;
  /** 0 means no limit. */
  readonly tokenLifetimeMsMax: number;
}

export interface OpenVerifierParts {
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
  /** Called if keys cannot be read again. The last keys stay in use. */
  readonly onFailure: (error: Error, from: 'file' | 'url') => void;
  /** Called with a warning about the keys, one sentence. */
  readonly onWarning: (sentence: string) => void;
}

/**
 * Makes the verifier of tokens. Returns undefined if the settings have no key.
 *
 * @throws KeyError that names the setting
 */
export function openVerifier(
  settings: KeySettings,
  { now, monotonicMs, onFailure, onWarning }: OpenVerifierParts,
): TokenVerifier | undefined {
  const { key, keyFile, keyAlgorithm: algorithm, jwksUrl, audience, issuer, tokenLifetimeMsMax } = settings;
  if (key === '' && keyFile === '' && jwksUrl === '') return undefined;
  const fixed = new KeySet(key === '' ? [] : named('key (--key)', () => parseKeys(key, algorithm)));
  const onChange = (): void => verifier.forget();
  const files =
    keyFile === ''
      ? []
      : named(`keyFile (--key-file) '${keyFile}'`, () => [
          new KeyFile({
            path: keyFile,
            algorithm,
            onChange,
            onFailure: (error) => onFailure(error, 'file'),
            onWarning,
          }),
        ]);
  const url =
    jwksUrl === ''
      ? undefined
      : new KeyUrl({
          url: jwksUrl,
          now: monotonicMs,
          onChange,
          onFailure: (error) => onFailure(error, 'url'),
          onWarning,
        });
  const verifier = new JwtVerifier({
    fixed,
    files,
    url,
    audience: audience === '' ? undefined : audience,
    issuer: issuer === '' ? undefined : issuer,
    lifetimeMsMax: tokenLifetimeMsMax || undefined,
    now,
  });
  return verifier;
}

/** @param setting - the name of the setting, for an error */
function named<T>(setting: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof KeyError) error.message = `${setting}: ${error.message}`;
    throw error;
  }
}
