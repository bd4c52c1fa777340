import { FanfareError } from '@fanfare/client';
import { useStatus, type PageContext } from '../page-context.ts';

/** A banner across the page, which is shown while the page has no connection. */
export function Banner({ context }: { readonly context: PageContext }) {
  const { state, since, error } = useStatus(context);
  const isRefused = error instanceof FanfareError && error.code === 'not_authorized';
  const isLost = state === 'lost' || (state === 'connecting' && error !== undefined);
  return (
    <div className="banner" role="alert" hidden={!isLost}>
      {isLost && isRefused && (
        <>
          <strong>The server refuses the connection:</strong> {error.message}
        </>
      )}
      {isLost && !isRefused && (
        <>
          <strong>The connection to the server is lost</strong> since{' '}
          {new Date(since).toLocaleTimeString('sv')}. The data on this page is from before. The page
          reconnects by itself.
        </>
      )}
    </div>
  );
}
