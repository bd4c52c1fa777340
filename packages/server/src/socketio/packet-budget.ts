import { ArrivalBudget } from '../limits/arrival-budget.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';

/**
 * The budget for incomplete packets, over any transport. All servers of this process share it, as they share
 * the memory.
 */
export const packetBudget: ArrivalBudget = new ArrivalBudget(fixedLimits.packetsArrivingBytesMax.value);
