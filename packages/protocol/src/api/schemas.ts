import type { Schema } from './json-schema.ts';
import { messageSchemas } from './message-schemas.ts';
import { stateSchemas } from './state-schemas.ts';
import { valueSchemas } from './value-schemas.ts';

const all: Readonly<Record<string, Schema>> = { ...valueSchemas, ...messageSchemas, ...stateSchemas };

/** The named schemas that a part of a document refers to, also indirectly. */
export function schemasIn(part: object): Readonly<Record<string, Schema>> {
  const found: Record<string, Schema> = {};
  const waiting: object[] = [part];
  for (let one = waiting.pop(); one; one = waiting.pop()) {
    for (const [, name = ''] of JSON.stringify(one).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      const schema = all[name];
      if (!schema) throw new Error(`there is no schema ${name}`);
      if (name in found) continue;
      found[name] = schema;
      waiting.push(schema);
    }
  }
  return Object.fromEntries(Object.entries(found).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
