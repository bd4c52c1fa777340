import { matches, parseInterest, parseTopic } from '@fanfare/protocol';
import type { Identity } from './api-types.ts';

/**
 * Whether somebody may publish to a topic, as far as it can be known here.
 *
 * @param rule - the topic's, where it may be read; it may allow what the token does not
 */
export function mayPublish(
  { admin, publish }: Identity,
  topic: string,
  rule: Readonly<Record<string, unknown>> | undefined,
): boolean {
  if (admin || rule?.['publish'] === true) return true;
  try {
    const name = parseTopic(topic);
    return publish.some((pattern) => matches(parseInterest(pattern), name));
  } catch {
    return false;
  }
}
