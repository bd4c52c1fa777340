/** The text of a message for people: a string as it is, any other value as JSON. */
export function messageText(message: unknown): string {
  return typeof message === 'string' ? message : (JSON.stringify(message) ?? 'null');
}

/**
 * Escapes control characters, except line feeds and tabs. A foreign text must not control the terminal, or
 * reverse the order in which a line is shown. Escaped JSON is still the same JSON.
 */
export function escapeControls(text: string): string {
  return text.replace(
    /[^\P{Cc}\n\t]|\p{Bidi_Control}/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A URL of Redis for people: without its users and passwords, which can also be in its parameters. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//').replace(/\?.*$/s, '');
}
