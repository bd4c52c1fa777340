// A node in a process of its own, so that it can be killed. It prints its URL and its address for other
// nodes, and reads the addresses of all nodes from its input.
import { createInterface } from 'node:readline';
import { createNode } from '../../dist/server.js';

const [nodeId = '', key = ''] = process.argv.slice(2);
/** @type {Map<string, string>} */
const addresses = new Map();
let own = '';
const server = createNode(
  { port: 0, open: true, trustProxy: '127.0.0.1', logger: { warn: () => {}, error: console.error } },
  {
    nodeId,
    key: Buffer.from(key, 'hex'),
    usesTls: false,
    announce: async (address) => {
      own = address;
    },
    addressOf: async (id) => addresses.get(id),
  },
);
const url = await server.start();
console.log(JSON.stringify({ url, address: own }));
for await (const line of createInterface({ input: process.stdin })) {
  const all = /** @type {[string, string][]} */ (JSON.parse(line));
  for (const [id, address] of all) addresses.set(id, address);
  console.log('known');
}
