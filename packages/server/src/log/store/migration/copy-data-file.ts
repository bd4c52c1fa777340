import { Buffer } from 'node:buffer';
import { open, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../directory/data-directory.ts';
import { dataFile } from '../directory/file-names.ts';

/** The free space that must be left after the copy, in bytes. */
const leftBytesMin = 16 * 1_048_576;

const pieceBytes = 1_048_576;

/**
 * Copies a data file. The copy exists completely or not at all, and survives a power cut. It replaces the
 * copy of an interrupted start.
 *
 * Nothing MUST write to the file meanwhile.
 *
 * @param copy - the path of the copy
 * @throws the system's error, or an error with the missing space
 */
export async function copyData(directory: string, copy: string): Promise<void> {
  const path = join(directory, dataFile);
  const part = `${copy}.part`;
  await rm(part, { force: true });
  const source = await open(path);
  try {
    await checkFreeSpace(path, source);
    const target = await open(part, 'wx', 0o600);
    try {
      await copyBytes(source, target);
      await target.sync();
    } finally {
      await target.close();
    }
    await rename(part, copy);
    await syncDirectory(directory);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}

async function checkFreeSpace(path: string, source: FileHandle): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  const { size } = await source.stat();
  const missing = size + leftBytesMin - bavail * bsize;
  if (missing > 0) throw new Error(`its disk lacks ${Math.ceil(missing / 1_048_576)} MiB of free space`);
}

/**
 * Copies the file with the empty space at its end: with holes in the file, a full disk would show too late.
 */
async function copyBytes(source: FileHandle, target: FileHandle): Promise<void> {
  const { size } = await source.stat();
  const piece = Buffer.alloc(pieceBytes);
  for (let at = 0; at < size;) {
    const { bytesRead } = await source.read(piece, 0, Math.min(pieceBytes, size - at), at);
    if (bytesRead === 0) throw new Error(`'${dataFile}' became shorter during the copy`);
    for (let written = 0; written < bytesRead;) {
      written += (await target.write(piece, written, bytesRead - written, at + written)).bytesWritten;
    }
    at += bytesRead;
  }
}
