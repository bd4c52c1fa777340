import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addBench } from './commands/bench.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfig, addInit } from './commands/config.ts';
import { addDoctor } from './commands/doctor.ts';
import { addHistory, addPub, addSub } from './commands/messages.ts';
import { addServe } from './commands/serve.ts';
import { addStore } from './commands/store.ts';
import { addToken } from './commands/token.ts';
import { addTopics } from './commands/topics.ts';
import { examplesHelp, helpConfiguration } from './help.ts';
import { print } from './output.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Builds the command `fanfare` with all its subcommands. */
export function buildCommandLine(): Command {
  const program = new Command('fanfare')
    .description('A pub/sub server for Socket.IO clients.')
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .configureHelp(helpConfiguration)
    .showSuggestionAfterError()
    .exitOverride();
  program.commandsGroup('Server:');
  const servers = [addServe, addInit, addConfig, addToken, addStore, addDoctor, addBench];
  for (const add of servers) add(program);
  program.commandsGroup('Messages:');
  for (const add of [addSub, addPub, addHistory, addTopics]) add(program);
  program.commandsGroup('More:');
  addCompletion(program);
  program
    .command('version')
    .description('Print the version.')
    .action(() => void print(version));
  for (const command of [program, ...program.commands]) {
    if (command.commands.length > 0) command.helpCommand('help [command]', 'Print the help of a command.');
  }
  return program
    .addHelpText(
      'after',
      examplesHelp(
        ['fanfare serve', 'Start a server on http://localhost:5000, with a console for your browser'],
        ['fanfare sub news', 'In a second terminal: print the messages of a topic'],
        ['fanfare pub news hello', 'In a third terminal: publish a message'],
      ),
    )
    .addHelpText('after', "\nRun 'fanfare COMMAND --help' for the options of a command.");
}
