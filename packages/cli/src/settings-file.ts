import { readFile } from 'node:fs/promises';
import type { SettingsFile } from '@fanfare/server';
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type ErrorCode } from 'yaml';

/**
 * The reasons why a text cannot be read. The messages of the library are not used, because they quote the
 * text, and it may contain secrets.
 */
const reasons: Partial<Record<ErrorCode, string>> = {
  BAD_DQ_ESCAPE: 'a text in double quotes has an unknown escape',
  BAD_INDENT: 'the indentation is wrong',
  BAD_SCALAR_START: 'a value begins with a character that needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a name and its value are missing a line break or quotes',
  DUPLICATE_KEY: 'a setting is given twice',
  MISSING_CHAR: 'a character is missing, such as a quote, a comma, a bracket or a colon',
  MULTILINE_IMPLICIT_KEY: 'a colon is missing after a name',
  MULTIPLE_DOCS: 'the file has several documents',
  TAB_AS_INDENT: 'the indentation has a tab: use spaces',
  TAG_RESOLVE_FAILED: 'a value has an unknown tag (!)',
  UNEXPECTED_TOKEN: 'an unexpected character',
};

/** Reads a YAML or JSON file. YAML includes JSON, so the name of the file does not matter. */
export async function readSettingsFile(path: string): Promise<SettingsFile> {
  let text: string;
  try {
    // TextDecoder removes a byte order mark.
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : code;
    return { path, unreadable: [`Cannot read ${path} (${reason}).`] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const problems = [...document.errors, ...document.warnings].map(
    ({ code, pos: [offset] }) =>
      `Cannot read ${path}:${lineAt(offset)} as YAML or JSON: ${reasons[code] ?? `it is malformed (${code})`}.`,
  );
  if (problems.length > 0) return { path, unreadable: [...new Set(problems)] };
  const lineOf = (at: readonly (string | number)[]): number | undefined => {
    const offset = offsetOf(document.contents, at);
    return offset === undefined ? undefined : lineAt(offset);
  };
  try {
    return { path, content: document.toJS() as unknown, lineOf };
  } catch {
    const reason =
      'an alias (*) has no anchor, or a value has too many. Put a value that begins with * into quotes';
    return { path, unreadable: [`Cannot read ${path} as YAML or JSON: ${reason}.`] };
  }
}

/** Where a value begins, with its name; if it does not exist, the value around it. */
function offsetOf(root: unknown, at: readonly (string | number)[]): number | undefined {
  let offset: number | undefined;
  let node = root;
  for (const part of at) {
    let begin: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      [begin, node] = [pair?.key, pair?.value];
    } else if (isSeq(node)) {
      begin = node = node.items[Number(part)];
    } else begin = undefined;
    if (!isNode(begin)) break;
    offset = begin.range?.[0] ?? offset;
  }
  return offset;
}
