import type { FigureName } from '../load/job.ts';
import { runScenario, type ScenarioResult } from '../run.ts';
import type { Scenario } from '../scenario.ts';
import { scenarios } from '../scenarios.ts';
import { smokeFanOut } from '../smoke.ts';
import type { SystemName } from '../systems/names.ts';
import { systemOf } from '../systems/systems.ts';
import { renderScenario } from '../table.ts';
import type { Part, PartOptions, PartResult } from './part.ts';

/** Systems that keep the same, and the first one is a server that is alone. */
const comparisons: readonly {
  readonly kept: string;
  readonly systems: readonly [SystemName, ...SystemName[]];
}[] = [
  { kept: 'nothing kept', systems: ['fanfare', 'fanfare-redis', 'fanfare-pair'] },
  {
    kept: 'the default rule',
    systems: ['fanfare-memory', 'fanfare-disk', 'fanfare-redis-kept', 'fanfare-pair-kept'],
  },
];

const measured = new Set(['window-64', 'topics-100']);

const figures: readonly FigureName[] = [
  'cpuUsPerDelivery',
  'redisCpuUsPerDelivery',
  'publishersCpuUsPerDelivery',
  'deliveriesPerSecond',
  'lastP50Ms',
  'serverBusyPercent',
  'serverWaitingPercent',
  'loadBusyPercent',
];

/** The CPU time of a node for each delivery, beside a server that is alone. */
export const fanOut: Part = {
  id: 'fan-out',
  about: 'CPU time of a node for each delivery, beside a server that is alone',
  placement:
    'The node and Redis run on processor 0, the load on processor 1. With two nodes, the node of the ' +
    "subscribers is measured, and the publishers' node runs on processor 1.",
  run: (options) => (options.isSmall ? smoke(options) : measure(options)),
};

async function measure({ processes, rounds, markdown, onProgress }: PartOptions): Promise<PartResult> {
  const results: ScenarioResult[] = [];
  for (const scenario of scenarios.filter(({ id }) => measured.has(id))) {
    for (const { kept, systems } of comparisons) {
      const compared: Scenario = {
        ...scenario,
        about: `${scenario.about}; ${kept}`,
        figures,
        systems,
        reference: systems[0],
      };
      results.push(await runScenario(compared, systems.map(systemOf), { rounds, processes, onProgress }));
    }
  }
  const failures = results.flatMap(({ id, systems }) =>
    systems.flatMap(({ system, failure }) => (failure === undefined ? [] : [`${id}, ${system}: ${failure}`])),
  );
  if (failures.length > 0) throw new Error(failures.join('\n'));
  const text = results.map((result) => renderScenario(result, { markdown, absent: [] })).join('\n');
  return { text, figures: results };
}

/** `npm run bench -- --smoke` runs the systems with one node. */
async function smoke({ processes }: PartOptions): Promise<PartResult> {
  for (const name of ['fanfare-pair', 'fanfare-pair-kept'] as const)
    await smokeFanOut(systemOf(name), processes);
  return { text: '', figures: {} };
}
