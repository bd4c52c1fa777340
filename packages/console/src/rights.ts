import {
  matches,
  parseInterest,
  parseTopic,
  type IdentityInfo,
  type RuleDescription,
} from '@fanfare/protocol';

/**
 * Whether somebody may publish to a topic, as far as it can be known here.
 *
 * @param rule - the topic's, where it may be read; it may allow what the token does not
 */
export function mayPublish(
  { admin, publish }: IdentityInfo,
  topic: string,
  rule: Pick<RuleDescription, 'publish'> | undefined,
): boolean {
  if (admin || rule?.publish === true) return true;
  try {
    const name = parseTopic(topic);
    return publish.some((pattern) => matches(parseInterest(pattern), name));
  } catch {
    return false;
  }
}
