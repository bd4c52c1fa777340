import { createServer } from 'node:http';
import { Server } from 'socket.io';
import type { EngineInside } from './insides/engine-inside.ts';
import type { EngineClass } from './insides/engine-rehearsal.ts';
import { tryEngine } from './insides/engine-trial.ts';
import { tryNode, type NodeInside } from './insides/node-inside.ts';
import { PacedReceivers, tryWs } from './insides/ws-inside.ts';
import type { Logger } from './observability/logger.ts';
import { webSocketEngine, type WsEngine } from './socketio/answer-pings.ts';

/** What of the inside of Node, ws and engine.io can be relied on: each was tried. */
export interface Insides {
  readonly node: NodeInside;
  readonly engine: EngineInside;
  readonly paced: PacedReceivers;
  /** For a Socket.IO server of Fanfare's own. */
  readonly wsEngine?: WsEngine;
}

/** @param theirs - the app's Socket.IO server, which may have another engine.io; without it, Fanfare makes one */
export async function tryInsides(logger: Logger, theirs?: Server): Promise<Insides> {
  const node = await tryNode(logger);
  if (theirs) {
    const engine = await tryEngine(() => engineClassOf(theirs), undefined, logger);
    return { node, engine, paced: new PacedReceivers(logger) };
  }
  const { paced, ...ws } = await tryWs(logger);
  const engine = await tryEngine(() => engineClassOf(inMemory(Server)), webSocketEngine(ws), logger);
  const isPaced = ws.isPaced && engine.webSocketOf !== undefined;
  return { node, engine, paced, wsEngine: webSocketEngine({ ...ws, isPaced }) };
}

/** One that is not attached yet has no engine. */
function engineClassOf(io: Server & { readonly engine?: object }): EngineClass {
  return (io.engine ?? inMemory(io.constructor as typeof Server).engine).constructor as EngineClass;
}

function inMemory(ServerOf: typeof Server): Server {
  return new ServerOf(createServer(), { serveClient: false });
}
