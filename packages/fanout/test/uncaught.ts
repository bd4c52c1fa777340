import { onTestFinished } from 'vitest';

/** Catches uncaught errors until the test ends, so that the process continues. @returns their messages */
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
