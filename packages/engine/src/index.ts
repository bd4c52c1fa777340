export { LoginRefusal, type App, type Handshake, type Refused } from './app.ts';
export { eventPacket, type Client, type ReceivedEvent } from './client.ts';
export { Engine, type DrainTimes } from './engine.ts';
export { MalformedMessageError } from './message.ts';
export { type EngineOptions } from './options.ts';
export type { Refusal } from './refusal.ts';
export { type Routing, type SessionRouter } from './session-router.ts';
export { type OutgoingPacket } from './transport.ts';
