import type { RuleSetting } from '@fanfare/server';

/** An identity in the agreement test. */
export interface Asker {
  readonly sub: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly admin: boolean;
}

/** Whether a pattern matches a topic: PROTOCOL 1.2, implemented again without code of the server. */
export function standsFor(pattern: readonly string[], topic: readonly string[]): boolean {
  const [wanted, ...rest] = pattern;
  if (wanted === undefined) return topic.length === 0;
  if (wanted === '**' && rest.length === 0) return true;
  const [segment, ...others] = topic;
  if (segment === undefined) return false;
  return (wanted === '*' || wanted === segment) && standsFor(rest, others);
}

const harmless: Readonly<Record<string, string>> = { '%': '%25', '/': '%2F', '*': '%2A', $: '%24' };

function segmentsOf(pattern: string, sub: string): readonly string[] {
  const own = Array.from(sub, (character) => harmless[character] ?? character).join('');
  return pattern.split('/').map((segment) => (segment === '${sub}' ? own : segment));
}

/** Whether an action is allowed: PROTOCOL 7.4 and 7.5. */
export function isAllowed(
  action: 'publish' | 'subscribe' | 'delete',
  topic: string,
  asker: Asker,
  rules: readonly RuleSetting[],
): boolean {
  if (asker.admin) return true;
  if (action === 'delete') return false;
  const name = topic.split('/');
  for (const pattern of asker[action]) if (standsFor(pattern.split('/'), name)) return true;
  for (const rule of rules) {
    // Which rule is the first does not depend on the subject.
    const anybodys = rule.match.split('/').map((segment) => (segment === '${sub}' ? '*' : segment));
    if (standsFor(anybodys, name))
      return rule[action] === true && standsFor(segmentsOf(rule.match, asker.sub), name);
  }
  return false;
}
