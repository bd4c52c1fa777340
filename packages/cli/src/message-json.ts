import { CommandError, exitCodes } from './exit-codes.ts';

/**
 * Encodes a message as JSON text.
 *
 * @param json - whether the message is JSON already
 * @throws CommandError if `json` is set and the message is not JSON
 */
export function encodeMessage(message: string, json: boolean): string {
  if (!json) return JSON.stringify(message);
  try {
    JSON.parse(message);
    return message;
  } catch {
    throw new CommandError(
      exitCodes.usage,
      `With --json, the message must be JSON. This is not: ${message.slice(0, 100)}`,
    );
  }
}
