import { ref, type Schema } from './json-schema.ts';
import { inJson, type Answer, type Operation } from './operation.ts';
import { text } from './value-schemas.ts';

const document: Schema = { type: 'object' };

const unchanged: Readonly<Record<number, Answer>> = {
  304: { description: 'The file is that of `If-None-Match`.' },
};

function file(
  id: string,
  path: string,
  type: string,
  summary: string,
  { schema = text, description = 'Needs no token.' }: { schema?: Schema; description?: string } = {},
): Operation {
  return {
    id,
    method: 'get',
    paths: [path],
    tag: 'Files',
    summary,
    description,
    audience: 'everyone',
    answers: { 200: { description: summary, content: { [type]: { schema } } }, ...unchanged },
    errors: [],
  };
}

const script = 'text/javascript';

/** The builds of the Socket.IO client and their source maps. */
const builds = ['socket.io', 'socket.io.min', 'socket.io.esm.min'].flatMap((build, at) => [
  file(`getClientScript${at + 1}`, `/socket.io/${build}.js`, script, 'A build of the Socket.IO client'),
  file(
    `getClientScriptMap${at + 1}`,
    `/socket.io/${build}.js.map`,
    'application/json',
    'The source map of a build of the Socket.IO client',
    { schema: document },
  ),
]);

export const fileOperations: readonly Operation[] = [
  {
    id: 'getHealth',
    method: 'get',
    paths: ['/healthz'],
    tag: 'Health',
    summary: 'Check whether the process runs',
    description: 'Needs no token (PROTOCOL.md 5.9).',
    audience: 'everyone',
    answers: { 200: { description: 'The process runs.', content: inJson(ref('Health')) } },
    errors: [],
  },
  {
    id: 'getReadiness',
    method: 'get',
    paths: ['/readyz'],
    tag: 'Health',
    summary: 'Check whether the server is ready for clients',
    description: 'Needs no token (PROTOCOL.md 5.9).',
    audience: 'everyone',
    answers: {
      200: { description: 'The server is ready.', content: inJson(ref('Readiness')) },
      503: { description: 'The server is not ready.', content: inJson(ref('Readiness')) },
    },
    errors: [],
  },
  {
    id: 'getConsole',
    method: 'get',
    paths: ['/'],
    tag: 'Files',
    summary: 'Get the console, or one line of text',
    description: 'Clients that ask for `text/html` get the console. Needs no token.',
    audience: 'everyone',
    answers: {
      200: {
        description: 'The console, or one line of text that names the program.',
        content: { 'text/plain': { schema: text }, 'text/html': { schema: text } },
      },
    },
    errors: [],
  },
  {
    id: 'checkOptions',
    method: 'options',
    paths: ['/'],
    tag: 'Health',
    summary: 'Check whether the server responds',
    description: 'For health checks of proxies. Needs no token (PROTOCOL.md 6.4).',
    audience: 'everyone',
    answers: { 200: { description: 'The server responds.' } },
    errors: [],
  },
  file('getOpenApi', '/openapi.json', 'application/json', 'This document', { schema: document }),
  file('getAsyncApi', '/asyncapi.json', 'application/json', 'The AsyncAPI document', {
    schema: document,
    description: 'It describes the events over Socket.IO. Needs no token.',
  }),
  file('getReference', '/reference', 'text/html', 'Both documents as a page'),
  file('getSdk', '/fanfare.js', script, 'The SDK, for a script tag'),
  file('getConsoleScript', '/console/console.js', script, 'The script of the console'),
  file('getConsoleStyle', '/console/console.css', 'text/css', 'The styles of the console'),
  ...builds,
];
