/** A message as a person reads it: a string as it is, any other value as JSON. */
export function messageText(message: unknown): string {
  return typeof message === 'string' ? message : (JSON.stringify(message) ?? 'null');
}

/**
 * Makes control characters visible, but for the line feed and the tabulator: a text from somebody else must not
 * command the terminal, nor change the order in which a line is shown. JSON stays the same JSON.
 */
export function escapeControls(text: string): string {
  return text.replace(
    /[^\P{Cc}\n\t]|\p{Bidi_Control}/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
