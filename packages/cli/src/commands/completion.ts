import { readFileSync } from 'node:fs';
import { Argument, type Command } from 'commander';
import { examplesHelp } from '../help.ts';

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('Print what makes a shell complete commands, options and topics.')
    .addArgument(new Argument('<shell>', 'which one').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examplesHelp(
        ["echo 'source <(fanfare completion bash)' >> ~/.bashrc", 'From the next terminal on'],
        ["echo 'source <(fanfare completion zsh)' >> ~/.zshrc", 'The same, after compinit'],
        ['fanfare completion fish > ~/.config/fish/completions/fanfare.fish', 'The same'],
      ),
    )
    .action((shell: string) => {
      const script = new URL(`../../completion/fanfare.${shell}`, import.meta.url);
      process.stdout.write(readFileSync(script));
    });
}
