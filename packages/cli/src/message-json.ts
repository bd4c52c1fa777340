import { CommandError, exitCodes } from './exit-codes.ts';

/**
 * A message as JSON text.
 *
 * @throws CommandError when it ought to be JSON, and is not
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
