import type { NodeStats } from '@fanfare/protocol';
import { formatBytes, formatCount, formatMs, formatSpan } from '../format.ts';

interface NodeColumn {
  readonly label: string;
  readonly cell: (node: NodeStats) => string;
  readonly className: 'mono' | 'number' | undefined;
}

const columns: readonly NodeColumn[] = [
  { label: 'Node', cell: ({ id }) => id, className: 'mono' },
  { label: 'Version', cell: ({ version }) => version, className: undefined },
  { label: 'Uptime', cell: ({ time, startedAt }) => formatSpan(time - startedAt), className: 'number' },
  { label: 'Connections', cell: ({ connections }) => formatCount(connections), className: 'number' },
  { label: 'Catching up', cell: ({ catchingUp }) => formatCount(catchingUp), className: 'number' },
  { label: 'Waiting', cell: ({ bytesWaiting }) => formatBytes(bytesWaiting), className: 'number' },
  { label: 'Loop delay', cell: ({ loopDelayMs }) => formatMs(loopDelayMs.p99), className: 'number' },
];

/** The servers that share the log. */
export function NodesTable({ nodes }: { readonly nodes: readonly NodeStats[] }) {
  return (
    <section className="card" aria-label="Nodes">
      <h2>Nodes</h2>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              {columns.map(({ label, className }) => (
                <th key={label} scope="col" className={className === 'number' ? className : undefined}>
                  <div className="head">{label}</div>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.id}>
                {columns.map(({ label, cell, className }) => (
                  <td key={label} className={className}>
                    {cell(node)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
