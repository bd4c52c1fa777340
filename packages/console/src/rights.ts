import {
  matches,
  parseInterest,
  parseTopic,
  type IdentityInfo,
  type RuleDescription,
} from '@fanfare/protocol';

/**
 * Whether a client may publish to a topic, as far as the page can know. The server decides.
 *
 * @param rule - the rule of the topic, if it may be read; it can allow more than the token
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
