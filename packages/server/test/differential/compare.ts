import { inspect } from 'node:util';
import type { Action, Sequence } from './actions.ts';
import type { StartedEnd } from './app.ts';
import type { Heard, Step, Transcript } from './player.ts';
import { play } from './player.ts';
import { inMemory, type OpenWire } from './wire.ts';

/** A part of what came over a connection in which two servers differ. */
export interface Difference {
  readonly action: Action;
  readonly connection: string;
  /** `status`, `header NAME`, `body`, `frames`, `end` … */
  readonly part: string;
  readonly stock: string;
  readonly other: string;
  /** The actions up to this one, and with it. */
  readonly actions: Sequence;
  /** All frames that stock Socket.IO has sent over the connection so far. */
  readonly frames: readonly string[];
}

interface MeantDifferenceBase {
  /** A sentence about what the end does. */
  readonly what: string;
  readonly why: string;
  /** A short sequence with this difference. It shows that the difference still exists. */
  readonly example: Sequence;
}

/** A difference in the wording or order of answers. It can come together with others. */
export interface MeantWording extends MeantDifferenceBase {
  /** @returns an answer in the words in which both servers have it */
  readonly without: (answer: string) => string;
}

/** A difference in what a server does. */
export interface MeantBehaviour extends MeantDifferenceBase {
  /** Whether the two servers have different sessions afterwards. Then no further step is compared. */
  readonly isLast: boolean;
  /**
   * @param difference - in the words of both servers
   * @param step - everything that differs in the same step, this difference included
   */
  readonly matches: (difference: Difference, step: readonly Difference[]) => boolean;
}

/** A difference that is meant. */
export type MeantDifference = MeantWording | MeantBehaviour;

/** Starts a server for one sequence. */
export type StartEnd = () => StartedEnd;

export interface Verdict {
  /** All differences of the first step with a difference that nobody meant. */
  readonly unlisted: readonly Difference[];
  readonly listed: ReadonlySet<MeantDifference>;
}

/** Compares two servers: stock Socket.IO, and another end. */
export class Comparer {
  readonly #stock: StartEnd;
  readonly #other: StartEnd;
  readonly #meant: readonly MeantDifference[];
  readonly #openWire: OpenWire;

  constructor(
    stock: StartEnd,
    other: StartEnd,
    meant: readonly MeantDifference[],
    openWire: OpenWire = inMemory,
  ) {
    this.#stock = stock;
    this.#other = other;
    this.#meant = meant;
    this.#openWire = openWire;
  }

  /** Plays a sequence against both servers, and compares what comes back. */
  async compare(sequence: Sequence): Promise<Verdict> {
    const stock = await play(sequence, this.#stock(), this.#openWire);
    return judge(stock, await play(sequence, this.#other(), this.#openWire), this.#meant);
  }

  /** The meant differences whose example does not show them any more. */
  async stale(): Promise<readonly MeantDifference[]> {
    const stale = [];
    for (const one of this.#meant) {
      const { listed } = await this.compare(one.example);
      if (!listed.has(one)) stale.push(one);
    }
    return stale;
  }
}

function judge(stock: Transcript, other: Transcript, meant: readonly MeantDifference[]): Verdict {
  const listed = new Set<MeantDifference>();
  const wordings = meant.filter((one) => 'without' in one);
  const behaviours = meant.filter((one) => 'matches' in one);
  for (const [at, step] of stock.entries()) {
    const raw = differencesOf(step, other[at] ?? { ...step, heard: [] }, stock.slice(0, at + 1));
    const pairs = raw.map((one) => ({ one, same: inSameWords(one, wordings, listed) }));
    const different = pairs.filter(({ same }) => isDifferent(same));
    const found = different.map(({ same }) => same);
    const matched = found.map((one) => behaviours.find(({ matches }) => matches(one, found)));
    if (matched.includes(undefined)) return { unlisted: different.map(({ one }) => one), listed };
    for (const one of matched) if (one) listed.add(one);
    if (matched.some((one) => one?.isLast)) break;
  }
  return { unlisted: [], listed };
}

/** @param listed - gets the wordings in which the servers differ */
function inSameWords(
  difference: Difference,
  wordings: readonly MeantWording[],
  listed: Set<MeantDifference>,
): Difference {
  let { stock, other } = difference;
  for (const wording of wordings) {
    const isDifferentSoFar = stock !== other;
    stock = wording.without(stock);
    other = wording.without(other);
    if (isDifferentSoFar && stock === other) listed.add(wording);
  }
  return { ...difference, stock, other };
}

function isDifferent({ stock, other }: Difference): boolean {
  return stock !== other;
}

function differencesOf(
  { action, heard: stock }: Step,
  { heard: other }: Step,
  soFar: Transcript,
): Difference[] {
  const connections = new Set([...stock, ...other].map(({ connection }) => connection));
  const actions = soFar.map((step) => step.action);
  return [...connections].flatMap((connection) => {
    const ofIt = (all: readonly Heard[]): Heard | undefined =>
      all.find((one) => one.connection === connection);
    const [ours, theirs] = [partsOf(ofIt(stock)), partsOf(ofIt(other))];
    const frames = soFar.flatMap(({ heard }) => ofIt(heard)?.frames ?? []);
    return [...new Set([...ours.keys(), ...theirs.keys()])].flatMap((part) => {
      const answers = { stock: ours.get(part) ?? '', other: theirs.get(part) ?? '' };
      if (answers.stock === answers.other) return [];
      return [{ action, actions, connection, frames, part, ...answers }];
    });
  });
}

/** The parts that are compared by themselves. A part that is not there is an empty text. */
function partsOf(heard: Heard | undefined): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  if (!heard) return parts;
  // A connection has one request.
  const [response, ...more] = heard.responses;
  if (more.length > 0) parts.set('more responses', JSON.stringify(more));
  if (response) {
    parts.set('status', response.status);
    // The length of the body shows in the body.
    for (const [name, value] of response.headers)
      if (name !== 'content-length') parts.set(`header ${name}`, value);
    parts.set('body', response.body);
  }
  if (heard.frames.length > 0) parts.set('frames', heard.frames.join('\n'));
  if (heard.isEnded) parts.set('end', 'the server ends the connection');
  if (heard.cutOff !== '') parts.set('cut off', heard.cutOff);
  return parts;
}

/** The differences in words. */
export function inWords(differences: readonly Difference[]): string {
  return differences
    .map(({ action, connection, part, stock, other }) =>
      [
        `after ${shortened(inspect(action, { depth: null, breakLength: Infinity }))}, ${connection}, ${part}:`,
        `  Socket.IO: ${stock === '' ? 'nothing' : shortened(stock)}`,
        `  this end:  ${other === '' ? 'nothing' : shortened(other)}`,
      ].join('\n'),
    )
    .join('\n');
}

function shortened(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 500)}… (${text.length} characters)`;
}
