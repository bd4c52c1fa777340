import { fixedLimits } from '../limits/fixed-limits.ts';
import { TurnBudget } from '../limits/fair-turns.ts';

const { value: packetsPerTurnMax } = fixedLimits.packetsPerTurnMax;

/** How many packets are taken in a turn, over whatever transport. One for all servers of this process: they have one event loop. */
export const packetTurns: {
  readonly perTurnMax: number;
  readonly leastPerTurn: number;
  readonly together: TurnBudget;
} = { perTurnMax: packetsPerTurnMax, leastPerTurn: 4, together: new TurnBudget(2 * packetsPerTurnMax) };
