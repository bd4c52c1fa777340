import type { RuleSetting } from './rules.ts';

/** What is shown in place of a secret. */
export const mask = '********';

/**
 * The URL of Redis without users, passwords and parameters. Only a URL of the usual form is shown: in others,
 * it is not clear where a password ends.
 */
export function maskedUrl(url: string): string {
  const form = /^([a-z+]+:\/\/)(?:[^@/?#]*@)?([\w.:,[\]-]+(?:\/[\w/-]*)?)(\?[^@]*)?$/;
  const [, scheme, place, query] = form.exec(url) ?? [];
  if (scheme === undefined || place === undefined) return mask;
  const login = url.startsWith(`${scheme}${place}`) ? '' : `${mask}@`;
  return `${scheme}${login}${place}${query === undefined ? '' : `?${mask}`}`;
}

/** The rules as they can be shown. The path of a URL of a webhook can be a secret of its receiver. */
export function maskedRules(rules: readonly RuleSetting[]): readonly RuleSetting[] {
  return rules.map((rule) => {
    if (!rule.webhook) return rule;
    const { origin, pathname, search } = new URL(rule.webhook.url);
    const url = pathname + search === '/' ? origin : `${origin}/${mask}`;
    const hidden = rule.webhook.secret === undefined ? {} : { secret: mask };
    return Object.assign({}, rule, { webhook: { ...rule.webhook, url, ...hidden } });
  });
}
