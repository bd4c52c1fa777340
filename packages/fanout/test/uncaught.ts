import { onTestFinished } from 'vitest';

/** Has what nobody catches end nothing until the test ends. @returns the messages of what was thrown */
export function collectUncaught(): readonly string[] {
  const thrown: string[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', ({ message }) => thrown.push(message));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
  return thrown;
}
