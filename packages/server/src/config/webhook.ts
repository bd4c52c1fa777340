import { webhookEvents, type Rule, type WebhookRule } from '../rules/rule.ts';
import { parseSecrets } from '../rules/webhook-secret.ts';
import { fieldsOf, type Complain, type RuleProblem } from './rule-fields.ts';

/** A webhook as it is written in a rule. */
export interface WebhookSetting {
  readonly url: string;
  readonly on: readonly ('message' | 'occupied' | 'vacated' | 'closed')[];
  /** `whsec_` and base64; or two of them with a space between them. */
  readonly secret?: string;
  /** A file that has the secret. */
  readonly secretFile?: string;
}

/** Each has connections and a part of the log in memory. */
const webhooksMax = 64;

/** Parses the webhook of a rule. The problems do not quote it, because it has secrets. */
export function parseWebhook(input: unknown, complain: Complain): WebhookRule {
  const fields = fieldsOf(input, ['url', 'on', 'secret', 'secretFile'], (text) => complain([], text));
  const [url, secret, secretFile] = [fields('url'), fields('secret'), fields('secretFile')];
  if (typeof url !== 'string' || !isWebhookUrl(url))
    complain(['url'], 'must be an https URL without a user name and a password');
  const on = parseOn(fields('on'), complain);
  if ((secret === undefined) === (secretFile === undefined))
    complain([], 'needs either secret or secretFile, with the secret that signs its requests');
  else if (secret === undefined) {
    if (typeof secretFile !== 'string' || secretFile === '')
      complain(['secretFile'], 'must be the path of a file');
  } else if (typeof secret !== 'string' || !parseSecrets(secret))
    complain(['secret'], 'must be "whsec_" and 24 to 64 random bytes as base64');
  return {
    url: url as string,
    on,
    ...(secret === undefined ? { secretFile: secretFile as string } : { secret: secret as string }),
  };
}

function parseOn(input: unknown, complain: Complain): WebhookRule['on'] {
  const events: readonly unknown[] = webhookEvents;
  if (Array.isArray(input) && input.length > 0 && input.every((event) => events.includes(event)))
    return input as WebhookRule['on'];
  complain(['on'], `must be an array of ${webhookEvents.map((event) => `"${event}"`).join(', ')}`);
  return [];
}

/** Plain http is possible too, to networks that a setting names. */
function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

/** Finds webhooks that cannot work beside the rest of the rules. */
export function refuseWebhooks(rules: readonly Rule[]): readonly RuleProblem[] {
  const problems: RuleProblem[] = [];
  const matches = new Set<string>();
  for (const [at, { match, template, keep, webhook }] of rules.entries()) {
    if (!webhook) continue;
    const name = template ?? match;
    if (keep === 'none' && webhook.on.includes('message'))
      problems.push({
        at: [at, 'webhook', 'on'],
        text: 'has "message", and keep is "none": only stored messages are sent',
      });
    if (matches.has(name))
      problems.push({ at: [at, 'match'], text: 'is the same as that of an earlier rule with a webhook' });
    matches.add(name);
  }
  if (matches.size > webhooksMax)
    problems.push({ at: [], text: `have ${matches.size} webhooks (limit: ${webhooksMax})` });
  return problems;
}

/** What the webhooks of rules need of the other settings. */
export interface WebhookSurroundings {
  readonly redis: string;
  readonly webhookNetworks: string;
}

/** @returns one sentence for each problem */
export function webhookProblems(
  rules: readonly Rule[],
  { redis, webhookNetworks }: WebhookSurroundings,
): readonly string[] {
  const webhooks = rules.flatMap(({ webhook }) => webhook ?? []);
  const problems: string[] = [];
  if (webhooks.length > 0 && redis !== '')
    problems.push(
      'Rules cannot have a `webhook` together with `redis`: each server would send every message. ' +
        'Remove the webhooks, and run a subscriber with the SDK that makes the requests.',
    );
  if (webhookNetworks === '' && webhooks.some(({ url }) => url.startsWith('http:')))
    problems.push(
      'The `webhook` of a rule has an http URL: use https, or name the private network of the receiver in `webhookNetworks`.',
    );
  return problems;
}
