import { choose, parseOptions, UsageError } from '../arguments.ts';
import type { Processes } from '../processes.ts';
import { check, renderCheck, usualCheck } from './check.ts';
import { constants, values } from './constants.ts';
import { measureConstants, measurements } from './measure/measure.ts';
import { renderKind, renderLogs, sizes } from './report.ts';
import { kinds, usualHardware, type Hardware, type Kind, type Workload } from './workload.ts';

const help = `npm run bench -- model [options]

Calculates what a Fanfare of many nodes needs. Without options: four kinds of workloads, four numbers of clients.

  --kind NAMES       only these kinds, with commas between them: ${kinds.map(({ name }) => name).join(', ')}
  --clients NUMBERS  instead of ${sizes.join(',')}
  --set NAME=NUMBER  changes a workload or the hardware, for example messageBytes=1000 (see workload.ts)
  --constants        print the constants
  --measure NAMES    measure constants: all, or ${measurements.map(({ name }) => name).join(', ')}
  --rounds N         how often each is measured (3)
  --check            run three real nodes, and compare them with the model`;

const options = {
  kind: { type: 'string', multiple: true },
  clients: { type: 'string' },
  set: { type: 'string', multiple: true },
  constants: { type: 'boolean' },
  measure: { type: 'string' },
  rounds: { type: 'string' },
  check: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** `npm run bench -- model`. @throws UsageError */
export async function runModel(args: readonly string[], processes: Processes): Promise<void> {
  const flags = parseOptions(args, options);
  if (flags.help) console.log(help);
  else if (flags.constants) printConstants();
  else if (flags.measure !== undefined) {
    const names = flags.measure === 'all' ? undefined : [flags.measure];
    const wanted = choose('measurement', names, measurements, ({ name }) => name);
    await measureConstants(wanted, numberOf('--rounds', flags.rounds ?? '3'), processes);
  } else if (flags.check) {
    console.log(renderCheck(await check(usualCheck, processes, values)));
  } else printModel(flags);
}

function printModel({ kind, clients, set = [] }: ReturnType<typeof parseOptions<typeof options>>): void {
  const wanted = choose('kind', kind, kinds, ({ name }) => name);
  const counts = clients?.split(',').map((text) => numberOf('--clients', text)) ?? sizes;
  const [first] = wanted;
  // The clients have a flag of their own.
  const { clients: _clients, ...known } = { ...usualHardware, ...first?.workload(1) };
  const changes: Record<string, number> = {};
  for (const text of set) {
    const [name = '', number = ''] = text.split('=');
    if (!(name in known))
      throw new UsageError(`--set knows no '${name}', but: ${Object.keys(known).join(', ')}.`);
    changes[name] = numberOf(`--set ${name}`, number, mayBeZero.test(name));
  }
  const hardware: Hardware = { ...usualHardware, ...changes };
  const changed = wanted.map(({ name, about, workload }): Kind => ({
    name,
    about,
    workload: (count): Workload => ({ ...workload(count), ...changes }),
  }));
  for (const each of changed) console.log(renderKind(each, counts, hardware, values));
  console.log('With how many clients the first part is full, and which part:\n');
  console.log(renderLogs(changed, hardware, values));
}

function printConstants(): void {
  for (const [name, { value, range, unit, measuredBy, about }] of Object.entries(constants))
    console.log(`${name.padEnd(26)} ${value} ${unit} (${range.join('–')}), ${measuredBy}: ${about}`);
}

/** What can be absent. Everything else of a workload is divided by. */
const mayBeZero = /Share$|^keep|^id|^reconnects/;

function numberOf(flag: string, text: string, isZeroFine = false): number {
  const number = Number(text);
  if (text !== '' && Number.isFinite(number) && (number > 0 || (number === 0 && isZeroFine))) return number;
  throw new UsageError(`${flag} takes a number ${isZeroFine ? 'from' : 'greater than'} 0, not '${text}'.`);
}
