/** Parses origins that are separated by commas. Returns undefined if a browser could not send one of them. */
export function parseOrigins(text: string): readonly string[] | undefined {
  if (text.trim() === '') return [];
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? origins : undefined;
}

/**
 * Origins are compared exactly, so a text that looks like a pattern would never match. Browsers send `null`
 * for pages from files and in sandboxes.
 */
function isOrigin(text: string): boolean {
  return text === 'null' || (!text.includes('*') && URL.canParse(text) && new URL(text).origin === text);
}

/** The origins of the setting: pages that may connect in addition to those of the server itself. */
export function originsOf({ origins }: { readonly origins: string }): readonly string[] {
  return parseOrigins(origins) ?? [];
}
