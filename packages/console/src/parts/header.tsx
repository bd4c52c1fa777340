import type { IdentityInfo } from '@fanfare/protocol';
import { formatTime } from '../format.ts';
import { hrefOf, type Route } from '../routes.ts';
import { useStatus, type PageContext } from '../page-context.ts';
import { useTheme, type Theme } from '../theme.ts';

const links = [
  { page: 'overview', label: 'Overview', adminOnly: true },
  { page: 'topics', label: 'Topics', adminOnly: false },
  { page: 'connections', label: 'Connections', adminOnly: true },
  { page: 'try', label: 'Try it', adminOnly: false },
] as const;

const nextTheme: Readonly<Record<Theme, Theme>> = { auto: 'light', light: 'dark', dark: 'auto' };

interface Props {
  readonly context: PageContext;
  readonly page: Route['page'] | undefined;
}

export function Header({ context, page }: Props) {
  const { identity, signOut } = context;
  const isHere = (link: Route['page']): boolean => link === (page === 'topic' ? 'topics' : page);
  return (
    <header className="top">
      <Brand />
      <nav aria-label="Pages">
        {links
          .filter(({ adminOnly }) => identity.admin || !adminOnly)
          .map((link) => (
            <a
              key={link.page}
              href={hrefOf({ page: link.page })}
              aria-current={isHere(link.page) ? 'page' : undefined}
            >
              {link.label}
            </a>
          ))}
      </nav>
      <ConnectionState context={context} />
      <ThemeButton />
      {!identity.open && (
        <span className="who">
          <span title={describeIdentity(identity)}>{identity.subject ?? 'signed in'}</span>
          <button type="button" className="plain" onClick={signOut}>
            Sign out
          </button>
        </span>
      )}
    </header>
  );
}

function describeIdentity({ admin, endsAt }: IdentityInfo): string {
  const right = admin ? 'With the admin right' : 'Without the admin right';
  return endsAt === undefined ? right : `${right}, until ${formatTime(endsAt)}`;
}

export function Brand() {
  return (
    <span className="brand">
      <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
        <circle cx="5" cy="12" r="3" fill="currentColor" />
        <g fill="none" stroke="currentColor" strokeWidth="2.2" strokeLinecap="round">
          <path d="M11 7.5a7 7 0 0 1 0 9" />
          <path d="M15 4.5a11.5 11.5 0 0 1 0 15" />
          <path d="M19 1.8a16 16 0 0 1 0 20.4" />
        </g>
      </svg>
      Fanfare
    </span>
  );
}

function ConnectionState({ context }: { readonly context: PageContext }) {
  const { state, error } = useStatus(context);
  return (
    <span id="connection" className="connection" role="status" data-state={state}>
      {describe(state, error)}
    </span>
  );
}

function describe(state: ReturnType<typeof useStatus>['state'], error: Error | undefined): string {
  switch (state) {
    case 'connecting':
      return error ? 'Not connected' : 'Connecting …';
    case 'catching_up':
      return 'Catching up …';
    case 'live':
      return 'Connected';
    case 'lost':
      return 'Connection lost';
    case 'closed':
      return 'Closed';
  }
}

const themeNames: Readonly<Record<Theme, string>> = { auto: 'Auto', light: 'Light', dark: 'Dark' };

export function ThemeButton() {
  const [theme, choose] = useTheme();
  const name = themeNames[theme];
  return (
    <button
      type="button"
      className="plain theme"
      aria-label={`Theme: ${name}`}
      title="Theme: light, dark, or that of the system"
      onClick={() => choose(nextTheme[theme])}
    >
      <span aria-hidden="true">◐</span> {name}
    </button>
  );
}
