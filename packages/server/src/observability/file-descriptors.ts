import { close, open } from 'node:fs';
import { devNull } from 'node:os';
import type { Logger } from './logger.ts';

const lookMs = 1_000;

/**
 * Logs when the process has run out of file descriptors, and when it has some again. Node drops new connections without a word then,
 * so this tries to open something now and then.
 *
 * @returns ends that
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
    else logger.warn({}, 'There are file descriptors again: new connections are taken.');
  };
  const timer = setInterval(() => {
    open(devNull, (error, descriptor) => {
      tell(error?.code === 'EMFILE' || error?.code === 'ENFILE');
      if (!error) close(descriptor);
    });
  }, lookMs).unref();
  return () => clearInterval(timer);
}
