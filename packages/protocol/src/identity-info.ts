/** The response to `GET /identity` (PROTOCOL.md 5.10). */
export interface IdentityInfo {
  /** Whether the server needs no tokens. Then every client is an admin. */
  readonly open: boolean;
  /** Absent on an open server. */
  readonly subject?: string;
  readonly admin: boolean;
  /** Topics and patterns that the token allows. Rules may allow more. */
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** When the token expires, in milliseconds since 1970. */
  readonly endsAt?: number;
}

/** The response to `PUT /revocations` (PROTOCOL.md 7.9). */
export interface Revocation {
  readonly subject: string;
  /** Tokens that were issued at this time or earlier are no longer valid. In milliseconds since 1970. */
  readonly time: number;
  /** The number of live connections that were ended. */
  readonly ended: number;
}

/** The acknowledgement of `token` (PROTOCOL.md 7.8). */
export interface TokenRenewed {
  readonly ok: true;
  /** When the token expires, in seconds since 1970. Absent if it never expires, and on an open server. */
  readonly exp?: number;
}
