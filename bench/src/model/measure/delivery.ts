import type { Client, ClientEvents } from '../../wire/client.ts';
import { openAtTwoNodes } from '../../wire/socket-io-polling.ts';
import { Audience, BatchPublisher, createTopics, webSocketTo } from '../load.ts';
import { cpuUsOf, startTwoNodes } from '../nodes.ts';
import { fitLine, textOf, type Measurement, type Sample } from './sample.ts';

const subscribers = 300;
const topic = 'delivered';
const usualBytes = 256;
const largeBytes = 8_192;
const largeSize = 4;
const kib = 1_024;

/**
 * What a delivery costs the subscriber's node. The publisher waits until everyone has a batch, so each batch
 * is one write for each subscriber. The same batches without subscribers are subtracted.
 */
export const delivery: Measurement = {
  name: 'delivery',
  run: async (processes): Promise<Sample> => {
    const {
      pair: [accepting, delivering],
      stop,
    } = await startTwoNodes(processes);
    const audience = new Audience();
    const publisher = new BatchPublisher(accepting.port);
    const run = async (size: number, bytes: number): Promise<number> => {
      // With few subscribers a batch takes little time, so that it takes more of them to measure it.
      const batches = Math.ceil((audience.clients.length > 1 ? 500 : 2_000) / size);
      const [us = 0] = await cpuUsOf([delivering], async () => {
        for (let batch = 0; batch < batches; batch++) {
          const due = audience.deliveries + size * audience.clients.length;
          await publisher.publish(
            Array.from({ length: size }, (_, at) => ({ topic, text: textOf(at, bytes) })),
          );
          await audience.until(due);
        }
      });
      return us / batches;
    };
    try {
      await createTopics(accepting.port, [topic]);
      await run(1, usualBytes);
      const { base: frameUs, slope: messageUs } = fitLine([
        [1, await run(1, usualBytes)],
        [16, await run(16, usualBytes)],
      ]);
      const largeUs = (await run(largeSize, largeBytes)) - (await run(largeSize, usualBytes));
      const join = webSocketTo(delivering.port);
      await audience.grow(join, 1, (client) => client.subscribe([topic]));
      await run(1, usualBytes);
      const firstUs = (await run(1, usualBytes)) - frameUs - messageUs;
      await audience.grow(join, subscribers - 1, (client) => client.subscribe([topic]));
      await run(1, usualBytes);
      const points: (readonly [number, number])[] = [];
      for (const size of [1, largeSize, 16, 64]) {
        points.push([size, ((await run(size, usualBytes)) - frameUs - messageUs * size) / subscribers]);
      }
      const { base, slope } = fitLine(points);
      const larger = (await run(largeSize, largeBytes)) / subscribers - (points[1]?.[1] ?? Number.NaN);
      const addedKib = (largeSize * (largeBytes - usualBytes)) / kib;
      const kibUs = (larger - (largeUs + frameUs + messageUs * largeSize) / subscribers) / addedKib;
      return {
        nodeEncodeUs: firstUs - base - slope,
        nodeWriteUs: base,
        nodeDeliverUs: slope - kibUs * (usualBytes / kib),
        nodeDeliverKibUs: kibUs,
      };
    } finally {
      audience.close();
      publisher.close();
      await stop();
    }
  },
};

const pollers = 60;
const rounds = 40;

/** What a message for a polling client costs, and what passing its requests on to another node costs. */
export const polling: Measurement = {
  name: 'polling',
  run: async (processes): Promise<Sample> => {
    const { pair, stop } = await startTwoNodes(processes);
    const [own, other] = pair;
    const publisher = new BatchPublisher(own.port);
    let audience = new Audience();
    /** One message for each client, which comes with one poll. */
    const run = async (): Promise<number> => {
      const us = await cpuUsOf(pair, async () => {
        for (let round = 0; round < rounds; round++) {
          const due = audience.deliveries + audience.clients.length;
          await publisher.publish([{ topic, text: textOf(round, usualBytes) }]);
          await audience.until(due);
        }
      });
      return us.reduce((sum, each) => sum + each, 0) / rounds;
    };
    const pollAt = async (port: number): Promise<number> => {
      audience.close();
      audience = new Audience();
      const open = (events: ClientEvents): Promise<Client> => openAtTwoNodes(own.port, port, events);
      await audience.grow(open, pollers, (client) => client.subscribe([topic]));
      await run();
      return run();
    };
    try {
      await createTopics(own.port, [topic]);
      const nobody = await run();
      const direct = await pollAt(own.port);
      const passedOn = await pollAt(other.port);
      return { nodePollUs: (direct - nobody) / pollers, nodeForwardUs: (passedOn - direct) / pollers };
    } finally {
      audience.close();
      publisher.close();
      await stop();
    }
  },
};
