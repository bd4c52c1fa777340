/*
 * The parts of an outbox that know nothing of Socket.IO: frames, their chains, and how they are written. A
 * client end of another kind can use them. The files in this folder import nothing from outside of it, except
 * Node's modules.
 */
export { Backlog, type Backlogged } from './backlog.ts';
export { DirectWrites } from './direct-writes.ts';
export { FlushSchedule, type Flushable } from './flush-schedule.ts';
export { FrameChains, pieceOf, type FrameChain, type PieceOf } from './frame-chain.ts';
export { Frame, HeldFrames } from './frame.ts';
export { KernelWriter } from './kernel-writer.ts';
export { encodeTextFrames } from './websocket-frames.ts';
export { proveDirectWrites } from './write-trial.ts';
