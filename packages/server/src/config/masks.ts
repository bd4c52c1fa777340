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
