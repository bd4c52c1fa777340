import { createServer } from 'node:http';
import { Server } from 'socket.io';
import type { EngineInside } from './insides/engine-inside.ts';
import type { EngineClass } from './insides/engine-rehearsal.ts';
import { tryEngine } from './insides/engine-trial.ts';
import { PacedReceivers, tryWs } from './insides/ws-inside.ts';
import type { Logger } from './observability/logger.ts';
import { webSocketEngine, type WsUses } from './socketio/answer-pings.ts';

/**
 * The private parts of ws and engine.io that passed their trials. Public functions replace the others.
 */
export interface Insides {
  readonly engine: EngineInside;
  readonly paced: PacedReceivers;
  /** For Fanfare's own Socket.IO server. */
  readonly ws?: WsUses;
}

/**
 * Runs all trials. They take about 60 ms in a new process.
 *
 * @param theirs - the app's Socket.IO server, which can have another version of engine.io. Without it,
 *   Fanfare makes its own server
 */
export async function tryInsides(logger: Logger, theirs?: Server): Promise<Insides> {
  if (theirs) {
    const engine = await tryEngine(() => engineClassOf(theirs), undefined, logger);
    return { engine, paced: new PacedReceivers(logger) };
  }
  const { paced, ...ws } = await tryWs(logger);
  const engine = await tryEngine(() => engineClassOf(inMemory(Server)), webSocketEngine(ws), logger);
  const isPaced = ws.isPaced && engine.webSocketOf !== undefined;
  return { engine, paced, ws: { ...ws, isPaced } };
}

function engineClassOf(io: Server & { readonly engine?: object }): EngineClass {
  // Before it is attached, a Socket.IO server has no engine. Only another copy of Socket.IO has another
  // class.
  const other: object = io;
  const ServerOf = other instanceof Server ? Server : (other.constructor as typeof Server);
  return (io.engine ?? inMemory(ServerOf).engine).constructor as EngineClass;
}

function inMemory(ServerOf: typeof Server): Server {
  return new ServerOf(createServer(), { serveClient: false });
}
