// Prints every message of a topic or pattern with the SDK, across lost connections. The SDK also publishes,
// reads history and reports the connection's status. Usage: node sdk-subscriber.js TOPIC
import { connect } from '@fanfare/client';

const [topic = 'news'] = process.argv.slice(2);
const fanfare = connect(process.env.FANFARE_URL ?? 'http://localhost:5000');
fanfare.onStatus(({ state }) => console.error(state));

const onGap = () => console.error('Messages are missing here.');
for await (const { message } of fanfare.subscribe(topic, { onGap })) console.log(JSON.stringify(message));
