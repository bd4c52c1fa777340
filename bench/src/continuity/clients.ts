// A process with the subscribers, so that it can be stopped and continued, like a laptop that sleeps.
import { lastMarker, type ClientsJob, type ClientsReport } from './clients-job.ts';
import { subscribers } from './subscribers.ts';

const { kind, url, count, transport } = JSON.parse(process.argv[2] ?? '') as ClientsJob;
const received: number[][] = Array.from({ length: count }, () => []);
const marked = new Map<number, Set<number>>();

for (let at = 0; at < count; at++) {
  subscribers[kind](url, transport, (message) => {
    if (typeof message === 'number' && message < 0) mark(message, at);
    else received[at]?.push(message as number);
  });
}
// On request it reports what was received.
process.on('message', () => report());
process.on('disconnect', () => process.exit());

function mark(marker: number, at: number): void {
  const those = marked.get(marker) ?? new Set();
  marked.set(marker, those.add(at));
  if (those.size === count) send({ marked: marker });
}

function report(): void {
  send({ received, missing: count - (marked.get(lastMarker)?.size ?? 0) });
}

function send(message: ClientsReport): void {
  process.send?.(message);
}
