import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** Validates values by the schemas of an API document, with the keywords of our own. */
export class DocumentSchemas {
  /** The linter checks the schemas themselves. Here this would take most of the time. */
  readonly #ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(document: object) {
    this.#ajv.addKeyword({
      keyword: 'x-utf8BytesMax',
      type: 'string',
      validate: (max: number, text: string) => Buffer.byteLength(text) <= max,
    });
    this.#ajv.addKeyword({
      keyword: 'x-levelsMax',
      validate: (max: number, value: unknown) => levelsOf(value) <= max,
    });
    this.#ajv.addSchema(document, 'document');
  }

  /** @param path - the keys that lead to the schema in the document */
  faults(path: readonly string[], value: unknown): string[] {
    const pointer = path.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1')));
    const $ref = `document#/${pointer.join('/')}`;
    const validate = this.#compiled.get($ref) ?? this.#ajv.compile({ $ref });
    this.#compiled.set($ref, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }

  allows(name: string, value: unknown): boolean {
    return this.faults(['components', 'schemas', name], value).length === 0;
  }
}

function levelsOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(levelsOf));
}

/**
 * The document, but objects must not have fields that it does not name. Clients ignore such fields, so the
 * document itself allows them.
 */
export function withoutOtherFields<T>(part: T): T {
  if (Array.isArray(part)) return part.map(withoutOtherFields) as T;
  if (typeof part !== 'object' || part === null) return part;
  const copy = Object.fromEntries(
    Object.entries(part).map(([key, value]) => [key, withoutOtherFields(value as unknown)]),
  );
  if (copy['type'] === 'object' && copy['properties'] !== undefined) copy['additionalProperties'] = false;
  return copy as T;
}
