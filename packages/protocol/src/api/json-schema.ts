/** A JSON Schema (draft 2020-12), with the keywords that the API documents use. */
export interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly not?: Schema;
  readonly examples?: readonly unknown[];
  /** Our own keyword: the maximum length of a string, in bytes of UTF-8. */
  readonly 'x-utf8BytesMax'?: number;
  /** Our own keyword: the maximum number of levels of arrays and objects. `[]` is one level. */
  readonly 'x-levelsMax'?: number;
}

/** The schema of a field that can be absent. */
interface OptionalField {
  readonly whenPresent: Schema;
}

/** The schema of each field of `T`: the compiler compares their names, and which of them can be absent. */
type Fields<T> = { readonly [Name in keyof T]-?: T extends Required<Pick<T, Name>> ? Schema : OptionalField };

export function optional(whenPresent: Schema): OptionalField {
  return { whenPresent };
}

/** The schema of an object. It must have the fields of the type `T`, so a change of the type is noticed. */
export function object<T extends object>(description: string, fields: Fields<T>): Schema {
  const entries = Object.entries<Schema | OptionalField>(fields);
  const required = entries.filter(([, field]) => !('whenPresent' in field)).map(([name]) => name);
  return {
    description,
    type: 'object',
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(
      entries.map(([name, field]) => [name, 'whenPresent' in field ? field.whenPresent : field]),
    ),
  };
}

export function list(items: Schema, description?: string): Schema {
  return { ...(description !== undefined && { description }), type: 'array', items };
}

/** A schema with another description. AsyncAPI ignores what is beside a `$ref`. */
export function about(schema: Schema, description: string): Schema {
  return schema.$ref === undefined ? { ...schema, description } : { description, allOf: [schema] };
}

/** A reference to a named schema. Both documents have them at the same place. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
