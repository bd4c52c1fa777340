import { percentile } from '../../load/latencies.ts';
import { Audience, BatchPublisher, webSocketTo } from '../load.ts';
import { startTwoNodes } from '../nodes.ts';
import { textOf, type Measurement, type Sample } from './sample.ts';

const messages = 1_500;
const topic = 'timed';

/** How long an acknowledgement and a delivery through another node take without other load. */
export const latency: Measurement = {
  name: 'latency',
  run: async (processes): Promise<Sample> => {
    const {
      pair: [accepting, delivering],
      stop,
    } = await startTwoNodes(processes);
    const audience = new Audience();
    const publisher = new BatchPublisher(accepting.port);
    try {
      await audience.grow(webSocketTo(delivering.port), 1, (client) => client.subscribe([topic]));
      const acks: number[] = [];
      const deliveries: number[] = [];
      for (let at = 0; at < messages; at++) {
        const began = performance.now();
        const due = audience.until(audience.deliveries + 1);
        await publisher.publish([{ topic, text: textOf(at, 256) }]);
        acks.push(performance.now() - began);
        await due;
        deliveries.push(performance.now() - began);
      }
      return { ackMs: percentile(acks, 50), deliveryMs: percentile(deliveries, 50) };
    } finally {
      audience.close();
      publisher.close();
      await stop();
    }
  },
};
