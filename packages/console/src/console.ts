import type * as Client from '@fanfare/client';

// The server ships the SDK beside this page.
declare const Fanfare: typeof Client;

/** How many messages the page shows; older ones are taken off it. */
const messagesMax = 200;

const subscribeForm = element('subscribe', HTMLFormElement);
const publishForm = element('publish', HTMLFormElement);
const subscriptions = element('subscriptions', HTMLUListElement);
const messages = element('messages', HTMLOListElement);
const open = new Map<string, Client.Subscription>();

const base = new URL('.', document.baseURI);
const fanfare = Fanfare.connect(base.href);

fanfare.onStatus(({ state, since, error }) => tell('connection', state, describe(state, since, error)));

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
  if (open.has(topic)) return;
  const subscription = fanfare.subscribe(
    topic,
    { onGap: showGap, onError: () => unsubscribe(topic) },
    showMessage,
  );
  open.set(topic, subscription);
  try {
    await subscription.ready;
    tell('subscribe-answer', 'done', '');
    showSubscriptions();
  } catch (error) {
    tell('subscribe-answer', 'refused', (error as Client.FanfareError).message);
  }
}

function unsubscribe(topic: string): void {
  open.get(topic)?.close();
  open.delete(topic);
  showSubscriptions();
}

function describe(state: Client.Status['state'], since: number, error: Error | undefined): string {
  switch (state) {
    case 'connecting':
      return error ? 'No connection; trying again …' : 'Connecting …';
    case 'catching_up':
      return 'Connected, catching up …';
    case 'live':
      return 'Connected';
    case 'lost':
      return `Connection lost at ${new Date(since).toLocaleTimeString()}; trying to get it back …`;
    case 'closed':
      return error?.message ?? 'Closed';
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
  const items = [...open.keys()].map((topic) => {
    const leave = document.createElement('button');
    leave.textContent = '✕';
    leave.ariaLabel = `Unsubscribe from ${topic}`;
    leave.addEventListener('click', () => unsubscribe(topic));
    const item = document.createElement('li');
    item.append(topic, leave);
    return item;
  });
  subscriptions.replaceChildren(...items);
}

function showMessage({ topic, message, time }: Client.Envelope): void {
  const content = document.createElement('pre');
  content.textContent = typeof message === 'string' ? message : JSON.stringify(message, null, 2);
  show(`${topic} · ${new Date(time).toLocaleTimeString()}`, content);
}

function showGap({ topic, dropped }: Client.Gap): void {
  show(`${topic} · ${dropped ?? 'some'} messages are missing here: they are not kept any more`);
}

function show(about: string, ...content: readonly Element[]): void {
  element('no-messages', HTMLParagraphElement).hidden = true;
  const heading = document.createElement('div');
  heading.className = 'about';
  heading.textContent = about;
  const item = document.createElement('li');
  item.append(heading, ...content);
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
