import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { mqttWire } from '../wire/mqtt.ts';
import { findProgram, printedVersion, type System } from './system.ts';

const configurationFor = (port: number): string => `
listener ${port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
`;

/** Eclipse Mosquitto. */
export const mosquitto: System = {
  name: 'mosquitto',
  wire: mqttWire,
  publishing: ['socket'],
  missing: () => (findProgram('mosquitto') === undefined ? 'mosquitto' : undefined),
  version: () => printedVersion(findProgram('mosquitto') ?? 'mosquitto', ['-h']),
  start: async (processes) => {
    const port = await freePort();
    const file = join(processes.directory, 'mosquitto.conf');
    writeFileSync(file, configurationFor(port));
    const running = await processes.startServer({
      command: findProgram('mosquitto') ?? 'mosquitto',
      args: ['-c', file],
      ready: /mosquitto version \S+ running/,
    });
    return { ...running, port };
  },
};
