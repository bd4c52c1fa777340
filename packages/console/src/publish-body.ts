/** How the text of the input field is published. */
export type MessageKind = 'text' | 'json';

/** The message as JSON text. Undefined if its kind is JSON, but the text is not. */
export function messageJson(text: string, kind: MessageKind): string | undefined {
  if (kind === 'text') return JSON.stringify(text);
  try {
    JSON.parse(text);
    return text.trim();
  } catch {
    return undefined;
  }
}

/** The body of a publish. It contains the message as it was typed, so that numbers keep their digits. */
export function publishBody(topic: string, message: string, id = ''): string {
  const idField = id === '' ? '' : `, "id": ${JSON.stringify(id)}`;
  return `{"topic": ${JSON.stringify(topic)}, "message": ${message}${idField}}`;
}
