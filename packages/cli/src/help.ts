import { styleText } from 'node:util';
import { Help, type HelpConfiguration } from 'commander';

const columnsMax = 80;
/** The width of the first column. A longer name gets a line of its own. */
const termWidth = 26;

/** The layout of help. It uses at most 80 columns, because longer lines are hard to read. */
export const helpConfiguration: HelpConfiguration = {
  helpWidth: Math.min(columnsMax, process.stdout.columns || columnsMax),
  subcommandTerm: (command) => command.name(),
  optionDescription: ({ description, defaultValue: value, defaultValueDescription, envVar }) => {
    const hasDefault = value !== undefined && value !== false && String(value) !== '';
    const notes = [
      ...(hasDefault ? [`default: ${defaultValueDescription ?? String(value)}`] : []),
      ...(envVar === undefined ? [] : [`env: ${envVar}`]),
    ];
    return notes.length > 0 ? `${description} (${notes.join(', ')})` : description;
  },
  padWidth(command, helper) {
    return Math.min(termWidth, Help.prototype.padWidth.call(this, command, helper));
  },
  formatItem(term, width, description, helper) {
    const format = (text: string): string =>
      Help.prototype.formatItem.call(this, text, width, description, helper);
    const isLong = description !== '' && helper.displayWidth(term) > width;
    return isLong ? `  ${term}\n${format('')}` : format(term);
  },
  // Commander removes the styles if the output is not a terminal, or if NO_COLOR is set.
  styleTitle: (title) => styleText('bold', title, { validateStream: false }),
  styleOptionTerm: (term) => styleText('cyan', term, { validateStream: false }),
  styleSubcommandTerm: (term) => styleText('cyan', term, { validateStream: false }),
  styleArgumentTerm: (term) => styleText('cyan', term, { validateStream: false }),
};

/** Formats examples: commands that can be typed as they are, each with a description. */
export function examplesHelp(...examples: readonly (readonly [command: string, about: string])[]): string {
  const lines = examples.flatMap(([command, about]) => [`  # ${about}`, `  $ ${command}`]);
  return ['', 'Examples:', ...lines].join('\n');
}
