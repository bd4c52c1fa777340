/**
 * File systems that several machines can mount at the same time, by their numbers in Linux (statfs(2)). Each
 * machine has its own page cache. So a database that maps its file into memory does not see the writes of
 * other machines.
 *
 * FUSE is included: most of it is network storage (SSHFS, GlusterFS, object storage, virtiofs), and Linux
 * does not distinguish it from the rest.
 */
const networkStorage: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS (SMB)'],
  [0xfe534d42, 'SMB 2 or 3'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x00c36400, 'CephFS'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0x20030528, 'OrangeFS'],
  [0xaad7aaea, 'PanFS'],
  [0x786f4256, 'a VirtualBox shared folder'],
  [0xbacbacbc, 'a VMware shared folder'],
  [0x7c7c6673, 'a Parallels shared folder'],
]);

/**
 * The kind of network storage; undefined if it is none that is known.
 *
 * @param type - `type` of Node's `statfs`. Systems other than Linux have other numbers
 */
export function networkStorageOf(type: number, platform: NodeJS.Platform): string | undefined {
  // The number is signed on some systems.
  return platform === 'linux' ? networkStorage.get(type >>> 0) : undefined;
}
