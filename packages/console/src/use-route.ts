import { useSyncExternalStore } from 'react';
import { parseHash, type Route } from './routes.ts';

/** The page that the address names. */
export function useRoute(): Route | undefined {
  return parseHash(useSyncExternalStore(onHashChange, () => window.location.hash));
}

function onHashChange(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
}
