import type { Command } from 'commander';
import { examplesHelp } from '../help.ts';
import { checkOpenFileLimit } from '../open-file-limit.ts';
import { addSettingOptions, type SettingFlags } from './setting-options.ts';

const serveNotes = `
Each option can also be set as an environment variable, or by name in the file
of --config (YAML or JSON).
For example, --key-file is FANFARE_KEY_FILE in the environment and keyFile in
the file. 'fanfare init' writes a file, and 'fanfare config check' checks it.
docs/configuration.md describes each setting.

Times have the unit ms, s, m, h or d (10s), and sizes B, KiB, MiB or GiB
(64MiB). Plain numbers are in milliseconds and bytes.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 the address or the data directory
cannot be used, 2 wrong settings, 4 the data directory is damaged, 5 another
server has taken over the data directory, 129, 130 or 143 stopped by a second
signal.`;

export function addServe(program: Command): void {
  addSettingOptions(program.command('serve').description('Start the server.'))
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare serve --port 7200 --data /var/lib/fanfare', 'Use another port, and another data directory'],
        ['fanfare serve --memory', 'Keep messages in memory only'],
        ['fanfare serve --redis redis://10.0.0.5', 'Share the messages with other servers'],
        ['fanfare serve --host 0.0.0.0 --key-file secret', 'Serve other machines; clients need tokens'],
      ),
    )
    .addHelpText('after', serveNotes)
    .action(async ({ config, ...flags }: SettingFlags) => {
      checkOpenFileLimit();
      const { runServe } = await import('../serve.ts');
      await runServe(flags, config);
    });
}
