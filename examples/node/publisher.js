// Publishes a message to a topic: node publisher.js TOPIC MESSAGE
const [topic = 'news', message = 'hello'] = process.argv.slice(2);
const url = process.env.FANFARE_URL ?? 'http://localhost:5000';

const response = await fetch(`${url}/publish`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ topic, message }),
});
console.log(await response.text());
if (!response.ok) process.exitCode = 1;
