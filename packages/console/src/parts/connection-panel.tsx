import type { ConnectionDetails } from '@fanfare/protocol';
import { useCallback, useState } from 'react';
import { formatBytes, formatSpan, formatTime, plural } from '../format.ts';
import { hrefOf } from '../routes.ts';
import { usePageContext } from '../page-context.ts';
import { usePoll } from '../use-poll.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { Notice } from './notice.tsx';
import { stateText } from './subscribers-panel.tsx';

interface Props {
  readonly id: string;
  readonly onEnded: () => void;
}

const pollMs = 2_000;

/** One connection with its subscriptions, and a button that closes it. */
export function ConnectionPanel({ id, onEnded }: Props) {
  const { api } = usePageContext();
  const [isAsking, setIsAsking] = useState(false);
  const ask = useCallback((): Promise<ConnectionDetails> => api.connection(id), [api, id]);
  const { data, error, refresh } = usePoll(ask, pollMs);
  const isGone = error?.code === 'connection_not_found';
  const end = async (): Promise<void> => {
    await api.disconnect(id);
    refresh();
    onEnded();
  };
  return (
    <section className="card" aria-label={`Connection ${id}`}>
      <div className="row spread">
        <h2 className="mono">{id}</h2>
        <a href={hrefOf({ page: 'connections' })}>Close</a>
      </div>
      {isGone && <Notice kind="note">This connection is closed.</Notice>}
      {error && !isGone && <Notice kind="bad">{error.message}</Notice>}
      {data && !isGone && (
        <>
          <Facts connection={data} />
          <h3>{plural(data.subscribed.length, 'subscription')}</h3>
          <Subscribed connection={data} />
          <div className="row">
            <button type="button" className="plain bad" onClick={() => setIsAsking(true)}>
              Disconnect …
            </button>
          </div>
        </>
      )}
      {isAsking && (
        <ConfirmDialog
          title={`Disconnect ${id}?`}
          action="Disconnect"
          onConfirm={end}
          onClose={() => setIsAsking(false)}
        >
          This closes the connection. A client that reconnects by itself comes back with a new connection.
        </ConfirmDialog>
      )}
    </section>
  );
}

function Facts({ connection }: { readonly connection: ConnectionDetails }) {
  const { transport, node, address, subject, since, bytesWaiting } = connection;
  const facts = [
    ...(node === undefined ? [] : [['Node', node] as const]),
    ['Transport', transport],
    ['Address', address || '–'],
    ['Subject', subject ?? '–'],
    ['Since', `${formatTime(since)} (${formatSpan(Date.now() - since)})`],
    ['Waiting', formatBytes(bytesWaiting)],
  ] as const;
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Subscribed({ connection }: { readonly connection: ConnectionDetails }) {
  return (
    <ul className="subscribed" tabIndex={0} aria-label="Subscriptions">
      {connection.subscribed.map(({ topic, envelope, state }) => (
        <li key={`${String(envelope)} ${topic}`}>
          <a href={hrefOf({ page: 'topic', topic })}>{topic}</a>
          <span className="quiet">
            {envelope ? 'envelopes' : 'plain'}, {stateText(state)}
          </span>
        </li>
      ))}
    </ul>
  );
}
