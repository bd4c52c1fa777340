import { useStatus, type Session } from '../session.ts';

/** Said across the page while there is no connection. It goes when the connection is back. */
export function Banner({ session }: { readonly session: Session }) {
  const { state, since, error } = useStatus(session);
  const isLost = state === 'lost' || (state === 'connecting' && error !== undefined);
  return (
    <div className="banner" role="alert" hidden={!isLost}>
      {isLost && (
        <>
          <strong>The connection to the server is lost</strong> since{' '}
          {new Date(since).toLocaleTimeString('sv')}. What is shown is how it was; it goes on by itself as
          soon as the server answers.
        </>
      )}
    </div>
  );
}
