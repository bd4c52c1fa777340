import type { IdentityInfo } from '@fanfare/protocol';
import { connect, type Fanfare, type Status } from '@fanfare/client';
import { createContext, use, useSyncExternalStore } from 'react';
import type { Api } from './api.ts';
import type { StatsHistory } from './stats-history.ts';

/** The context of every page: the connection to the server, and the identity of the user. */
export interface PageContext {
  /** The URL of the server, with a slash at its end. */
  readonly base: string;
  readonly api: Api;
  readonly fanfare: Fanfare;
  readonly identity: IdentityInfo;
  readonly history: StatsHistory;
  readonly signOut: () => void;
}

export const PageContextValue = createContext<PageContext | undefined>(undefined);

export function usePageContext(): PageContext {
  const context = use(PageContextValue);
  if (!context) throw new Error('there is no page context');
  return context;
}

export function useStatus({ fanfare }: PageContext): Status {
  return useSyncExternalStore(
    (listener) => fanfare.onStatus(listener),
    () => fanfare.status,
  );
}

export function connectTo(base: string, token: string | undefined): Fanfare {
  return connect(base, token === undefined ? {} : { token });
}

const tokenKey = 'fanfare-token';

/** The token, stored only in this tab until it is closed. */
export const storedToken = {
  get: (): string | undefined => sessionStorage.getItem(tokenKey) ?? undefined,
  set: (token: string): void => sessionStorage.setItem(tokenKey, token),
  remove: (): void => sessionStorage.removeItem(tokenKey),
};
