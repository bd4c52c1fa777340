import type { SubscriberKind } from '../continuity/subscribers.ts';
import type { Program } from '../processes.ts';
import { serve } from '../systems/fanfare.ts';
import { socketIoNode } from '../systems/socket-io-pair.ts';

/** Two nodes with their usual clients. */
export interface NodeContestant {
  readonly name: string;
  readonly subscriber: SubscriberKind;
  /** A node. */
  readonly program: (port: number, redisPort: number) => Program;
}

const fanfareNode = (port: number, redisPort: number): Program =>
  serve([`--port=${port}`, '--redis', `redis://127.0.0.1:${redisPort}`]);

export const nodeContestants: readonly NodeContestant[] = [
  { name: 'fanfare, SDK', subscriber: 'sdk', program: fanfareNode },
  { name: 'fanfare, resume rule', subscriber: 'rule', program: fanfareNode },
  {
    name: 'redis-adapter',
    subscriber: 'stock',
    program: (port, redisPort) => socketIoNode('redis', port, redisPort),
  },
  {
    name: 'redis-streams-adapter',
    subscriber: 'stock',
    program: (port, redisPort) => socketIoNode('redis-streams', port, redisPort, true),
  },
];
