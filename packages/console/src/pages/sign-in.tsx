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
        <p>This server wants to know who you are. Sign in with a token.</p>
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
          Whoever runs the server makes one with <code>fanfare token</code>. It is kept in this tab alone,
          until it is closed or you sign out.
        </p>
      </form>
    </main>
  );
}
