import type { AsyncApiDocument, OpenApiDocument } from '@fanfare/protocol/api';
import type { FastifyInstance } from 'fastify';
import { version } from '../version.ts';
import { referencePage, stylePolicy } from './reference-page.ts';
import { fileRoute } from './static-file.ts';

const json = 'application/json; charset=utf-8';

/** `/openapi.json`, `/asyncapi.json`, and both as a page at `/reference`: PROTOCOL.md 5.20 and 5.21. */
export async function apiRoutes(app: FastifyInstance): Promise<void> {
  fileRoute(app, '/openapi.json', json, async () => encode((await documents()).openApi));
  fileRoute(app, '/asyncapi.json', json, async () => encode((await documents()).asyncApi));
  fileRoute(
    app,
    '/reference',
    'text/html; charset=utf-8',
    async () => Buffer.from(referencePage(await documents())),
    { 'content-security-policy': stylePolicy },
  );
}

/** The module is loaded on the first request: most servers never get one. */
async function documents(): Promise<{ openApi: OpenApiDocument; asyncApi: AsyncApiDocument }> {
  const { asyncApi, openApi } = await import('@fanfare/protocol/api');
  return { openApi: openApi(version), asyncApi: asyncApi(version) };
}

function encode(document: object): Buffer {
  return Buffer.from(JSON.stringify(document));
}
