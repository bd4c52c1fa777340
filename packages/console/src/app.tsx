import { useEffect, useState } from 'react';
import { messageOf } from './api.ts';
import { ConnectionsPage } from './pages/connections.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { TopicPage } from './pages/topic.tsx';
import { TopicsPage } from './pages/topics.tsx';
import { TryItPage } from './pages/try-it.tsx';
import { Banner } from './parts/banner.tsx';
import { Header } from './parts/header.tsx';
import { Notice } from './parts/notice.tsx';
import { hrefOf, type Route } from './routes.ts';
import { PageContextValue, usePageContext, type PageContext } from './page-context.ts';
import { useRoute } from './use-route.ts';
import { useSignIn } from './use-sign-in.ts';

export function App() {
  const [state, signIn] = useSignIn();
  if (state.state === 'signed-out') return <SignInPage reason={state.reason} onToken={signIn} />;
  if (state.state === 'asking') {
    return (
      <main className="alone">
        <p role="status">{state.error === undefined ? 'Connecting …' : `${state.error} Retrying …`}</p>
      </main>
    );
  }
  return (
    <PageContextValue value={state.context}>
      <Console context={state.context} />
    </PageContextValue>
  );
}

function Console({ context }: { readonly context: PageContext }) {
  const route = useRoute();
  useEffect(() => {
    document.title = route ? `${titleOf(route)} · Fanfare` : 'Fanfare';
  }, [route]);
  return (
    <>
      <a className="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <Header context={context} page={route?.page} />
      <Banner context={context} />
      <main id="main" tabIndex={-1}>
        {route ? <Page route={route} /> : <FirstPage />}
      </main>
    </>
  );
}

function Page({ route }: { readonly route: Route }) {
  const { admin } = usePageContext().identity;
  switch (route.page) {
    case 'overview':
      return admin ? <OverviewPage /> : <AdminOnly title={titleOf(route)} />;
    case 'topics':
      return <TopicsPage />;
    case 'topic':
      return <TopicPage key={route.topic} topic={route.topic} />;
    case 'connections':
      return admin ? <ConnectionsPage id={route.id} /> : <AdminOnly title={titleOf(route)} />;
    case 'try':
      return <TryItPage />;
  }
}

/** Chooses the first page if the address names none: the one with something to see. */
function FirstPage() {
  const { api, identity } = usePageContext();
  const [error, setError] = useState<string>();
  useEffect(() => {
    const go = (route: Route): void => window.location.replace(hrefOf(route));
    api.topics({ limit: 1 }).then(
      ({ topics }) => {
        if (topics.length === 0) go({ page: 'try' });
        else go({ page: identity.admin ? 'overview' : 'topics' });
      },
      (thrown: unknown) => setError(messageOf(thrown)),
    );
  }, [api, identity]);
  return error === undefined ? null : <Notice kind="bad">{error}</Notice>;
}

function AdminOnly({ title }: { readonly title: string }) {
  return (
    <>
      <h1>{title}</h1>
      <Notice kind="note">
        This page shows the data of all clients, so it needs a token with the admin right. Your token does not
        have this right. Topics lists the topics that you can read; on Try it you can publish and subscribe.
      </Notice>
    </>
  );
}

function titleOf(route: Route): string {
  switch (route.page) {
    case 'overview':
      return 'Overview';
    case 'topics':
      return 'Topics';
    case 'topic':
      return route.topic;
    case 'connections':
      return 'Connections';
    case 'try':
      return 'Try it';
  }
}

/** Moves the focus to the content. The hash of the address names a page, so it must not change. */
function skipToMain(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
