import { algorithms } from '../access/algorithms.ts';
import { logLevels } from '../observability/log-levels.ts';
import { webhookEvents } from '../rules/rule.ts';
import { canReload, formatValue, settingKinds, settingNames, unitsOf, type Settings } from './settings.ts';
import { sizeUnits, timeUnits, type Units } from './units.ts';

/** The texts that a setting accepts, if it accepts only some. An empty text means the default. */
const choices: { readonly [K in keyof Settings]?: readonly string[] } = {
  keyAlgorithm: ['', ...algorithms],
  redisStored: ['', 'memory', 'disk'],
  logLevel: logLevels,
};

/** The JSON Schema of configuration files. Editors use it to check and to complete settings. */
export function settingsSchema(): object {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Settings of Fanfare',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      ...Object.fromEntries(settingNames.map((name) => [name, schemaOf(name)])),
    },
  };
}

function schemaOf(name: keyof Settings): object {
  const { about, default: fallback } = settingKinds[name];
  const reload = canReload(name) ? ' A reload applies a change.' : ' A change needs a restart.';
  const shown = unitsOf(name) ? formatValue(name, fallback) : fallback;
  return { description: `${about}${reload}`, default: shown, ...valuesOf(name) };
}

function valuesOf(name: keyof Settings): object {
  const { default: fallback, min: minimum, max: maximum } = settingKinds[name];
  const units = unitsOf(name);
  const number = { type: 'integer', minimum, maximum };
  if (units) return { anyOf: [number, { type: 'string', pattern: patternOf(units) }] };
  if (name === 'rules') return ruleSchema;
  if (name === 'trustProxy') return { type: ['string', 'integer'], minimum: 1 };
  const known = choices[name];
  if (known) return { type: 'string', enum: known };
  return typeof fallback === 'number' ? number : { type: typeof fallback };
}

function patternOf(units: Units): string {
  return `^[0-9]+(${Object.keys(units).join('|')})?$`;
}

const size = {
  anyOf: [
    { type: 'integer', minimum: 1 },
    { type: 'string', pattern: patternOf(sizeUnits) },
  ],
};

const webhookSchema = {
  type: 'object',
  description: 'A URL that gets signed requests about the topics.',
  required: ['url', 'on'],
  oneOf: ['secret', 'secretFile'].map((name) => ({ required: [name], properties: { [name]: {} } })),
  additionalProperties: false,
  properties: {
    url: { type: 'string', description: 'The URL. It must be https, except in webhookNetworks.' },
    on: {
      type: 'array',
      minItems: 1,
      items: { enum: webhookEvents },
      description: 'What the receiver is told.',
    },
    secret: { type: 'string', description: 'The secret that signs the requests: whsec_ and base64.' },
    secretFile: { type: 'string', description: 'A file that has the secret.' },
  },
};

const ruleSchema = {
  type: 'array',
  items: {
    type: 'object',
    required: ['match'],
    additionalProperties: false,
    properties: {
      match: { type: 'string', description: 'A topic or a pattern, such as orders/* or orders/**.' },
      keep: {
        description: 'How many messages a topic keeps, for how long, and how many bytes; or none.',
        anyOf: [
          { const: 'none' },
          {
            type: 'object',
            additionalProperties: false,
            properties: {
              count: { type: 'integer', minimum: 1 },
              age: { type: 'string', pattern: `^[0-9]+(${Object.keys(timeUnits).join('|')})$` },
              bytes: size,
            },
          },
        ],
      },
      create: { enum: ['subscribe', 'publish'], description: 'What creates a topic.' },
      publishBytesMax: { ...size, description: 'Maximum size of a message.' },
      publish: { type: 'boolean', description: 'Whether every client with a token may publish.' },
      subscribe: { type: 'boolean', description: 'Whether every client with a token may read.' },
      publisher: { type: 'boolean', description: 'Whether envelopes name the publisher of a message.' },
      webhook: webhookSchema,
    },
  },
};
