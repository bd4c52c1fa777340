import { InvalidArgumentError, Option, type Command } from 'commander';
import { examplesHelp } from '../help.ts';
import { interrupt } from '../interrupt.ts';
import { addTokenOptions, targetOfArgument, urlArgument, type TokenFlags } from './options.ts';

const doctorExitCodesHelp = `
Exit codes: 0 no problem (there can be warnings), 1 a problem was found, 2 wrong
usage, 3 the server cannot be reached, or it is not a Socket.IO server, 130
stopped by Ctrl-C, 141 the reader of the output closed it, 143 stopped by
SIGTERM.`;

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('Find out why Socket.IO clients cannot connect, and what to do.')
    .addArgument(urlArgument())
    .addOption(
      new Option(
        '--origin <origin>',
        'origin of the web page that wants to connect, such as https://app.example',
      ).argParser(parseOrigin),
    )
    .option('--json', 'print each check as a line of JSON: {"check", "result", "code", "saw", …}', false);
  addTokenOptions(command)
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare doctor https://rt.example', 'Examine a server, and the proxies in front of it'],
        [
          'fanfare doctor https://rt.example --origin https://app.example',
          'Also examine whether a web page of this origin can connect',
        ],
      ),
    )
    .addHelpText('after', doctorExitCodesHelp)
    .action(doctor);
}

interface DoctorFlags extends TokenFlags {
  readonly origin?: string;
  readonly json: boolean;
}

async function doctor(url: string | undefined, { origin, json, ...flags }: DoctorFlags): Promise<void> {
  process.once('SIGINT', interrupt);
  const { runDoctor } = await import('../doctor/doctor.ts');
  // People copy the path of Socket.IO into the URL too.
  const server = url?.replace(/\/socket\.io\/?$/, '');
  await runDoctor(await targetOfArgument(server, flags), { origin, json });
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.origin === 'null' || url.pathname !== '/')
    throw new InvalidArgumentError('It must be an origin, such as https://app.example.');
  return url.origin;
}
