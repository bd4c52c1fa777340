/** What can be wrong, and what to do about it. docs/doctor.md lists the same. */
export interface Finding {
  /** A warning does not stop clients. */
  readonly level: 'problem' | 'warning';
  readonly title: string;
  readonly mend: string;
  /** Lines for the `location` of nginx. */
  readonly nginx?: readonly string[];
}

/** Codes do not change, because scripts use them. */
export type FindingCode =
  | 'host_unknown'
  | 'nothing_listens'
  | 'no_response'
  | 'connection_closed'
  | 'connection_lost'
  | 'not_http'
  | 'certificate_bad'
  | 'gateway_error'
  | 'redirected'
  | 'path_differs'
  | 'prefix_not_removed'
  | 'path_missing'
  | 'http_1_0'
  | 'handshake_refused'
  | 'protocol_old'
  | 'polling_broken'
  | 'polling_cached'
  | 'not_sticky'
  | 'websocket_not_upgraded'
  | 'websocket_off'
  | 'websocket_refused'
  | 'websocket_hangs'
  | 'websocket_buffered'
  | 'websocket_cut'
  | 'upgrade_broken'
  | 'compression_broken'
  | 'websocket_compressed'
  | 'stream_buffered'
  | 'stream_compressed'
  | 'origin_refused'
  | 'host_changed'
  | 'cors_missing'
  | 'cors_twice'
  | 'clock_wrong'
  | 'token_missing'
  | 'token_expired'
  | 'token_early'
  | 'token_refused'
  | 'connect_refused';
