import { errorCodes, type ErrorCode } from '@fanfare/protocol';
import { asyncApi, openApi } from '@fanfare/protocol/api';
import { SettingsError } from '@fanfare/server';
import { expect, it } from 'vitest';
import { bearer, secret } from '../access/tokens.ts';
import { startServer } from '../harness.ts';
import { documentedErrors, Judge, operationsOf, type Exchange } from './judge.ts';
import { plainRequests, send, type ApiRequest, type Headers } from './requests.ts';

const document = openApi('1.2.3');

/** Error codes that need a fault or a race. The tests of the faults provoke them on the same code. */
const needFaults: ReadonlySet<string> = new Set([
  'internal',
  'storage_unavailable',
  'outcome_unknown',
  'log_damaged',
  'draining',
  'limit_exceeded',
]);

/** More exact statuses, which the server sends before it knows the path. */
const needBadHeads: ReadonlySet<string> = new Set(['408 bad_request', '431 bad_request']);

/** Tokens with which the server refuses every request that needs one. */
const refusedTokens: readonly (readonly [code: ErrorCode, headers: () => Promise<Headers>])[] = [
  ['not_authenticated', async () => ({ authorization: 'Bearer none' })],
  ['token_expired', async () => bearer({ exp: -100, iat: -200 })],
];

const silent = { warn: (): void => {}, error: (): void => {} };

const deep = `${'['.repeat(65)}${']'.repeat(65)}`;

function publishOf(body: string, headers: Headers = {}): ApiRequest {
  const sent = { 'content-type': 'application/json', accept: 'application/json', ...headers };
  return { method: 'POST', path: '/publish', target: '/publish', headers: sent, body };
}

/** The same request with the name in the query and in the path. */
function named(method: string, rest: string, topic: string, more = ''): ApiRequest[] {
  const name = encodeURIComponent(topic);
  const path = rest === '' ? '/topic' : rest;
  return [
    { method, path, target: `${path}?topic=${name}${more}`, headers: {} },
    {
      method,
      path: `/topics/{topic}${rest}`,
      target: `/topics/${name}${rest}${more.replace('&', '?')}`,
      headers: {},
    },
  ];
}

const reads = [
  ['GET', ''],
  ['GET', '/messages'],
  ['GET', '/subscribers'],
  ['DELETE', ''],
] as const;

/** Requests of an admin that are refused, in this order. */
const refused: readonly (readonly [code: ErrorCode, requests: readonly ApiRequest[]])[] = [
  ['bad_request', [publishOf('{')]],
  ['bad_request', [publishOf('{"topic":"orders"}')]],
  ['topic_name_invalid', [publishOf('{"topic":"","message":1}')]],
  ['payload_too_deep', [publishOf(`{"topic":"orders","message":${deep}}`)]],
  ['topic_not_found', [publishOf('{"topic":"unknown","message":1}')]],
  ['id_conflict', [publishOf('{"topic":"orders","message":2,"id":"a"}')]],
  ['payload_too_large', [publishOf(`{"topic":"orders","message":"${'x'.repeat(10_000)}"}`)]],
  ['bad_request', [publishOf('{}', { 'content-type': 'text/plain' })]],
  ...reads.map(([method, rest]) => ['topic_name_invalid', named(method, rest, '$a')] as const),
  ...reads.map(([method, rest]) => ['topic_not_found', named(method, rest, 'unknown')] as const),
  ['topic_name_invalid', named('PUT', '', '$a')],
  ['bad_request', named('GET', '/messages', 'orders', '&limit=0')],
  ['bad_request', named('GET', '/subscribers', 'orders', '&limit=x')],
  ['bad_request', ['/topic', '/messages', '/subscribers'].map((path) => request('GET', path))],
  ['bad_request', ['/topics', '/connections'].map((path) => request('GET', path, `${path}?cursor=%21`))],
  [
    'connection_not_found',
    ['GET', 'DELETE'].map((method) => request(method, '/connections/{id}', '/connections/none')),
  ],
  ['bad_request', [request('PUT', '/revocations')]],
  ['bad_request', [request('PUT', '/revocations/{subject}', '/revocations/a%00')]],
];

function request(method: string, path: string, target = path): ApiRequest {
  return { method, path, target, headers: {} };
}

/** Sends requests that are refused, and keeps the responses. */
class Refusals {
  readonly exchanges: Exchange[] = [];

  async provoke(url: string, sent: ApiRequest, code: ErrorCode): Promise<void> {
    const exchange = await send(url, sent);
    this.exchanges.push(exchange);
    expect([sent.method, sent.target, codeOf(exchange)]).toEqual([sent.method, sent.target, code]);
  }

  /** Sends a request so often at once that one of them is refused. */
  async provokeByRate(url: string, sent: ApiRequest): Promise<void> {
    const exchanges = await Promise.all(Array.from({ length: 50 }, () => send(url, sent)));
    expect(exchanges.map(codeOf)).toContain('rate_limited');
    this.exchanges.push(...exchanges.filter(({ status }) => status === 429));
  }

