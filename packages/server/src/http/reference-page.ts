import { createHash } from 'node:crypto';
import type {
  AsyncApiDocument,
  Channel,
  EventMessage,
  HttpOperation,
  HttpParameter,
  HttpResponse,
  MediaTypes,
  OpenApiDocument,
  Schema,
} from '@fanfare/protocol/api';
import {
  boundsOf,
  code,
  describeSchema,
  escape,
  inline,
  prose,
  table,
  typeOf,
  type Html,
} from './reference-schema.ts';

const style = `
:root{color-scheme:light dark;--line:light-dark(#e0e0db,#31343a);--quiet:light-dark(#5d6066,#a0a4ab);--accent:light-dark(#a03a10,#fbb27a);--panel:light-dark(#f1f1ee,#24272c)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;background:light-dark(#fff,#141518);color:light-dark(#1c1d20,#e6e6e3)}
a{color:var(--accent)}h1,h2,h3{line-height:1.25}h2{margin-top:3rem;border-bottom:1px solid var(--line)}h3{margin-top:2rem}h4{margin-bottom:.25rem}
code,pre{font:.9em ui-monospace,Menlo,Consolas,monospace;background:var(--panel);border-radius:4px}code{padding:.1em .3em;overflow-wrap:anywhere}pre{padding:.75rem;overflow:auto;white-space:pre-wrap}td:first-child code{white-space:nowrap}pre code{padding:0}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line)}th{color:var(--quiet);font-weight:600}
nav ul{columns:18rem;padding-left:1.2rem}.quiet{color:var(--quiet)}
`;

/** The page needs its own styles and nothing else, no script either. */
export const stylePolicy: string = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export interface ApiDocuments {
  readonly openApi: OpenApiDocument;
  readonly asyncApi: AsyncApiDocument;
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly operation: HttpOperation;
}

