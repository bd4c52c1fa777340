import { useCallback, useEffect, useState, type Dispatch, type SetStateAction } from 'react';
import { Api, ApiError, messageOf } from './api.ts';
import { connectTo, storedToken, type PageContext } from './page-context.ts';
import { StatsHistory } from './stats-history.ts';

export type SignInState =
  | { readonly state: 'asking'; readonly error?: string }
  /** The server needs a token. `reason` says why it refused the last one. */
  | { readonly state: 'signed-out'; readonly reason?: string }
  | { readonly state: 'ready'; readonly context: PageContext };

const retryMs = 2_000;

const base = new URL('.', document.baseURI);

/**
 * Asks the server for the identity of the user, and connects.
 *
 * @returns the state of the sign-in, and a function that signs in with a token
 */
export function useSignIn(): [SignInState, (token: string) => void] {
  const [state, setState] = useState<SignInState>({ state: 'asking' });
  const [token, setToken] = useState(storedToken.get);

  const signOut = useCallback((reason?: string) => {
    storedToken.remove();
    setToken(undefined);
    setState((before) =>
      // The server refuses the request without a token too. Keep the reason for which it refused the token.
      before.state === 'signed-out'
        ? before
        : { state: 'signed-out', ...(reason !== undefined && { reason }) },
    );
  }, []);
  const signIn = useCallback((given: string) => {
    storedToken.set(given);
    setToken(given);
    setState({ state: 'asking' });
  }, []);

  useEffect(() => {
    return connectPage(token, { setState, signOut });
  }, [token, signOut]);

  return [state, signIn];
}

interface SessionPort {
  readonly setState: Dispatch<SetStateAction<SignInState>>;
  readonly signOut: (reason?: string) => void;
}

/** Connects the page, and retries until it succeeds. @returns a function that disconnects it */
function connectPage(token: string | undefined, { setState, signOut }: SessionPort): () => void {
  let isOver = false;
  let end = (): void => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const refuse = (reason: string | undefined): void => {
    if (!isOver) signOut(token === undefined ? undefined : reason);
  };
  const api = new Api(base, token, (error) => refuse(error.message));
  const ask = async (): Promise<void> => {
    try {
      const identity = await api.identity();
      if (isOver) return;
      const fanfare = connectTo(base.href, token);
      const history = new StatsHistory(api);
      fanfare.onStatus(({ state, error }) => {
        if (state === 'closed' && error) refuse(error.message);
      });
      if (identity.admin) history.start();
      end = () => {
        history.stop();
        fanfare.close();
      };
      const context = { base: base.href, api, fanfare, identity, history, signOut: () => signOut() };
      setState({ state: 'ready', context });
    } catch (error) {
      // `refuse` reports refusals.
      if (isOver || (error instanceof ApiError && error.status === 401)) return;
      setState((before) =>
        before.state === 'signed-out' ? before : { state: 'asking', error: messageOf(error) },
      );
      timer = setTimeout(() => void ask(), retryMs);
    }
  };
  void ask();
  return () => {
    isOver = true;
    clearTimeout(timer);
    end();
  };
}
