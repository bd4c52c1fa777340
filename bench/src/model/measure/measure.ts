import type { Processes } from '../../processes.ts';
import { median } from '../../table.ts';
import { connect } from './connect.ts';
import { delivery, polling } from './delivery.ts';
import { follow } from './follow.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import { logMemory } from './log-memory.ts';
import { memory } from './memory.ts';
import type { Measurement, Sample } from './sample.ts';

export const measurements: readonly Measurement[] = [
  idle,
  follow,
  connect,
  delivery,
  polling,
  memory,
  logMemory,
  latency,
];

/** Measures constants of the model, and prints the median, the minimum and the maximum of each. */
export async function measureConstants(
  wanted: readonly Measurement[],
  rounds: number,
  processes: Processes,
): Promise<void> {
  for (const { name, run } of wanted) {
    const samples: Sample[] = [];
    for (let round = 0; round < rounds; round++) samples.push(await run(processes));
    for (const constant of Object.keys(samples[0] ?? {}) as (keyof Sample)[]) {
      const values = samples.map((sample) => sample[constant] ?? Number.NaN);
      const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
        value.toPrecision(3),
      );
      console.log(`${name}  ${constant}: ${middle} (${least}–${most})`);
    }
  }
}
