import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A connection of Node's HTTP server, which keeps in it the answer whose turn it is. */
export type HttpSocket = Socket & { readonly _httpMessage?: ServerResponse | null };
