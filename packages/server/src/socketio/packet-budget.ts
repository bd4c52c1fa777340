import { ArrivalBudget } from '../limits/arrival-budget.ts';
import { fixedLimits } from '../limits/fixed-limits.ts';

/** The budget for packets that have arrived in part, over any transport. Shared by all servers of this process: they share its memory. */
export const packetBudget: ArrivalBudget = new ArrivalBudget(fixedLimits.packetsArrivingBytesMax.value);
