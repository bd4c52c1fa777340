import type { History } from './history.ts';
import type { Ledger } from './ledger.ts';

/** Checks that no offset was given to two messages: in the log, in acknowledgements, or in deliveries. */
export function judgeOffsets({ kept, publishes, subscriptions }: History, ledger: Ledger): void {
  const owners = new Map<string, string>();
  const see = (where: string, offset: string | undefined, content: string): void => {
    if (offset === undefined) return;
    const owner = owners.get(offset);
    if (owner === undefined) owners.set(offset, content);
    else if (owner !== content) {
      ledger.report('reusedOffset', `${offset} is that of ${owner}, and ${where} of ${content}`);
    }
  };
  for (const { offset, content } of kept) see('in the log', offset, content);
  for (const { outcome, content } of publishes) {
    if (outcome.kind === 'ok') see('in an acknowledgement', outcome.offset, content);
  }
  for (const { client, events } of subscriptions) {
    for (const event of events)
      if (event.kind === 'message') see(`for ${client}`, event.offset, event.content);
  }
}
