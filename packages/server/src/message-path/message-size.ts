import { messageDepthMax, type FanfareError } from '@fanfare/protocol';
import { fixedLimits } from '../limits/fixed-limits.ts';
import { structureOf, type JsonValue } from './json-text.ts';
import { tooDeep, tooLarge, tooManyContainers } from './refusals.ts';

/**
 * The allowance for the rest of a publish beside its message: `topic`, `id`, white space and unknown members.
 */
const envelopeCharacters = 65_536;
const envelopeContainers = 16;

/** The number of arrays and objects that is always allowed, however low `publishBytesMax` is. */
const containersAlways = 1_024;

/**
 * Refuses the text of a publish that would take long to parse. Whether the message in it is within the limits
 * is known only after parsing: {@link checkMessage}.
 *
 * @param text - need not be JSON
 */
export function refusalBySize(text: string, publishBytesMax: number): FanfareError | undefined {
  if (text.length > publishBytesMax + envelopeCharacters) return tooLarge(publishBytesMax);
  const containersMax = containersMaxOf(publishBytesMax) + envelopeContainers;
  if (text.length <= containersMax) return undefined;
  const { containers, depth } = structureOf(text, containersMax);
  if (depth > messageDepthMax + envelopeContainers) return tooDeep();
  return containers > containersMax ? tooManyContainers(containersMaxOf(publishBytesMax)) : undefined;
}

/** @throws FanfareError `payload_too_deep`, `payload_too_large` */
export function checkMessage({ text, depth, containers }: JsonValue, publishBytesMax: number): void {
  if (depth > messageDepthMax) throw tooDeep();
  if (Buffer.byteLength(text) > publishBytesMax) throw tooLarge(publishBytesMax);
  const containersMax = containersMaxOf(publishBytesMax);
  if (containers > containersMax) throw tooManyContainers(containersMax);
}

/** The limit for arrays and objects: the time to parse depends on them rather than on bytes. */
function containersMaxOf(publishBytesMax: number): number {
  return Math.max(containersAlways, Math.ceil(publishBytesMax / fixedLimits.bytesPerContainer.value));
}
