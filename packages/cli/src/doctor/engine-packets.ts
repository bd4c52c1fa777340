/** What a server says when a session opens. */
export interface Opening {
  readonly engineVersion: 3 | 4;
  readonly sid: string;
  readonly upgrades: readonly string[];
}

/** Reads the first packet of a session, from a poll or a websocket. */
export function readOpening(text: string): Opening | undefined {
  // Engine.IO 3 puts the length before each packet of a poll.
  const [, length, json = ''] = /^(\d+:)?0(\{.*\})/s.exec(text) ?? [];
  try {
    const { sid, upgrades } = JSON.parse(firstObject(json)) as { sid?: unknown; upgrades?: unknown };
    if (typeof sid !== 'string') return undefined;
    return {
      engineVersion: length === undefined ? 4 : 3,
      sid,
      upgrades: Array.isArray(upgrades) ? upgrades.map(String) : [],
    };
  } catch {
    return undefined;
  }
}

/** The object of the opening has no nested objects. More packets can follow it. */
function firstObject(text: string): string {
  return text.slice(0, text.indexOf('}') + 1);
}

/** The packets of a poll of Engine.IO 4. */
export function packetsOf(payload: string): readonly string[] {
  return payload.split('\u001e');
}