  /** The operations with the status and the code of each refusal. */
  get seen(): ReadonlySet<string> {
    return new Set(this.exchanges.map((one) => `${one.method} ${one.path} ${one.status} ${codeOf(one)}`));
  }
}

function codeOf({ type, body }: Exchange): string {
  return type === 'application/problem+json' ? (JSON.parse(body) as { code: string }).code : type;
}

it('the server refuses with the errors that the OpenAPI document names for the operation, and with no others', async () => {
  const refusals = new Refusals();
  const plain = plainRequests(document);
  const forClients = plain.filter(({ operation }) => operation.security.length > 0);
  const admin = await bearer({ sub: 'root', admin: true });

  const readSettings = async (): Promise<never> => Promise.reject(new SettingsError(['port is wrong.']));
  const own = { key: secret, publishBytesMax: 8_192, readSettings, logger: silent };
  const { url, server } = await startServer({ memory: true, ...own });
  await server.declare('orders');
  await send(url, publishOf('{"topic":"orders","message":1,"id":"a"}', admin));
  for (const [code, requests] of refused)
    for (const one of requests)
      await refusals.provoke(url, { ...one, headers: { ...admin, ...one.headers } }, code);
  for (const [code, headers] of refusedTokens)
    for (const one of forClients)
      await refusals.provoke(url, { ...one, headers: { ...one.headers, ...(await headers()) } }, code);

  await refusals.provoke(url, { ...request('POST', '/reload'), headers: admin }, 'settings_invalid');

  // A port on which nothing listens.
  const keys = { jwksUrl: 'http://127.0.0.1:9/keys', readSettings, logger: silent };
  const noKeys = await startServer({ memory: true, ...keys });
  for (const one of forClients)
    await refusals.provoke(noKeys.url, { ...one, headers: { ...one.headers, ...admin } }, 'keys_unavailable');

  const open = await startServer({
    memory: true,
    readSettings,
    logger: silent,
    publishRatePerAddressMax: 1,
    subscribeRatePerAddressMax: 1,
  });
  for (const one of plain) {
    const { headers, path } = one;
    // Health checks may have any host, and pages of other origins may load the scripts.
    const foreign = path.endsWith('z') ? { origin: 'https://a.example' } : { host: 'a.example' };
    await refusals.provoke(open.url, { ...one, headers: { ...headers, ...foreign } }, 'not_authorized');
    const wrong = { ...headers, expect: 'a miracle' };
    await refusals.provoke(open.url, { ...one, headers: wrong }, 'bad_request');
  }
  await refusals.provoke(open.url, request('PUT', '/revocations', '/revocations?subject=a'), 'not_found');
  await refusals.provoke(open.url, request('PUT', '/revocations/{subject}', '/revocations/a'), 'not_found');
  const withoutFile = await startServer({ memory: true });
  await refusals.provoke(withoutFile.url, request('POST', '/reload'), 'not_found');
  await open.server.declare('orders');
  await refusals.provokeByRate(open.url, publishOf('{"topic":"orders","message":1}'));
  for (const one of named('GET', '/messages', 'orders'))
    await refusals.provokeByRate(open.url, { ...one, headers: { accept: 'text/event-stream' } });

  const judge = new Judge(document);
  expect(refusals.exchanges.flatMap((exchange) => judge.faults(exchange))).toEqual([]);
  const documented = operationsOf(document).flatMap(({ method, path, operation }) =>
    documentedErrors(document, operation)
      .filter((error) => !needFaults.has(error.split(' ')[1] ?? '') && !needBadHeads.has(error))
      // Not every request has something that can be malformed.
      .filter((error) => error !== '400 bad_request')
      .map((error) => `${method} ${path} ${error}`),
  );
  expect(documented.filter((error) => !refusals.seen.has(error))).toEqual([]);
});

it('every error code is in the documents, and a document without one of its codes is detected', () => {
  const operations = operationsOf(document);
  const judge = new Judge(document);
  const overHttp = operations.flatMap(({ operation }) =>
    documentedErrors(document, operation).map((error) => error.split(' ')[1]),
  );
  const overSockets = JSON.stringify(asyncApi('1.2.3').channels);
  // A path that does not take the method has no operation. The introduction of the document names this code.
  const overall = new Set([...overHttp, 'method_not_allowed']);
  expect(document.info.description).toContain('`method_not_allowed`');
  const missing = Object.keys(errorCodes).filter(
    (code) => !overall.has(code) && !overSockets.includes(`"${code}"`),
  );
  expect(missing).toEqual([]);
  for (const { method, path, operation } of operations) {
    for (const error of documentedErrors(document, operation)) {
      const [status = '', code = ''] = error.split(' ');
      const problem = {
        type: `urn:fanfare:error:${code}`,
        title: 'a',
        status: Number(status),
        detail: 'a',
        code,
        retryable: false,
      };
      const exchange = {
        method,
        path,
        status: Number(status),
        type: 'application/problem+json',
        body: JSON.stringify(problem),
      };
      expect(judge.faults(exchange)).toEqual([]);
      const wrong = { ...exchange, body: exchange.body.replaceAll(code, 'no_such_code') };
      expect(judge.faults(wrong)).not.toEqual([]);
    }
  }
});
