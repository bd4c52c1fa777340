import type { Stats } from '@fanfare/protocol';
import { formatBytes, formatMs, formatSpan, plural } from './format.ts';

export interface Remark {
  readonly level: 'good' | 'note' | 'bad';
  readonly text: string;
}

/** From this delay on, people notice it. */
const lateMs = 50;
const veryLateMs = 250;
const waitingBytes = 16 * 1_048_576;
const logShare = 0.9;
const newMs = 60_000;

/**
 * Remarks about the health of the server, the worst first.
 *
 * @param error - why the last request for figures failed
 */
export function remarksOn(stats: Stats, error: string | undefined): readonly Remark[] {
  const remarks: Remark[] = [];
  if (error !== undefined) remarks.push({ level: 'bad', text: `The figures are out of date: ${error}` });
  const { loopDelayMs, log, catchingUp, bytesWaiting, silent = [] } = stats;
  for (const node of silent) remarks.push({ level: 'bad', text: `The node ${node} does not answer.` });
  if (loopDelayMs.p99 >= lateMs) {
    remarks.push({
      level: loopDelayMs.p99 >= veryLateMs ? 'bad' : 'note',
      text: `The event-loop delay is ${formatMs(loopDelayMs.p99)}: every request waits that long.`,
    });
  }
  if (log.bytesMax !== undefined && log.bytes >= log.bytesMax * logShare) {
    const share = Math.round((log.bytes / log.bytesMax) * 100);
    remarks.push({
      level: log.bytes >= log.bytesMax ? 'bad' : 'note',
      text: `The log uses ${share} % of its maximum size (${formatBytes(log.bytesMax)}).`,
    });
  }
  if (bytesWaiting >= waitingBytes) {
    remarks.push({ level: 'note', text: `${formatBytes(bytesWaiting)} wait for slow connections.` });
  }
  if (catchingUp > 0) {
    const are = catchingUp === 1 ? 'is' : 'are';
    remarks.push({
      level: 'note',
      text: `${plural(catchingUp, 'subscription')} ${are} catching up: reading kept messages, not yet live.`,
    });
  }
  const runningMs = stats.time - stats.startedAt;
  if (runningMs < newMs) {
    remarks.push({ level: 'note', text: `The server was started ${formatSpan(runningMs)} ago.` });
  }
  const worst = remarks.some(({ level }) => level === 'bad');
  if (!worst && remarks.every(({ text }) => text.startsWith('The server was started'))) {
    remarks.unshift({ level: 'good', text: 'All is well.' });
  }
  return remarks.toSorted((one, other) => rank(one) - rank(other));
}

function rank({ level }: Remark): number {
  return level === 'bad' ? 0 : level === 'note' ? 1 : -1;
}
