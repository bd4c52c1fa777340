/** Tools for a data directory that no server has open. */
export { DataDirectoryError } from '../log/store/directory/data-directory.ts';
export type { Store } from '../log/store/store.ts';
export { LogDamagedError, LogFullError, LogUnwritableError } from '../log/topic-log.ts';
export { exportStore, type ExportOptions } from './export.ts';
export { ImportError, importStore, type ImportOptions } from './import.ts';
export { openStore } from './open-store.ts';
export { repairTimes } from './repair-times.ts';
export { verifyStore, type StoreCounts } from './verify.ts';
export type { Progress, Watcher } from './store-scan.ts';
