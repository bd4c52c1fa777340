import { CommandError, exitCodes } from './exit-codes.ts';
import { refusalReason, startHint } from './error-hints.ts';
import { request, type Answer } from './http-request.ts';
import type { Target } from './server-target.ts';

/** How long a server can take to respond to a probe. */
const probeTimeoutMs = 5_000;

/** Makes a CommandError from the error of a request. Its message says why the server cannot be reached. */
export function unreachableError(target: Target, error: unknown): CommandError {
  return new CommandError(exitCodes.unreachable, `Cannot reach ${target.name}: ${reasonOf(target, error)}`);
}

/**
 * Finds out why Socket.IO could not connect. It sends the first request of a Socket.IO client, and looks at
 * the response.
 *
 * @param said - the reason that Socket.IO gave
 * @param code - the error code, if Fanfare refused the connection
 */
export async function explainFailedConnection(
  target: Target,
  said: string,
  code: string | undefined,
): Promise<CommandError> {
  if (code !== undefined) {
    const reason = refusalReason(said, code, target);
    return new CommandError(exitCodes.refused, `${target.name} refused the connection: ${reason}`);
  }
  const handshake = `${target.origin}${target.socketPath}?EIO=4&transport=polling`;
  let answer: Answer;
  try {
    answer = await request(handshake, { method: 'GET', timeoutMs: probeTimeoutMs, ca: target.ca });
  } catch (error) {
    return unreachableError(target, error);
  }
  if (answer.status === 200 && answer.body.startsWith('0{')) {
    return new CommandError(exitCodes.unreachable, `${target.name} refused the connection: ${said}.`);
  }
  return new CommandError(
    exitCodes.unreachable,
    `${target.name} responds, but not like a Socket.IO server (HTTP ${answer.status}). Is the URL correct?`,
  );
}

function reasonOf(target: Target, error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return 'it does not respond.';
  if (code?.startsWith('HPE_')) return 'it does not speak HTTP.';
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `its certificate is not trusted (${message}). Name a file with the certificate of its authority with --ca.`;
    case 'EPROTO':
      return 'it does not speak HTTPS.';
    case 'ECONNREFUSED':
      return `nothing listens on this port. ${startHint(target)}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host does not exist.';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'it closed the connection without a response.';
    default:
      return `${message}.`;
  }
}
