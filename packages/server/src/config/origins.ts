/** Reads origins with commas between them. Undefined when one is none that a browser could send. */
export function parseOrigins(text: string): readonly string[] | undefined {
  if (text.trim() === '') return [];
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? origins : undefined;
}

/** Exact ones: what looks like a pattern would be one that never matches. `null` is what a browser sends for a page that is a file, or in a sandbox. */
function isOrigin(text: string): boolean {
  return text === 'null' || (!text.includes('*') && URL.canParse(text) && new URL(text).origin === text);
}

/** Of the web pages that may connect beside those that the server itself serves. */
export function originsOf({ origins }: { readonly origins: string }): readonly string[] {
  return parseOrigins(origins) ?? [];
}
