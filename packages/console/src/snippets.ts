/** The publish of the page, for snippets that do the same in a program. */
export interface Example {
  /** The URL of the server, with a slash at its end. */
  readonly base: string;
  readonly topic: string;
  /** The message as JSON text. */
  readonly message: string;
  /** Whether the server needs a token. */
  readonly withToken: boolean;
}

export interface Snippet {
  readonly language: 'curl' | 'JavaScript' | 'Python';
  readonly install?: string;
  readonly subscribe: string;
  readonly publish: string;
}

export function snippetsOf(example: Example): readonly Snippet[] {
  return [curl(example), javaScript(example), python(example)];
}

function curl({ base, topic, message, withToken }: Example): Snippet {
  const token = withToken ? ` \\\n  -H "Authorization: Bearer $TOKEN"` : '';
  const body = `{"topic": ${JSON.stringify(topic)}, "message": ${message}}`;
  return {
    language: 'curl',
    subscribe: `curl -N ${shell(`${base}messages?topic=${encodeURIComponent(topic)}&from=new`)} \\\n  -H 'Accept: text/event-stream'${token}`,
    publish: `curl ${shell(`${base}publish`)}${token} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(body)}`,
  };
}

function javaScript({ base, topic, message, withToken }: Example): Snippet {
  const name = JSON.stringify(topic);
  const auth = withToken ? ', { auth: { token: process.env.TOKEN } }' : '';
  const header = withToken ? `\n    Authorization: \`Bearer \${process.env.TOKEN}\`,` : '';
  return {
    language: 'JavaScript',
    install: 'npm install socket.io-client',
    subscribe: `import { io } from 'socket.io-client';

const socket = io(${JSON.stringify(origin(base))}${auth});
socket.on('connect', () => socket.emit('subscribe', { topic: ${name}, envelope: true }));
socket.on('message', ({ message }) => console.log('Received', message));`,
    publish: `const response = await fetch(${JSON.stringify(`${base}publish`)}, {
  method: 'POST',
  headers: {
    'Content-Type': 'application/json',${header}
  },
  body: JSON.stringify({ topic: ${name}, message: ${message} }),
});
console.log(await response.text());`,
  };
}

function python({ base, topic, message, withToken }: Example): Snippet {
  const name = JSON.stringify(topic);
  const environment = withToken ? 'import os\n' : '';
  const auth = withToken ? ", auth={'token': os.environ['TOKEN']}" : '';
  const headers = withToken ? ", headers={'Authorization': f\"Bearer {os.environ['TOKEN']}\"}" : '';
  return {
    language: 'Python',
    install: 'pip install "python-socketio[client]" requests',
    subscribe: `${environment}import socketio

sio = socketio.Client()

@sio.event
def connect():
    sio.emit('subscribe', {'topic': ${name}, 'envelope': True})

@sio.on('message')
def on_message(data):
    print('Received', data['message'])

try:
    sio.connect(${JSON.stringify(origin(base))}${auth})
    sio.wait()
except KeyboardInterrupt:
    pass  # Ctrl-C`,
    publish: `${environment}import requests

response = requests.post(${JSON.stringify(`${base}publish`)}${headers},
    json={'topic': ${name}, 'message': ${literal(JSON.parse(message))}})
print(response.text)`,
  };
}

function origin(base: string): string {
  return base.replace(/\/$/, '');
}

/** Quotes a text as one word of a POSIX shell. */
function shell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A JSON value in Python. */
function literal(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${literal(one)}`);
    return `{${entries.join(', ')}}`;
  }
  return JSON.stringify(value);
}
