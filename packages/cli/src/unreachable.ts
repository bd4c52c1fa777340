import { commandName } from './command-name.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { request, type Answer } from './request.ts';
import type { Target } from './target.ts';

/** How long a server may take to answer the question whether it is one. */
const probeTimeoutMs = 5_000;

/** Says in a sentence why a server cannot be used, from the error of a request. */
export function unreachable({ name }: Target, error: unknown): CommandError {
  return new CommandError(exitCodes.unreachable, `Cannot reach ${name}: ${reasonOf(error)}`);
}

/** Finds out why Socket.IO could not connect, by opening its first page as any HTTP client would. */
export async function explainNoConnection(
  target: Target,
  said: string,
  isRefusal: boolean,
): Promise<CommandError> {
  if (isRefusal) return new CommandError(exitCodes.refused, `${target.name} refused the connection: ${said}`);
  const handshake = `${target.origin}${target.socketPath}?EIO=4&transport=polling`;
  let answer: Answer;
  try {
    answer = await request(handshake, { method: 'GET', timeoutMs: probeTimeoutMs });
  } catch (error) {
    return unreachable(target, error);
  }
  if (answer.status === 200 && answer.body.startsWith('0{')) {
    return new CommandError(exitCodes.unreachable, `${target.name} refused the connection: ${said}.`);
  }
  return new CommandError(
    exitCodes.unreachable,
    `${target.name} answers, but not as a Socket.IO server (HTTP ${answer.status}). Is the URL right?`,
  );
}

function reasonOf(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return 'it does not answer.';
  if (code?.startsWith('HPE_')) return 'it does not speak HTTP.';
  switch (code) {
    case 'EPROTO':
      return 'it does not speak HTTPS.';
    case 'ECONNREFUSED':
      return `nothing listens there. Start a server with: ${commandName()} serve`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'there is no host of that name.';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'it closed the connection without an answer.';
    default:
      return `${message}.`;
  }
}
