import type { Delivery, State, Stray, Subscribed, Subscription, SubscriptionEvent } from './history.ts';
import { isOf } from './place.ts';

/** The events that a client saw over all its connections, in their order. */
export type ClientEvent =
  | (Subscribed & { readonly interest: string; readonly form: Subscription['form'] })
  | { readonly kind: 'unsubscribed'; readonly interest: string }
  | { readonly kind: 'disconnected' }
  | (Delivery & { readonly form: Subscription['form'] })
  | { readonly kind: 'state'; readonly interest: string; readonly state: State; readonly offset: string }
  | {
      readonly kind: 'gap';
      readonly topic: string;
      readonly dropped?: number;
      readonly form: Subscription['form'];
    };

interface Open {
  readonly interest: string;
  readonly form: Subscription['form'];
  readonly events: SubscriptionEvent[];
  state: State;
  isOpen: boolean;
}

/**
 * Attributes deliveries to the subscriptions of a client, as the contract defines: a delivery with `replay`
 * is for the subscription that it names. Any other is for every live subscription that matches, once for all.
 */
export function subscriptionsOf(
  client: string,
  events: readonly ClientEvent[],
  isComplete: boolean,
): { readonly subscriptions: readonly Subscription[]; readonly strays: readonly Stray[] } {
  const opened = new Map<string, Open>();
  const strays: Stray[] = [];
  for (const event of events) {
    if (event.kind === 'disconnected' || event.kind === 'unsubscribed') {
      for (const each of opened.values()) {
        if (event.kind === 'disconnected' || each.interest === event.interest) each.isOpen = false;
      }
    } else if (event.kind === 'subscribed') subscribe(opened, event);
    else {
      const takers = [...opened.values()].filter((each) => each.isOpen && isFor(each, event));
      for (const taker of takers) take(taker, event);
      if (takers.length === 0 && event.kind === 'message') strays.push({ client, delivery: event });
    }
  }
  const subscriptions = [...opened.values()].map((each) => ({
    client,
    interest: each.interest,
    form: each.form,
    events: each.events,
    isComplete: isComplete && each.isOpen,
  }));
  return { subscriptions, strays };
}

function subscribe(opened: Map<string, Open>, event: Extract<ClientEvent, { kind: 'subscribed' }>): void {
  const { interest, form, ...subscribed } = event;
  const key = JSON.stringify([interest, form]);
  const open = opened.get(key) ?? { interest, form, events: [], state: event.state, isOpen: true };
  opened.set(key, open);
  open.events.push(subscribed);
  open.state = event.state;
  open.isOpen = true;
}

function isFor(
  open: Open,
  event: Exclude<ClientEvent, { kind: 'subscribed' | 'unsubscribed' | 'disconnected' }>,
): boolean {
  switch (event.kind) {
    case 'state':
      return open.form === 'envelope' && open.interest === event.interest;
    case 'gap':
      return open.form === event.form && (open.interest === event.topic || isOf(open.interest, event.topic));
    case 'message':
      if (open.form !== event.form) return false;
      if (event.replay !== undefined) return open.interest === event.replay;
      // The plain form does not name a subscription, so the topic has to tell.
      return (open.form === 'plain' || open.state === 'live') && isOf(open.interest, event.topic);
  }
}

function take(
  open: Open,
  event: Exclude<ClientEvent, { kind: 'subscribed' | 'unsubscribed' | 'disconnected' }>,
): void {
  if (event.kind === 'message') {
    const { form: _form, ...delivery } = event;
    open.events.push(delivery);
  } else if (event.kind === 'gap') {
    open.events.push({
      kind: 'gap',
      topic: event.topic,
      ...(event.dropped !== undefined && { dropped: event.dropped }),
    });
  } else {
    open.state = event.state;
    open.events.push({ kind: 'state', state: event.state, offset: event.offset });
  }
}