/** A page that shows both documents. It works without a network, and without JavaScript. */
export function referencePage({ openApi, asyncApi }: ApiDocuments): Html {
  const { info, tags, components } = openApi;
  const requests = Object.entries(openApi.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
  const usual = requests.filter(({ operation }) => !operation.operationId.endsWith(byPath));
  const channels = Object.values(asyncApi.channels);
  const schemas = Object.entries({ ...components.schemas, ...asyncApi.components.schemas }).toSorted(
    ([one], [other]) => (one < other ? -1 : 1),
  );
  const body = [
    `<h1>${escape(info.title)} ${escape(info.version)}: API reference</h1>`,
    '<p>This page shows the two documents <a href="openapi.json">openapi.json</a> (HTTP) and <a href="asyncapi.json">asyncapi.json</a> (Socket.IO).</p>',
    contents(tags, usual, channels),
    '<h2 id="http">HTTP</h2>',
    prose(info.description),
    ...tags.map((tag) => describeGroup(tag, usual, requests, components.responses)),
    '<h2 id="events">Events over Socket.IO</h2>',
    prose(asyncApi.info.description),
    ...channels.map(describeChannel),
    '<h2 id="schemas">Schemas</h2>',
    ...schemas.map(([name, schema]) => describeSchema(name, schema)),
  ];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(info.title)}: API reference</title><link rel="icon" href="data:,"><style>${style}</style></head><body><main>${body.join('\n')}</main></body></html>\n`;
}

function describeGroup(
  { name, description }: OpenApiDocument['tags'][number],
  usual: readonly Request[],
  all: readonly Request[],
  shared: Readonly<Record<string, HttpResponse>>,
): Html {
  const requests = usual.filter(({ operation }) => operation.tags.includes(name));
  const sections = requests.map((one) => describeRequest(one, all, shared));
  return `<h2 id="tag-${escape(name)}">${escape(name)}</h2>${prose(description)}${sections.join('\n')}`;
}

/** The end of the id of an operation that is the same as another, with a name in the path. */
const byPath = 'ByPath';

function contents(
  tags: OpenApiDocument['tags'],
  requests: readonly Request[],
  channels: readonly Channel[],
): Html {
  const groups = tags.map(({ name }) => {
    const links = requests
      .filter(({ operation }) => operation.tags.includes(name))
      .map(
        ({ operation, method, path }) =>
          `<li><a href="#${escape(operation.operationId)}">${method} ${escape(path)}</a></li>`,
      );
    return `<h3>${escape(name)}</h3><ul>${links.join('')}</ul>`;
  });
  const events = channels.map(
    ({ address }) => `<li><a href="#event-${escape(address)}">${escape(address)}</a></li>`,
  );
  return `<nav aria-label="Contents">${groups.join('')}<h3>Events over Socket.IO</h3><ul>${events.join('')}</ul><p><a href="#schemas">Schemas</a></p></nav>`;
}

function describeRequest(
  request: Request,
  all: readonly Request[],
  shared: Readonly<Record<string, HttpResponse>>,
): Html {
  const { method, path, operation } = request;
  const { operationId, summary, description, security, parameters = [] } = operation;
  const others = all.filter((one) => one.operation.operationId === operationId + byPath);
  const also = others.map((one) => ` Also <code>${method} ${escape(one.path)}</code>.`).join('');
  const token = security.length > 0 ? ' Needs a token, unless the server is open.' : '';
  const body = Object.entries(operation.requestBody?.content ?? {});
  const responses = Object.entries(operation.responses).flatMap(([status, one]) => {
    const response = '$ref' in one ? shared[one.$ref.slice(one.$ref.lastIndexOf('/') + 1)] : one;
    return response ? [[status, inline(response.description), formsOf(response.content)]] : [];
  });
  return [
    `<section id="${escape(operationId)}"><h3><code>${method} ${escape(path)}</code> ${escape(summary)}</h3>`,
    prose(description),
    also + token === '' ? '' : `<p class="quiet">${also}${token}</p>`,
    `<pre><code>${escape(curlOf(request))}</code></pre>`,
    parameters.length > 0 ? '<h4>Parameters</h4>' : '',
    table(['Name', 'In', 'Type', 'Meaning'], parameters.map(describeParameter)),
    body.length > 0 ? '<h4>Body</h4>' : '',
    table(
      ['Content-Type', 'Type', 'Examples'],
      body.map(([type, { schema, examples = {} }]) => [
        `<code>${escape(type)}</code>`,
        typeOf(schema) + inline(remarkOf(schema)),
        Object.values(examples)
          .map(({ value }) => (typeof value === 'string' ? `<pre>${escape(value)}</pre>` : code(value)))
          .join('<br>'),
      ]),
    ),
    '<h4>Responses</h4>',
    table(['Status', 'When', 'Body'], responses),
    '</section>',
  ].join('');
}

function describeParameter({ name, in: place, schema, description, required }: HttpParameter): Html[] {
  const bounds = '$ref' in schema ? '' : boundsOf(schema);
  const type = [typeOf(schema), bounds, required ? '' : 'optional'].filter((part) => part !== '');
  return [`<code>${escape(name)}</code>`, place, type.join(', '), inline(description)];
}

/** The forms of a body. */
function formsOf(content: MediaTypes = {}): Html {
  const forms = Object.entries(content).map(
    ([type, { schema }]) =>
      `${typeOf(schema)} <span class="quiet">${escape(type)}</span>${inline(remarkOf(schema))}`,
  );
  return forms.join('<br>');
}

/** The description of a schema that has no name, and so is not explained elsewhere. */
function remarkOf({ description }: Schema): string {
  return description === undefined ? '' : `: ${description}`;
}

/** A command that sends an example of a request to a server at the default address. */
function curlOf({ method, path, operation }: Request): string {
  const { parameters = [], requestBody } = operation;
  const needed = parameters.filter(({ required }) => required);
  const query = needed.filter(({ in: place }) => place === 'query');
  const url = needed.reduce(
    (target, { name, example }) => target.replace(`{${name}}`, encodeURIComponent(example)),
    path,
  );
  const search = query.map(({ name, example }) => `${name}=${encodeURIComponent(example)}`).join('&');
  const [body] = Object.values(requestBody?.content ?? {}).flatMap(({ examples }) =>
    Object.values(examples ?? {}),
  );
  return [
    'curl',
    ...(method === 'GET' ? [] : ['-X', method]),
    ...(body ? ['-H', "'Content-Type: application/json'", '-d', `'${JSON.stringify(body.value)}'`] : []),
    `'http://localhost:5000${url}${search === '' ? '' : `?${search}`}'`,
  ].join(' ');
}

function describeChannel({ address, summary, messages }: Channel): Html {
  return [
    `<section id="event-${escape(address)}"><h3><code>${escape(address)}</code></h3>${prose(`${summary}.`)}`,
    table(['Part', 'Meaning', 'Type', 'Examples'], Object.entries(messages).map(describeMessage)),
    '</section>',
  ].join('');
}

function describeMessage([part, { summary, payload, examples = [] }]: [string, EventMessage]): Html[] {
  return [part, inline(summary), typeOf(payload), examples.map((one) => code(one.payload)).join('<br>')];
}
