import { found, fine, type Check } from './check.ts';
import { readOpening } from './engine-packets.ts';
import { probe, requestLine, seen } from './http-probe.ts';

/** Which clients can connect: those of Socket.IO 3 and 4, those of version 2, or both? */
export const protocolVersion: Check = {
  name: 'protocol',
  async run(deployment) {
    const { target, engineVersion, hasPolling, isFanfare } = deployment;
    const url = deployment.socketUrl('polling');
    if (engineVersion === 3) {
      const asked = requestLine(url.replace('EIO=3', 'EIO=4'));
      return found('protocol_old', asked, 'Engine.IO 3');
    }
    // Fanfare has only this one, and would log the other.
    if (!hasPolling || isFanfare) return fine('Engine.IO 4: clients of Socket.IO 3 and 4');
    const older = await probe(target, url.replace('EIO=4', 'EIO=3'));
    const isOld = older.status === 200 && readOpening(older.body)?.engineVersion === 3;
    const saw = isOld
      ? 'Engine.IO 3 and 4: clients of Socket.IO 2, 3 and 4'
      : 'Engine.IO 4: clients of Socket.IO 3 and 4';
    return older.status >= 500 ? fine(`${saw} (to Engine.IO 3: ${seen(older)})`) : fine(saw);
  },
};
