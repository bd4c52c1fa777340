import type { Client, ClientEvents, Wire } from '../wire/client.ts';

/** How many clients connect at once. */
const atOnce = 64;

/**
 * Opens clients and subscribes them, a few at a time.
 *
 * @param topicsOf - the topics of a client
 * @param onSubscribed - called after each client, with the number of clients so far
 */
export async function openClients(
  wire: Wire,
  port: number,
  options: {
    readonly count: number;
    readonly topicsOf: (client: number) => readonly string[];
    readonly eventsOf: (client: number) => ClientEvents;
    readonly onSubscribed: (count: number) => void;
  },
): Promise<Client[]> {
  const clients: Client[] = [];
  let next = 0;
  const openSome = async (): Promise<void> => {
    while (next < options.count) {
      const index = next++;
      const client = await wire.open(port, options.eventsOf(index));
      clients.push(client);
      const topics = options.topicsOf(index);
      if (topics.length > 0) await client.subscribe(topics);
      options.onSubscribed(clients.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, options.count) }, openSome));
  return clients;
}

export function closeClients(clients: readonly { close(): void }[]): void {
  for (const client of clients) client.close();
}
