/**
 * A message as a person reads it: a string as it is, any other value as JSON.
 *
 * @param isTerminal - whether it goes to a terminal, which must not be made to obey escape sequences in it
 */
export function showMessage(message: unknown, isTerminal: boolean): string {
  const text = typeof message === 'string' ? message : (JSON.stringify(message) ?? 'null');
  return isTerminal ? showControls(text) : text;
}

/** Makes control characters visible, but for the line feed and the tabulator. */
export function showControls(text: string): string {
  return text.replace(
    /[^\P{Cc}\n\t]/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
