import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsWire } from '../wire/nats.ts';
import { findProgram, printedVersion, type System } from './system.ts';

/** Never disconnects slow subscribers, like all systems here. */
const configuration = `
host: 127.0.0.1
port: -1
max_pending: 4GB
write_deadline: "120s"
`;

/** NATS without JetStream. */
export const nats: System = {
  name: 'nats',
  wire: natsWire,
  publishing: ['socket'],
  missing: () => (findProgram('nats-server') === undefined ? 'nats-server' : undefined),
  version: () => printedVersion(findProgram('nats-server') ?? 'nats-server', ['--version']),
  start: (processes) => {
    const file = join(processes.directory, 'nats.conf');
    writeFileSync(file, configuration);
    return processes.startServer({
      command: findProgram('nats-server') ?? 'nats-server',
      args: ['--config', file],
      ready: /client connections on 127\.0\.0\.1:(?<port>\d+)[^]*Server is ready/,
    });
  },
};
