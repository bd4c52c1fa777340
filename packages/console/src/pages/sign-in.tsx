import { useState } from 'react';
import { Notice } from '../parts/notice.tsx';
import { Brand, ThemeButton } from '../parts/header.tsx';

interface Props {
  /** Why the last token does not count. */
  readonly reason: string | undefined;
  readonly onToken: (token: string) => void;
}

export function SignInPage({ reason, onToken }: Props) {
  const [token, setToken] = useState('');
  return (
    <main className="alone">
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          onToken(token.trim());
        }}
      >
        <h1>
          <Brand />
        </h1>
        <p>This server requires a token. Sign in with yours.</p>
        <label>
          Token
          <input
            type="password"
            name="token"
            value={token}
            required
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        {reason !== undefined && <Notice kind="bad">{reason}</Notice>}
        <div className="row">
          <button disabled={token.trim() === ''}>Sign in</button>
          <ThemeButton />
        </div>
        <p className="quiet">
          The operator of the server creates tokens with <code>fanfare token mint</code>. Only this tab keeps
          the token, until you close the tab or sign out.
        </p>
      </form>
    </main>
  );
}
