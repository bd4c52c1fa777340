import { grouped } from './grouped.ts';
import type { History, Publish } from './history.ts';
import type { Ledger } from './ledger.ts';

/** Compares the log at the end with the responses that its publishers got. */
export function judgeLog({ publishes, kept }: History, ledger: Ledger): void {
  judgeKept(kept, ledger);
  for (const publish of publishes) judgeAnswer(publish, ledger);
  for (const [publisher, attempts] of grouped(publishes, (each) => each.publisher)) {
    judgeAnsweredOrder(publisher, attempts, ledger);
  }
  for (const [stream, attempts] of grouped(publishes, (each) => each.stream)) {
    if (stream !== undefined) judgeStreamOrder(stream, attempts, ledger);
  }
}

function judgeKept(kept: History['kept'], ledger: Ledger): void {
  const contents = new Set<string>();
  const ids = new Set<string>();
  const offsets = new Set<string>();
  let last = -1;
  for (const message of kept) {
    const { offset, topic, content, id } = message;
    const where = `${content} at ${offset} of ${topic}`;
    const strangeness = ledger.strangeness(message);
    if (strangeness !== undefined) ledger.report('phantom', `the log has ${where}: ${strangeness}`);
    if (contents.has(content)) ledger.report('duplicate', `the log has ${where}, and elsewhere too`);
    contents.add(content);
    const idOfTopic = JSON.stringify([topic, id]);
    if (id !== undefined && ids.has(idOfTopic)) ledger.report('duplicate', `the log has the id ${id} twice`);
    ids.add(idOfTopic);
    if (offsets.has(offset)) ledger.report('duplicate', `the log has ${where}, and another one there`);
    offsets.add(offset);
    const { epoch, sequence } = ledger.lineage.place(offset);
    if (ledger.lineage.isLost(sequence)) ledger.report('moved', `the log has ${where}, after the cut`);
    if (!ledger.lineage.isWithin(offset)) ledger.report('moved', `the log has ${where}, before its epoch`);
    if (ledger.isOtherEpoch(epoch)) ledger.report('moved', `the log has ${where}: another epoch`);
    if (sequence < last) ledger.report('reordered', `the log gave ${where} after ${last}`);
    last = sequence;
  }
}

function judgeAnswer(publish: Publish, ledger: Ledger): void {
  const { outcome, topic, content, sent, answered } = publish;
  if (outcome.kind !== 'ok') return;
  const where = `${content} acknowledged at ${outcome.offset} of ${topic}`;
  const placed = ledger.placed(content, outcome.offset);
  const mayBeLost = ledger.lineage.mayBeLost(outcome.offset);
  if (
    !placed?.isKept &&
    !mayBeLost &&
    !ledger.isTrimmed({ topic, ...ledger.lineage.place(outcome.offset) })
  ) {
    ledger.report('lost', where);
  }
  if (placed && (outcome.offset !== placed.offset || outcome.time !== placed.time)) {
    ledger.report('moved', `${where}, ${outcome.time}, is at ${placed.offset}, ${placed.time}`);
  }
  const others = ledger.attemptsOf(content).filter((each) => each !== publish);
  const before = others.find(
    (each) => each.outcome.kind === 'ok' && each.answered !== undefined && each.answered < sent,
  );
  if (before && !outcome.duplicate) ledger.report('duplicate', `${where} as new, though it was before`);
  const first = others.find(
    (each) => each.outcome.kind !== 'fail' && (answered === undefined || each.sent < answered),
  );
  if (outcome.duplicate && !first) ledger.report('phantom', `${where} as a duplicate of one nobody sent`);
}

/** A message that was sent after an acknowledgement comes after the acknowledged one. */
function judgeAnsweredOrder(publisher: string, attempts: readonly Publish[], ledger: Ledger): void {
  const moments: { at: number; content: string; isAnswer: boolean }[] = [];
  for (const [content, ofContent] of grouped(attempts, (each) => each.content)) {
    moments.push({ at: Math.min(...ofContent.map(({ sent }) => sent)), content, isAnswer: false });
    const answers = ofContent.flatMap(({ outcome, answered }) =>
      outcome.kind === 'ok' && answered !== undefined ? [answered] : [],
    );
    if (answers.length > 0) moments.push({ at: Math.min(...answers), content, isAnswer: true });
  }
  const newest = new Newest(ledger);
  for (const { content, isAnswer } of moments.toSorted((a, b) => a.at - b.at)) {
    const sequence = ledger.placed(content)?.sequence;
    if (sequence === undefined) continue;
    const before = newest.before(sequence);
    if (isAnswer) newest.note(sequence);
    else if (sequence < before) {
      ledger.report('reordered', `${publisher} sent ${content} after ${before} was answered: ${sequence}`);
    }
  }
}

/**
 * The messages of a connection or batch keep their order: when a connection is lost, only its last ones do
 * not arrive. A message that was sent before over another connection can have its place from there.
 */
function judgeStreamOrder(stream: string, attempts: readonly Publish[], ledger: Ledger): void {
  const newest = new Newest(ledger);
  for (const attempt of attempts.toSorted((a, b) => a.sent - b.sent)) {
    const sequence = ledger.placed(attempt.content)?.sequence;
    if (sequence === undefined || !isSurelyPlacedBy(attempt, ledger)) continue;
    const isFirst = ledger.attemptsOf(attempt.content).every(({ sent }) => sent >= attempt.sent);
    const before = newest.before(sequence);
    if (isFirst && sequence < before) {
      ledger.report('reordered', `${stream} carried ${attempt.content} after ${before}: ${sequence}`);
    }
    newest.note(sequence);
  }
}

/**
 * Whether no other attempt on the same stream can have given a message its place. Of several attempts, any
 * can be the one if all answers were lost or said that the outcome is unknown.
 */
function isSurelyPlacedBy(attempt: Publish, ledger: Ledger): boolean {
  const possible = ledger.attemptsOf(attempt.content).filter(({ outcome }) => {
    return outcome.kind === 'unknown' || (outcome.kind === 'ok' && !outcome.duplicate);
  });
  const known = possible.filter(({ outcome }) => outcome.kind === 'ok');
  const all = known.length > 0 ? known : possible;
  return all.includes(attempt) && all.filter(({ stream }) => stream === attempt.stream).length === 1;
}

/**
 * The newest place so far. A primary that was cut off can give places that are lost later, while another one
 * already has a later epoch: such a place has an order only among those that were lost with it, and is after
 * all that its log had before.
 */
class Newest {
  readonly #lineage: Ledger['lineage'];
  #kept = -1;
  /** By epoch. */
  readonly #lost = new Map<number, number>();

  constructor({ lineage }: Ledger) {
    this.#lineage = lineage;
  }

  note(place: number): void {
    const epoch = this.#lineage.lostWith(place);
    if (epoch === undefined) this.#kept = Math.max(this.#kept, place);
    else this.#lost.set(epoch, Math.max(this.#lost.get(epoch) ?? -1, place));
  }

  /** The newest place after which a place may not come. */
  before(place: number): number {
    const epoch = this.#lineage.lostWith(place);
    return epoch === undefined ? Math.max(this.#kept, ...this.#lost.values()) : (this.#lost.get(epoch) ?? -1);
  }
}
