import type { LogRecord, Page, PageLimit, Position } from '../../topic-log.ts';
import type { At, ReadingLibrary, Run, Runs } from '../library.ts';
import type { PatternFilter } from './pattern-filter.ts';

/** Reads the messages of a pattern: first their order, and then those that the reader wants. */
export async function readPattern(
  reading: ReadingLibrary,
  filter: PatternFilter,
  position: Position,
  limit: PageLimit,
): Promise<At<Page>> {
  const { state, value } = await reading.runs(position);
  const wanted = wantedRuns(value, filter, limit.recordsMax);
  const found =
    wanted.runs.length > 0 ? await reading.records(state.epoch, wanted.runs, limit.bytesMax) : undefined;
  const page = fill(wanted.runs, found?.value ?? [], limit);
  const isAtHead = page.isWhole && wanted.isWhole && value.isComplete;
  const through = page.isWhole && wanted.isWhole ? value.through : page.through;
  const { count } = position.newest ?? {};
  const isNewestOnly = count !== undefined && value.newestThrough > through;
  return {
    state,
    value: {
      records: page.records,
      position: {
        epoch: state.epoch,
        sequence: through,
        changes: value.changes,
        ...(isNewestOnly && { newest: { count, through: value.newestThrough } }),
      },
      isAtHead,
      dropped: page.isLost || filter.isAnyWanted(value.lost) ? 'unknown' : 0,
    },
  };
}

/** The wanted runs, up to a number of records; and whether these are all. */
function wantedRuns(
  { runs }: Runs,
  filter: PatternFilter,
  recordsMax: number,
): { readonly runs: readonly Run[]; readonly isWhole: boolean } {
  const wanted: Run[] = [];
  let left = Math.max(1, recordsMax);
  for (const run of runs) {
    if (!filter.isWanted(run.topic)) continue;
    if (left === 0) return { runs: wanted, isWhole: false };
    wanted.push({ ...run, count: Math.min(run.count, left) });
    if (run.count > left) return { runs: wanted, isWhole: false };
    left -= run.count;
  }
  return { runs: wanted, isWhole: true };
}

/** Takes the records of runs up to the limit of a page. */
function fill(
  runs: readonly Run[],
  found: readonly (readonly LogRecord[])[],
  { bytesMax }: PageLimit,
): {
  readonly records: readonly LogRecord[];
  /** The place up to which these are all records of the runs. */
  readonly through: number;
  readonly isWhole: boolean;
  readonly isLost: boolean;
} {
  const records: LogRecord[] = [];
  let through = 0;
  let bytes = 0;
  let isLost = false;
  for (const [at, { sequence, count }] of runs.entries()) {
    const some = found[at];
    if (!some) return { records, through, isWhole: false, isLost };
    isLost ||= some.length < count;
    for (const record of some) {
      bytes += Buffer.byteLength(record.messageJson);
      if (records.length > 0 && bytes > bytesMax) return { records, through, isWhole: false, isLost };
      records.push(record);
      through = record.sequence;
    }
    through = sequence + count - 1;
  }
  return { records, through, isWhole: true, isLost };
}
