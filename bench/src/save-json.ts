import { writeFileSync } from 'node:fs';
import { UsageError } from './arguments.ts';

/**
 * Writes all results to the file that `--json` names.
 *
 * @throws UsageError
 */
export function saveJson(path: string | undefined, content: object): void {
  try {
    if (path !== undefined) writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
  } catch (error) {
    throw new UsageError(
      `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
