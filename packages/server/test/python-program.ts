import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from '../../../test/waits.ts';

/** Debian's own Python: only this one finds Debian's python3-socketio and python3-requests. */
const python = '/usr/bin/python3';

export interface PythonProgram {
  /** Waits for the next line of output. */
  readonly line: () => Promise<string>;
  readonly type: (line: string) => void;
}

/** Runs a program of the folder `python`. It is ended with the test. */
export function runPython(file: string, ...args: string[]): PythonProgram {
  const path = fileURLToPath(new URL(`python/${file}`, import.meta.url));
  const program = spawn(python, ['-u', path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void program.kill('SIGKILL'));
  const lines: string[] = [];
  let rest = '';
  let wake = (): void => {};
  let isOver = false;
  program.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    wake();
  });
  program.once('close', () => {
    isOver = true;
    wake();
  });
  return {
    type: (line) => void program.stdin.write(`${line}\n`),
    line: async () => {
      const step = async (): Promise<void> => {
        if (isOver) throw new Error(`${file} ended`);
        await new Promise<void>((resolve) => (wake = resolve));
      };
      await until(`${file} prints its next line`, () => lines.length > 0, { step, soFar: () => rest });
      return lines.shift() ?? '';
    },
  };
}
