import { measureAdapters } from './adapters/main.ts';
import { help, parseArguments, UsageError, type Arguments } from './arguments.ts';
import { measureCluster } from './cluster/main.ts';
import { measureContinuity } from './continuity/main.ts';
import { choosePinning, describeMachine, machineText } from './machine.ts';
import { runModel } from './model/main.ts';
import { Processes, type Pinning } from './processes.ts';
import { runScenario, takesPart, type ScenarioResult } from './run.ts';
import { saveJson } from './save-json.ts';
import { smoke } from './smoke.ts';
import { renderScenario } from './table.ts';

const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130, terminated: 143 } as const;

const [first, ...rest] = process.argv.slice(2);

try {
  if (first === 'continuity') endWith(await measureContinuity(rest, startProcesses(undefined)));
  else if (first === 'cluster') endWith(await measureCluster(rest, startProcesses));
  else if (first === 'adapters') endWith(await measureAdapters(rest, startProcesses));
  else if (first === 'model') await runModel(rest, startProcesses(undefined));
  else process.exitCode = await main(parseArguments(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\nSee: npm run bench -- --help`);
  process.exitCode = exitCodes.usage;
}

function endWith(isFine: boolean): void {
  process.exitCode = isFine ? exitCodes.ok : exitCodes.failed;
}

async function main(args: Arguments): Promise<number> {
  if (args.action === 'help') {
    console.log(help);
    return exitCodes.ok;
  }
  if (args.action === 'list') {
    for (const { id, about } of args.scenarios) console.log(`${id.padEnd(26)}${about}`);
    console.log(`systems: ${args.systems.map(({ name }) => name).join(', ')}`);
    return exitCodes.ok;
  }
  const pinning = choosePinning();
  const processes = startProcesses(pinning);
  const installed = withoutMissing(args);
  if (args.action === 'smoke') return smokeAll(installed, processes);
  return measureAll(installed, processes);
}

/** None of these processes outlives this one, however it ends. */
function startProcesses(pinning: Pinning | undefined): Processes {
  const processes = new Processes(pinning);
  process.once('exit', () => processes.close());
  process.once('SIGINT', () => process.exit(exitCodes.interrupted));
  process.once('SIGTERM', () => process.exit(exitCodes.terminated));
  return processes;
}

/** Names the systems that are not installed, and skips them. */
function withoutMissing(args: Arguments): Arguments {
  for (const system of args.systems) {
    const missing = system.missing();
    if (missing !== undefined) console.error(`${system.name} is left out: ${missing} is not installed.`);
  }
  return { ...args, systems: args.systems.filter((system) => system.missing() === undefined) };
}

async function smokeAll({ systems }: Arguments, processes: Processes): Promise<number> {
  let isFine = true;
  for (const system of systems) {
    try {
      const ids = await smoke(system, processes);
      console.log(`${system.name}: ${ids.join(', ')} delivered as published`);
    } catch (error) {
      isFine = false;
      console.log(`${system.name}: WRONG. ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return isFine ? exitCodes.ok : exitCodes.failed;
}

async function measureAll(args: Arguments, processes: Processes): Promise<number> {
  const { scenarios, systems, rounds, jsonPath, markdown } = args;
  const machine = describeMachine(choosePinning());
  const versions = Object.fromEntries(systems.map((system) => [system.name, system.version()]));
  const begun = new Date().toISOString();
  const results: ScenarioResult[] = [];
  console.log(`${machineText(machine)}\n`);
  console.log(
    `${Object.entries(versions)
      .map((entry) => entry.join(' '))
      .join(', ')}\n`,
  );
  const save = (): void => saveJson(jsonPath, { begun, machine, versions, rounds, results });
  save();
  for (const scenario of scenarios) {
    const onProgress = (text: string): void => console.error(text);
    const result = await runScenario(scenario, systems, { rounds, processes, onProgress });
    const isOpen = scenario.systems === undefined;
    const absent = systems
      .filter((system) => isOpen && !takesPart(system, scenario) && !system.isOnlyWhereNamed)
      .map(({ name }) => name);
    results.push(result);
    console.log(renderScenario(result, { markdown, absent }));
    // After each scenario, because the next one may be interrupted.
    save();
  }
  const failures = results.flatMap(({ id, systems: all }) =>
    all.flatMap(({ system, failure }) => (failure === undefined ? [] : [`${id}, ${system}: ${failure}`])),
  );
  for (const failure of failures) console.log(failure);
  return failures.length === 0 ? exitCodes.ok : exitCodes.failed;
}
