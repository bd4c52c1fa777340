import type { SettingKind } from './setting-kind.ts';

/** Which tokens are valid. */
export interface AccessSettings {
  readonly key: string;
  readonly keyFile: string;
  readonly keyAlgorithm: string;
  readonly jwksUrl: string;
  readonly audience: string;
  readonly issuer: string;
  readonly tokenLifetimeMsMax: number;
}

export const accessKinds: { readonly [K in keyof AccessSettings]: SettingKind<AccessSettings[K]> } = {
  key: {
    group: 'access',
    default: '',
    canReload: true,
    isSecret: true,
    about:
      'Key that verifies the tokens of clients: a secret of at least 32 bytes, a public key as PEM, or a JWK or JWK set as JSON. With a key, every client needs a token. Other users of the machine can read flags, so prefer keyFile.',
  },
  keyFile: {
    group: 'common',
    default: '',
    canReload: true,
    about:
      'File with the key that verifies the tokens of clients; with it, every client needs a token. The file contains what `key` accepts. The server reads the file again when it changes.',
  },
  keyAlgorithm: {
    group: 'access',
    default: '',
    canReload: true,
    about:
      'The only algorithm that a secret or PEM key is used with: HS256, HS384, HS512, RS256, PS256, ES256 or EdDSA. The default is the one of HS256, RS256, ES256 and EdDSA that fits the key. A JWK names its own algorithm, in alg.',
  },
  jwksUrl: {
    group: 'access',
    default: '',
    canReload: true,
    about:
      'URL of a JWK set, such as that of an identity provider. Keys that cannot be used are ignored. The server fetches the set when the first token or /readyz asks for it, every 10 minutes, and when a token names an unknown key. It waits at least 30 seconds between fetches, or 5 seconds while the URL does not respond.',
  },
  audience: {
    group: 'access',
    default: '',
    canReload: true,
    about:
      'Audience that tokens must name in aud. Without this setting, tokens with an aud are refused: they are meant for others.',
  },
  issuer: {
    group: 'access',
    default: '',
    canReload: true,
    about:
      'Issuer that tokens must name in iss, character for character. Without this setting, iss is not checked.',
  },
  tokenLifetimeMsMax: {
    group: 'access',
    default: 0,
    min: 0,
    max: 3_155_760_000_000,
    about:
      'Maximum lifetime of tokens, from iat to exp; 0 means no limit. Tokens with a longer lifetime or without iat are refused. The server remembers a revoked subject for this long, and with 0 permanently.',
  },
};
