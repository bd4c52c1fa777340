import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { asyncApi, openApi, type OpenApiDocument, type Schema } from '@fanfare/protocol/api';
import { resolveSettings, type ServerOptions } from '@fanfare/server';
import type { FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../harness.ts';
import { bearer, secret } from '../access/tokens.ts';
import { secret as webhookSecret } from '../webhooks/test-receiver.ts';
import { sendExamples } from './examples.ts';
import { Judge, operationsOf, type Exchange } from './judge.ts';
import { send } from './requests.ts';

/** The options of servers that have all routes. */
const webhook = { url: 'https://receiver.example', on: ['closed'], secret: webhookSecret } as const;
const rules = [{ match: 'never/used', webhook }];
const flags = { memory: 'true', key: secret, rules: JSON.stringify(rules) };
const withKey = { memory: true, key: secret, rules, readSettings: reading(flags) };
const withoutKey = { memory: true, readSettings: reading({ memory: 'true' }) };

function reading(given: Readonly<Record<string, string>>): NonNullable<ServerOptions['readSettings']> {
  return async () => resolveSettings({ flags: given, env: {} });
}

/** The document that a server serves. */
async function documentOf({ url }: RunningServer): Promise<OpenApiDocument> {
  const response = await fetch(`${url}/openapi.json`);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  return (await response.json()) as OpenApiDocument;
}

/** The routes of a server, in the form of the document. Every `GET` has a `HEAD`. */
async function routesOfServer(): Promise<string[]> {
  const routes: string[] = [];
  const onFastify = (message: unknown): void => {
    const { fastify } = message as { readonly fastify: FastifyInstance };
    fastify.addHook('onRoute', ({ method, url }) => {
      const methods = Array.isArray(method) ? method : [method];
      for (const one of methods) routes.push(`${one} ${url.replaceAll(/:(\w+)/g, '{$1}')}`);
    });
  };
  subscribe('fastify.initialization', onFastify);
  try {
    await startServer(withKey);
  } finally {
    unsubscribe('fastify.initialization', onFastify);
  }
  return routes.filter((route) => !route.startsWith('HEAD ')).toSorted();
}

const routesIn = (document: OpenApiDocument): string[] =>
  operationsOf(document)
    .map(({ method, path }) => `${method} ${path}`)
    .toSorted();

describe('the OpenAPI document', () => {
  it('the OpenAPI document has exactly the routes of the server', async () => {
    const routes = await routesOfServer();
    expect(routes.length).toBeGreaterThan(30);
    expect(routesIn(openApi('1.2.3'))).toEqual(routes);
    const { '/topics': _, ...paths } = openApi('1.2.3').paths;
    expect(routesIn({ ...openApi('1.2.3'), paths })).not.toEqual(routes);
  });

  it('the server answers every example of the OpenAPI document as the document says, with a key and without one', async () => {
    const open = await startServer(withoutKey);
    const document = await documentOf(open);
    const judge = new Judge(document);
    const closed = await startServer(withKey);
    expect(await documentOf(closed)).toEqual(document);
    const exchanges = [
      ...(await sendExamples(open, document)),
      ...(await sendExamples(closed, document, await bearer({ admin: true }))),
    ];
    expect(exchanges.flatMap((exchange) => judge.faults(exchange))).toEqual([]);
    judgeParts(judge, exchanges);
    const seen = new Set(
      exchanges.map(({ method, path, status, type }) => `${method} ${path} ${status} ${type}`),
    );
    const documented = operationsOf(document).flatMap(({ method, path, operation }) =>
      Object.entries(operation.responses)
        .filter(([status]) => Number(status) < 400)
        .flatMap(([status, response]) =>
          Object.keys(('content' in response && response.content) || { '': '' }).map(
            (type) => `${method} ${path} ${status} ${type}`,
          ),
        ),
    );
    expect(documented.filter((one) => !seen.has(one))).toEqual([]);
  });

  it('the judge detects every field that a wrong OpenAPI document lacks or describes wrongly', async () => {
    const server = await startServer(withKey);
    const document = await documentOf(server);
    const exchanges = [
      ...(await sendExamples(server, document, await bearer({ admin: true }))),
      await send(server.url, {
        method: 'GET',
        path: '/topic',
        target: '/topic?topic=',
        headers: await bearer(),
      }),
    ];
    const json = exchanges.filter(({ type }) => type.endsWith('json'));
    const undetected: string[] = [];
    let changes = 0;
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      for (const field of schema.required ?? []) {
        for (const wrong of [without(schema, field), withWrong(schema, field)]) {
          changes++;
          const judge = new Judge(withSchema(document, name, wrong));
          if (!json.some((exchange) => judge.faults(exchange).length > 0))
            undetected.push(`${name}.${field}`);
        }
      }
    }
    expect(changes).toBeGreaterThan(150);
    // Nodes are on several servers. The bodies of requests are judged by other tests.
    expect(undetected.filter((one) => !/^(?:NodeStats|PublishRequest|Refused)\./.test(one))).toEqual([]);
  });
});

function without({ properties = {}, ...schema }: Schema, field: string): Schema {
  const { [field]: _, ...rest } = properties;
  return { ...schema, properties: rest };
}

function withWrong(schema: Schema, field: string): Schema {
  return { ...schema, properties: { ...schema.properties, [field]: { const: 'a wrong value' } } };
}

function withSchema(document: OpenApiDocument, name: string, schema: Schema): OpenApiDocument {
  const { components } = document;
  return { ...document, components: { ...components, schemas: { ...components.schemas, [name]: schema } } };
}

/** Judges the lines of batches and the first events of streams: the document describes them in words. */
function judgeParts(judge: Judge, exchanges: readonly Exchange[]): void {
  const lines = exchanges
    .filter(({ type }) => type === 'application/x-ndjson')
    .flatMap(({ body }) => body.trimEnd().split('\n'));
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) expect(judge.faultsOf('PublishResult', JSON.parse(line))).toEqual([]);
  const streams = exchanges.filter(({ type }) => type === 'text/event-stream');
  expect(streams.length).toBeGreaterThan(10);
  const events = new DocumentOfEvents();
  for (const { body } of streams) events.check(body);
}

class DocumentOfEvents {
  readonly #judge = new Judge({
    ...openApi('1.2.3'),
    components: { ...openApi('1.2.3').components, ...asyncApi('1.2.3').components },
  });

  check(stream: string): void {
    for (const event of stream.split('\n\n').slice(0, -1)) {
      const [, name = 'message'] = /^event: ?(.*)$/m.exec(event) ?? [];
      const [, data = ''] = /^data: ?(.*)$/m.exec(event) ?? [];
      const schema = { subscribed: 'Subscribed', message: 'Envelope', state: 'StateEvent', gap: 'GapEvent' }[
        name
      ];
      expect([event, schema]).toEqual([event, expect.any(String)]);
      expect(this.#judge.faultsOf(schema ?? '', JSON.parse(data))).toEqual([]);
    }
  }
}
