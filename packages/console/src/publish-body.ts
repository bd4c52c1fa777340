/** How what is in the field is meant. */
export type MessageKind = 'text' | 'json';

/** The message as JSON text. Undefined when it was to be JSON and is not. */
export function messageJson(text: string, kind: MessageKind): string | undefined {
  if (kind === 'text') return JSON.stringify(text);
  try {
    JSON.parse(text);
    return text.trim();
  } catch {
    return undefined;
  }
}

/** A publish. The message is in it as it was typed: numbers keep their digits. */
export function publishBody(topic: string, message: string, id = ''): string {
  const idField = id === '' ? '' : `, "id": ${JSON.stringify(id)}`;
  return `{"topic": ${JSON.stringify(topic)}, "message": ${message}${idField}}`;
}
