import type { Schema } from '@fanfare/protocol/api';

/** HTML in which every text is escaped. */
export type Html = string;

export function escape(text: string): Html {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** Text of the documents: paragraphs, lists of lines with `-`, and code in backticks. */
export function prose(text: string): Html {
  const blocks = text.split('\n\n').map((block) =>
    block.startsWith('- ')
      ? `<ul>${block
          .split('\n')
          .map((line) => `<li>${inline(line.slice(2))}</li>`)
          .join('')}</ul>`
      : `<p>${inline(block)}</p>`,
  );
  return blocks.join('');
}

/** A line of text with code in backticks. */
export function inline(text: string): Html {
  return escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}

export function code(value: unknown): Html {
  return `<code>${escape(JSON.stringify(value))}</code>`;
}

export function table(head: readonly string[], rows: readonly (readonly Html[])[]): Html {
  if (rows.length === 0) return '';
  const cells = (tag: string, row: readonly Html[]): Html =>
    `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table><thead>${cells('th', head)}</thead><tbody>${rows
    .map((row) => cells('td', row))
    .join('')}</tbody></table></div>`;
}

/** The type of a schema in words, with links to named schemas. */
export function typeOf({ $ref, allOf, anyOf, items, properties, type, ...schema }: Schema): Html {
  if ($ref !== undefined) {
    const name = escape($ref.slice($ref.lastIndexOf('/') + 1));
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if ('const' in schema) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(' or ');
  if (anyOf && !properties) return anyOf.map(typeOf).join(' or ');
  if (allOf) return allOf.map(typeOf).join(' and ');
  if (items) return `array of ${typeOf(items)}`;
  if (properties) {
    return `object with ${Object.entries(properties)
      .filter(([, field]) => field.not === undefined)
      .map(([name, field]) => `<code>${escape(name)}</code> (${typeOf(field)})`)
      .join(', ')}`;
  }
  return type ?? 'any JSON value';
}

/** The bounds of a value in words. Empty if it has none. */
export function boundsOf({ minimum, maximum, pattern, ...schema }: Schema): Html {
  const bounds = [
    schema.default !== undefined && `default ${code(schema.default)}`,
    minimum !== undefined && `at least ${minimum}`,
    maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER && `at most ${maximum}`,
    schema['x-utf8BytesMax'] !== undefined && `at most ${schema['x-utf8BytesMax']} bytes of UTF-8`,
    schema['x-levelsMax'] !== undefined && `at most ${schema['x-levelsMax']} levels`,
    pattern !== undefined && `pattern <code>${escape(pattern)}</code>`,
  ];
  return bounds.filter((bound) => bound !== false).join(', ');
}

/** A schema by itself: its description, and its fields if it is an object. */
export function describeSchema(name: string, schema: Schema): Html {
  const { description = '', properties, required = [], examples } = schema;
  const fields = Object.entries(properties ?? {}).map(([field, of]) => [
    `<code>${escape(field)}</code>`,
    `${typeOf(of)}${required.includes(field) ? '' : ', optional'}`,
    inline(of.description ?? ''),
  ]);
  const bounds = boundsOf(schema);
  return [
    `<section id="schema-${escape(name)}"><h3>${escape(name)}</h3>${prose(description)}`,
    properties ? table(['Field', 'Type', 'Meaning'], fields) : `<p>Type: ${typeOf(schema)}</p>`,
    bounds === '' ? '' : `<p>Bounds: ${bounds}</p>`,
    examples ? `<p>Examples: ${examples.map(code).join(', ')}</p>` : '',
    '</section>',
  ].join('');
}
