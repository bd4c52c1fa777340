export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'topics' }
  | { readonly page: 'topic'; readonly topic: string }
  | { readonly page: 'connections'; readonly id?: string }
  | { readonly page: 'try' };

/** Parses the hash of the address. Undefined if it names no page. */
export function parseHash(hash: string): Route | undefined {
  const [, page = '', rest] = /^#\/([a-z]+)(?:\/(.+))?$/s.exec(hash) ?? [];
  const name = rest === undefined ? undefined : decode(rest);
  if (rest !== undefined && name === undefined) return undefined;
  if (page === 'topics') return name === undefined ? { page } : { page: 'topic', topic: name };
  if (page === 'connections') return name === undefined ? { page } : { page, id: name };
  if ((page === 'overview' || page === 'try') && name === undefined) return { page };
  return undefined;
}

export function hrefOf(route: Route): string {
  if (route.page === 'topic') return `#/topics/${encodeURIComponent(route.topic)}`;
  if (route.page === 'connections' && route.id !== undefined)
    return `#/connections/${encodeURIComponent(route.id)}`;
  return `#/${route.page}`;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
