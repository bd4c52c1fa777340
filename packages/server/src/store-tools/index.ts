/** Tools for a data directory, and for a log on Redis. */
export { DataDirectoryError } from '../log/store/directory/data-directory.ts';
export type { Store } from '../log/store/store.ts';
export { LogDamagedError, LogFullError, LogUnwritableError } from '../log/topic-log.ts';
export { backupStore, type Backup } from './backup.ts';
export { exportStore, type ExportOptions } from './export.ts';
export { importStore } from './import.ts';
export { ImportError, type ImportOptions } from './import-reader.ts';
export { openStore } from './open-store.ts';
export { repairTimes } from './repair-times.ts';
export { verifyStore, type StoreCounts } from './verify.ts';
export type { Progress, Watcher } from './store-scan.ts';
export type { LogPlace } from '../log/redis/log-transfer.ts';
export { parseRedisUrl } from '../log/redis/redis-url.ts';
export { exportFromRedis, type RedisExportOptions } from './redis-export.ts';
export { importToRedis, type RedisImportOptions } from './redis-import.ts';
