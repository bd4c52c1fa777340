import type { io as connect } from 'socket.io-client';

// The server ships Socket.IO's own browser client beside this page.
declare const io: typeof connect;

interface Envelope {
  readonly topic: string;
  readonly message: unknown;
  readonly time: number;
}

type Answer = { readonly ok: true } | { readonly ok: false; readonly error: { readonly detail: string } };

/** How many messages the page shows; older ones are taken off it. */
const messagesMax = 200;

const ackTimeoutMs = 5_000;

const subscribeForm = element('subscribe', HTMLFormElement);
const publishForm = element('publish', HTMLFormElement);
const subscriptions = element('subscriptions', HTMLUListElement);
const messages = element('messages', HTMLOListElement);
const topics = new Set<string>();

const base = new URL('.', document.baseURI);
const socket = io(base.origin, { path: `${base.pathname}socket.io/` });

socket.on('connect', () => {
  tell('connection', 'live', 'Connected');
  for (const topic of topics) void subscribe(topic);
});
socket.on('disconnect', () => tell('connection', 'lost', 'Connection lost; trying to get it back …'));
socket.on('connect_error', () => tell('connection', 'lost', 'No connection; trying again …'));
socket.on('message', showMessage);

subscribeForm.addEventListener('submit', (event) => {
  event.preventDefault();
  void subscribe(field(subscribeForm, 'topic'));
});
publishForm.addEventListener('submit', (event) => {
  event.preventDefault();
  void publish();
});
publishForm.addEventListener('input', showCurl);
showCurl();

async function subscribe(topic: string): Promise<void> {
  const answer = await ask('subscribe', { topic, envelope: true });
  if (!answer.ok) return tell('subscribe-answer', 'refused', answer.error.detail);
  tell('subscribe-answer', 'done', '');
  topics.add(topic);
  showSubscriptions();
}

async function unsubscribe(topic: string): Promise<void> {
  const answer = await ask('unsubscribe', { topic, envelope: true });
  if (!answer.ok) return tell('subscribe-answer', 'refused', answer.error.detail);
  topics.delete(topic);
  showSubscriptions();
}

async function ask(event: string, argument: object): Promise<Answer> {
  try {
    return (await socket.timeout(ackTimeoutMs).emitWithAck(event, argument)) as Answer;
  } catch {
    return { ok: false, error: { detail: 'The server did not answer.' } };
  }
}

async function publish(): Promise<void> {
  const body = publishBody();
  if (body === undefined) return tell('publish-answer', 'refused', 'The message is not JSON.');
  try {
    const response = await fetch(new URL('publish', base), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const answer = await response.text();
    const isText = response.headers.get('content-type')?.startsWith('text/plain') === true;
    const { detail } = isText ? { detail: answer } : (JSON.parse(answer) as { detail: string });
    const hint = response.status === 404 ? ': nobody has subscribed to it yet' : '';
    tell(
      'publish-answer',
      response.ok ? 'done' : 'refused',
      response.ok ? detail : `${detail}${hint} (HTTP ${response.status})`,
    );
  } catch {
    tell('publish-answer', 'refused', 'The server did not answer.');
  }
}

/** Undefined when the message is to be JSON and is not. */
function publishBody(): string | undefined {
  const topic = JSON.stringify(field(publishForm, 'topic'));
  const text = field(publishForm, 'message');
  const isJson = new FormData(publishForm).has('json');
  try {
    if (isJson) JSON.parse(text);
  } catch {
    return undefined;
  }
  return `{"topic": ${topic}, "message": ${isJson ? text : JSON.stringify(text)}}`;
}

function showCurl(): void {
  const body = publishBody() ?? '…';
  const quoted = body.replaceAll("'", "'\\''");
  element('curl', HTMLPreElement).textContent =
    `curl ${new URL('publish', base).href} \\\n  -H 'Content-Type: application/json' \\\n  -d '${quoted}'`;
}

function showSubscriptions(): void {
  const items = [...topics].map((topic) => {
    const leave = document.createElement('button');
    leave.textContent = '✕';
    leave.ariaLabel = `Unsubscribe from ${topic}`;
    leave.addEventListener('click', () => void unsubscribe(topic));
    const item = document.createElement('li');
    item.append(topic, leave);
    return item;
  });
  subscriptions.replaceChildren(...items);
}

function showMessage({ topic, message, time }: Envelope): void {
  element('no-messages', HTMLParagraphElement).hidden = true;
  const about = document.createElement('div');
  about.className = 'about';
  about.textContent = `${topic} · ${new Date(time).toLocaleTimeString()}`;
  const content = document.createElement('pre');
  content.textContent = typeof message === 'string' ? message : JSON.stringify(message, null, 2);
  const item = document.createElement('li');
  item.append(about, content);
  messages.prepend(item);
  while (messages.childElementCount > messagesMax) messages.lastElementChild?.remove();
}

function tell(id: string, state: string, text: string): void {
  const paragraph = element(id, HTMLParagraphElement);
  paragraph.dataset['state'] = state;
  paragraph.textContent = text;
}

function field(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === 'string' ? value : '';
}

function element<T extends HTMLElement>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}
