import type { Check } from './check.ts';
import { clock } from './clock.ts';
import { compression } from './compression.ts';
import { eventStream } from './event-stream.ts';
import { origin } from './origin.ts';
import { path } from './path.ts';
import { protocolVersion } from './protocol-version.ts';
import { reach } from './reach.ts';
import { sessions } from './sessions.ts';
import { token } from './token.ts';
import { upgrade } from './upgrade.ts';
import { websocket } from './websocket.ts';

/** All checks, in their order: each uses what those before it have found out. */
export const checks: readonly Check[] = [
  reach,
  path,
  protocolVersion,
  sessions,
  websocket,
  upgrade,
  compression,
  eventStream,
  origin,
  clock,
  token,
];
