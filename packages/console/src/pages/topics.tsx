import { useCallback, useMemo, useState, useSyncExternalStore, type FormEvent } from 'react';
import { formatClock, formatCount, formatRate, formatTime, plural } from '../format.ts';
import { LastMessages } from '../last-messages.ts';
import { Notice } from '../parts/notice.tsx';
import { VirtualTable, type Column } from '../parts/virtual-table.tsx';
import { hrefOf } from '../routes.ts';
import { usePageContext } from '../page-context.ts';
import type { Sort } from '../sorting.ts';
import type { TopicRow } from '../topic-rates.ts';
import { listedMax, useTopics } from '../use-topics.ts';

type SearchBy = 'part' | 'prefix';

export function TopicsPage() {
  const { identity } = usePageContext();
  const [text, setText] = useState('');
  const [by, setBy] = useState<SearchBy>('part');
  const { data, error } = useTopics(by === 'prefix' ? text : '');
  const rows = useMemo(() => searched(data?.rows ?? [], by === 'part' ? text : ''), [data, by, text]);
  return (
    <>
      <div className="title">
        <h1>Topics</h1>
        <p className="quiet" role="status">
          {data && countText(rows.length, data.rows.length)}
        </p>
      </div>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {!identity.admin && (
        <Notice kind="note">
          The list has the topics that your token may read. Other topics, the overview and the connections
          need the admin right. You can open a topic by its name.
        </Notice>
      )}
      <div className="row spread">
        <div className="row grow" role="search">
          <label className="grow search">
            Search
            <input
              type="search"
              value={text}
              spellCheck={false}
              onChange={(event) => setText(event.target.value)}
            />
          </label>
          <label>
            Where
            <select
              value={by}
              onChange={(event) => setBy(event.target.value === 'prefix' ? 'prefix' : 'part')}
            >
              <option value="part">anywhere in the name</option>
              <option value="prefix">at the start of the name</option>
            </select>
          </label>
        </div>
        <OpenByName />
      </div>
      {data?.isCut === true && (
        <Notice kind="note">
          The list has only the first {formatCount(listedMax)} topics by name. To find others, search at the
          start of the name.
        </Notice>
      )}
      {data && rows.length === 0 ? <NoTopics isSearch={text !== ''} /> : <TopicTable rows={rows} />}
    </>
  );
}

function TopicTable({ rows }: { readonly rows: readonly TopicRow[] }) {
  const { api } = usePageContext();
  const [last] = useState(() => new LastMessages(api));
  const [columns] = useState(() => columnsFor(last));
  const [sort, setSort] = useState<Sort>({ id: 'topic', isDescending: false });
  const onShown = useCallback((shown: readonly TopicRow[]) => last.want(shown), [last]);
  return (
    <VirtualTable
      label="Topics"
      columns={columns}
      rows={rows}
      keyOf={({ topic }) => topic}
      sort={sort}
      onSort={setSort}
      onShown={onShown}
    />
  );
}

function LastText({ last, topic }: { readonly last: LastMessages; readonly topic: string }) {
  const text = useSyncExternalStore(last.onChange, () => last.textOf(topic));
  return <code title={text}>{text}</code>;
}

function columnsFor(last: LastMessages): readonly Column<TopicRow>[] {
  return [
    {
      id: 'topic',
      label: 'Topic',
      keepsEnd: true,
      by: ({ topic }) => topic,
      cell: ({ topic }) => (
        <a href={hrefOf({ page: 'topic', topic })} title={topic}>
          <bdi>{topic}</bdi>
        </a>
      ),
    },
    {
      id: 'rate',
      label: 'Rate (1/s)',
      isNumber: true,
      by: ({ rate }) => rate ?? 0,
      cell: ({ rate }) => (rate === undefined ? '–' : formatRate(rate)),
    },
    {
      id: 'subscribers',
      label: 'Subscribers',
      isNumber: true,
      isWideOnly: true,
      by: ({ subscribers }) => subscribers,
      cell: ({ subscribers }) => formatCount(subscribers),
    },
    {
      id: 'messages',
      label: 'Kept',
      isNumber: true,
      by: ({ messages }) => messages,
      cell: ({ messages }) => formatCount(messages),
    },
    {
      id: 'time',
      label: 'Last message at',
      isNumber: true,
      isWideOnly: true,
      by: ({ lastTime }) => lastTime ?? 0,
      cell: ({ lastTime }) =>
        lastTime === undefined ? '–' : <span title={formatTime(lastTime)}>{formatClock(lastTime)}</span>,
    },
    {
      id: 'last',
      label: 'Last message',
      isWideOnly: true,
      cell: ({ topic }) => <LastText last={last} topic={topic} />,
    },
  ];
}

function OpenByName() {
  const [name, setName] = useState('');
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    if (name !== '') window.location.hash = hrefOf({ page: 'topic', topic: name });
  };
  return (
    <form className="row" onSubmit={onSubmit}>
      <label className="grow">
        Open by name
        <input
          value={name}
          spellCheck={false}
          autoComplete="off"
          placeholder="orders/7 or orders/*"
          onChange={(event) => setName(event.target.value)}
        />
      </label>
      <button className="plain">Open</button>
    </form>
  );
}

function NoTopics({ isSearch }: { readonly isSearch: boolean }) {
  if (isSearch) return <Notice kind="note">No topic matches the search.</Notice>;
  return (
    <Notice kind="note">
      There are no topics yet. A topic is created when a client subscribes to it:{' '}
      <a href={hrefOf({ page: 'try' })}>try it</a>.
    </Notice>
  );
}

function searched(rows: readonly TopicRow[], part: string): readonly TopicRow[] {
  if (part === '') return rows;
  const wanted = part.toLowerCase();
  return rows.filter(({ topic }) => topic.toLowerCase().includes(wanted));
}

function countText(shown: number, all: number): string {
  return shown === all ? plural(all, 'topic') : `${formatCount(shown)} of ${plural(all, 'topic')}`;
}
