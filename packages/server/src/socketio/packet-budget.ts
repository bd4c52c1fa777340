import { ArrivalBudget } from '../limits/arrival-budget.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';

/** For packets that have come in part, over whatever transport. One for all servers of this process: they have one memory. */
export const packetBudget: ArrivalBudget = new ArrivalBudget(fixedLimits.packetsArrivingBytesMax.value);
