import type { FastifyInstance } from 'fastify';
import { permitManaging } from '../message-path/permit.ts';

/** The names of the settings that a reload has changed, and of those whose changes need a restart. */
export interface Reloaded {
  readonly changed: readonly string[];
  readonly needRestart: readonly string[];
}

export interface ReloadRouteOptions {
  /** Reads the settings again, if there is something to read them from. */
  readonly reload: (() => Promise<Reloaded>) | undefined;
}

/** `POST /reload`: PROTOCOL.md 5.19. */
export function reloadRoute(app: FastifyInstance, { reload }: ReloadRouteOptions): void {
  if (!reload) return;
  app.post('/reload', async ({ rights }, reply) => {
    permitManaging(rights);
    const { changed, needRestart } = await reload();
    void reply.header('cache-control', 'no-store');
    return reply.type('application/json; charset=utf-8').send(JSON.stringify({ changed, needRestart }));
  });
}
