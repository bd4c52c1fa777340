// Reads the channel of the log, and does nothing with the frames. It prints `reads` once it is subscribed,
// and sends the number of frames so far when it gets a message.
import { Connection, cutFrames } from '../wire/connection.ts';
import { command, elementEnd } from '../wire/redis.ts';

const [port = '', channel = ''] = process.argv.slice(2);
let frames = -1;
const connection = new Connection(
  Number(port),
  cutFrames(elementEnd, () => {
    // The first element confirms the subscription.
    if (++frames === 0) process.send?.('reads');
  }),
  () => process.exit(1),
);
connection.write(command('SUBSCRIBE', channel));
process.on('message', () => process.send?.(frames));
process.once('disconnect', () => process.exit());
