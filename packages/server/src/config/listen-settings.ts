import type { SettingKind } from './setting-kind.ts';

/** Where a server of its own listens, beside `host` and `port`, and with which certificate. */
export interface ListenSettings {
  readonly listen: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly adminListen: string;
}

export const listenKinds: { readonly [K in keyof ListenSettings]: SettingKind<ListenSettings[K]> } = {
  listen: {
    group: 'network',
    default: '',
    about:
      'Where to listen in place of host and port: unix:PATH for a Unix domain socket, or systemd for the socket that a systemd socket unit passes.',
  },
  tlsCert: {
    group: 'network',
    default: '',
    about:
      'File with the certificate as PEM, followed by the certificates of its issuers. With it and tlsKey, the server serves https and wss only. The server reads both files again when they change.',
  },
  tlsKey: {
    group: 'network',
    default: '',
    about: 'File with the private key of tlsCert as PEM, not encrypted.',
  },
  adminListen: {
    group: 'network',
    default: '',
    about:
      'Second address for operators: HOST:PORT, or a port alone for 127.0.0.1. It serves /healthz, /readyz, /metrics and /stats without a token, so choose an address that only operators can reach. By default there is none; /healthz and /readyz are then on the main port, and so are /metrics and /stats, for admins.',
  },
};
