import { close, open } from 'node:fs';
import { devNull } from 'node:os';
import type { Logger } from './logger.ts';

const checkMs = 1_000;

/**
 * Logs when the process runs out of file descriptors, and when it has some again. Without file descriptors,
 * Node drops new connections without an event. So this function opens a file regularly to find out.
 *
 * @returns a function that stops watching
 */
export function watchFileDescriptors(logger: Logger): () => void {
  let isOut = false;
  const tell = (isOutNow: boolean): void => {
    if (isOut === isOutNow) return;
    isOut = isOutNow;
    if (isOut)
      logger.error(
        {},
        'Out of file descriptors: new connections are dropped. Raise the limit of open files (`ulimit -n`), or lower `connectionsMax`.',
      );
    else logger.warn({}, 'There are file descriptors again: new connections are accepted.');
  };
  const timer = setInterval(() => {
    open(devNull, (error, descriptor) => {
      tell(error?.code === 'EMFILE' || error?.code === 'ENFILE');
      if (!error) close(descriptor);
    });
  }, checkMs).unref();
  return () => clearInterval(timer);
}
