/**
 * File systems that several machines can have at the same time, by the number that Linux gives their type
 * (statfs(2)). Each machine has its own copy of a file's pages, so a database that maps its file into memory does
 * not see what another machine writes.
 *
 * FUSE is among them: most of it is network storage (SSHFS, GlusterFS, object storage, virtiofs), and Linux does not
 * tell which of it is not.
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
 * What kind of network storage a file system is; undefined when it is none that is known.
 *
 * @param type - `type` of Node's `statfs`. Other systems than Linux have other numbers.
 */
export function networkStorageOf(type: number, platform: NodeJS.Platform): string | undefined {
  // Node hands over a signed number on some systems.
  return platform === 'linux' ? networkStorage.get(type >>> 0) : undefined;
}
