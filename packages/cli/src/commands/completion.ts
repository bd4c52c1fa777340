import { readFileSync } from 'node:fs';
import { Argument, type Command } from 'commander';
import { examplesHelp } from '../help.ts';

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('Print a script that completes commands, options and topics in your shell.')
    .addArgument(new Argument('<shell>', 'name of the shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examplesHelp(
        [
          "echo 'source <(fanfare completion bash)' >> ~/.bashrc",
          'Enable completion in bash, from the next terminal on',
        ],
        [
          "echo 'source <(fanfare completion zsh)' >> ~/.zshrc",
          'Enable completion in zsh (the line must follow compinit)',
        ],
        ['fanfare completion fish > ~/.config/fish/completions/fanfare.fish', 'Enable completion in fish'],
      ),
    )
    .action((shell: string) => {
      const script = new URL(`../../completion/fanfare.${shell}`, import.meta.url);
      process.stdout.write(readFileSync(script));
    });
}
