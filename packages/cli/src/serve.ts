import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import {
  checkSettings,
  createServer,
  DataDirectoryError,
  LogDamagedError,
  SettingsError,
  type Settings,
} from '@fanfare/server';
import { hasKey, settingKinds } from '@fanfare/server/settings';
import { commandName, shellWord } from './command-name.ts';
import { endIfWrong, readSettings } from './config.ts';
import { withoutPassword } from './display-text.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { painted, printPainted } from './output.ts';

/**
 * `fanfare serve`: runs a server until SIGINT, SIGTERM, or SIGHUP in a terminal. Before it ends, it
 * acknowledges the publishes that it has already received.
 *
 * @param flags - the settings that are given as flags: text, by the name of the setting
 * @throws CommandError if the settings are wrong, if the address or the data directory cannot be used, or if
 *   another server takes the directory
 */
export async function runServe(
  flags: Readonly<Record<string, unknown>>,
  configPath: string | undefined,
): Promise<void> {
  const read = async (): Promise<Settings> => {
    const { settings: given } = await readSettings({ flags, path: configPath });
    const { problems } = checkSettings(given);
    if (problems.length > 0) throw new SettingsError(problems);
    // An absolute path: a person who reads it in a log may be in another directory.
    return given.redis === '' ? { ...given, data: resolve(given.data) } : given;
  };
  const settings = await read().catch(endIfWrong);
  const server = createServer({ ...settings, readSettings: read });
  // Before the greeting: a program that reads it may send a signal at once.
  const ended = signalled(() => void server.reload().catch(() => {}));
  let hasEnded = false;
  // This also ends a start that waits for the data directory.
  void ended.then(() => {
    hasEnded = true;
    server.stop().catch(() => {});
  });
  const url = await server.start().catch((error: unknown) => {
    if (hasEnded) return undefined;
    if (error instanceof SettingsError) throw new CommandError(exitCodes.usage, error.message);
    if (error instanceof LogDamagedError) throw damaged(error, settings);
    throw new CommandError(exitCodes.refused, cannotStart(error));
  });
  if (url === undefined) return;
  printPainted(greeting(url, server.adminUrl, settings));
  await Promise.race([ended, server.ended]);
  await server.stop();
  const reason = await server.ended;
  if (reason) throw new CommandError(exitCodes.lost, reason.message);
}

/** A server without a key refuses strangers. The greeting says when this protection can fail. */
const forThisMachine =
  'Access:     this machine only. Set a key before you use a proxy: the server cannot detect every proxy.';

/**
 * The text that a started server prints: its URL, commands to subscribe and publish, the place of the
 * messages, and whether clients need tokens.
 */
function greeting(url: string, adminUrl: string | undefined, settings: Settings): string {
  const { open } = settings;
  const command = commandName();
  return [
    ...(url.startsWith('unix:') ? socketLines(url) : urlLines(url)),
    `Messages:   kept in ${placeOf(settings)}`,
    ...(hasKey(settings) ? [`Tokens:     required from every client (${command} token --help)`] : []),
    ...(hasKey(settings) || open ? [] : [forThisMachine]),
    ...(adminUrl === undefined ? [] : [`Operators:  ${adminUrl} (/healthz, /readyz, /metrics and /stats)`]),
  ].join('\n');
}

function urlLines(url: string): readonly string[] {
  const command = commandName();
  const where = url === `http://localhost:${settingKinds.port.default}` ? '' : ` --url ${url}`;
  return [
    `Fanfare serves on ${painted(url, 'cyan')} (open it in a browser, or stop it with Ctrl-C)`,
    `Subscribe:  ${command} sub news${where}`,
    `Publish:    ${command} pub news hello${where}`,
  ];
}

/** Clients need a URL, so a proxy stands between them and a socket. */
function socketLines(url: string): readonly string[] {
  const path = shellWord(url.slice('unix:'.length));
  return [
    `Fanfare serves on ${painted(url, 'cyan')} (stop it with Ctrl-C)`,
    `Check:      curl --unix-socket ${path} http://localhost/readyz`,
  ];
}

/** Where messages are kept, in words. A URL is shown without its password. */
function placeOf({ redis, memory, data }: Settings): string {
  if (redis !== '') return `${painted(withoutPassword(redis))}, together with all servers that use it`;
  return memory ? 'memory, until the server stops' : painted(data);
}

function damaged({ message }: LogDamagedError, { data }: Settings): CommandError {
  return new CommandError(
    exitCodes.damaged,
    `${message} Run \`${commandName()} store verify ${shellWord(data)}\` to list all damage. ` +
      'Export the readable data and import it into a new data directory, or restore a backup.',
  );
}

interface ListenError extends NodeJS.ErrnoException {
  readonly port?: number;
  readonly address?: string;
  readonly hostname?: string;
}

function cannotStart(error: unknown): string {
  // This message already says what to do.
  if (error instanceof DataDirectoryError) return error.message;
  const { code, port, address, hostname, message } = error as ListenError;
  switch (code) {
    case 'EADDRINUSE':
      if (port === undefined || port < 0)
        return `Another program uses ${address}: stop it, or choose another with --listen.`;
      return `Another program uses port ${port}: stop it, or choose another port with --port ${neighbour(port)}.`;
    case 'EMFILE':
    case 'ENFILE':
      return 'The server could not start: too few file descriptors are available. Raise the limit of open files (`ulimit -n`).';
    case 'EACCES':
      if (port === undefined) return couldNotStart(message);
      return `You have no permission for port ${port}: choose one above 1023, such as --port ${settingKinds.port.default}.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${address ?? hostname} is not an address of this machine: choose another with --host.`;
    default:
      return couldNotStart(message);
  }
}

function couldNotStart(reason: string): string {
  return `The server could not start: ${reason}`;
}

function neighbour(port = 0): number {
  return port < 65_535 ? port + 1 : port - 1;
}

const exitCodeOf = {
  SIGINT: exitCodes.interrupted,
  SIGTERM: exitCodes.terminated,
  SIGHUP: exitCodes.hungUp,
} as const;

/**
 * Waits for the signal to stop. A second one ends the program at once.
 *
 * @param reload - called on SIGHUP without a terminal
 */
function signalled(reload: () => void): Promise<void> {
  return new Promise((ended) => {
    let isEnding = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isEnding) process.exit(exitCodeOf[signal as keyof typeof exitCodeOf]);
      isEnding = true;
      ended();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    // A closing terminal sends SIGHUP. For a daemon, the signal means by custom: read the settings again.
    process.on('SIGHUP', isInTerminal() ? onSignal : reload);
    // Without a listener for SIGUSR1, Node would open a port for debuggers.
    process.on('SIGUSR1', () => console.error('SIGUSR1 is ignored: the server opens no debugger port.'));
  });
}

/** False under `nohup`, which replaces the terminal by a file. */
function isInTerminal(): boolean {
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}
