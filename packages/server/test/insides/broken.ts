import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import { expect, onTestFinished } from 'vitest';
import type { Logger } from '../../src/observability/logger.ts';

/** What private things belong to: the very classes that the server of a test uses. */
export const prototypes = {
  httpServer: Server.prototype,
  request: IncomingMessage.prototype,
  response: ServerResponse.prototype,
  stream: Duplex.prototype,
} as const;

/** From Node 26 on, the body of a request that offers an upgrade is no longer in its connection. */
export const takesBodyOfOffer: boolean = Number.parseInt(process.versions.node, 10) >= 26;

/** Replaces a property until the test ends. */
export function redefine(target: object, name: string, descriptor: PropertyDescriptor): void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { configurable: true, ...descriptor });
  onTestFinished(() => {
    if (before) Object.defineProperty(target, name, before);
    else Reflect.deleteProperty(target, name);
  });
}

/** Replaces a method until the test ends. */
export function replace<Method extends (...args: never[]) => unknown>(
  target: object,
  name: string,
  make: (method: Method) => (this: object, ...args: Parameters<Method>) => unknown,
): void {
  const method = (target as Record<string, Method>)[name] as Method;
  redefine(target, name, { writable: true, value: make(method) });
}

/** Whether it is the server's own code that reads or writes a property. */
function isOurs(): boolean {
  const [, , , ...callers] = (new Error().stack ?? '').split('\n');
  const caller = callers.find((line) => !line.includes('(<anonymous>)')) ?? '';
  return caller.includes('/packages/server/src/');
}

/** Hides a property from the server's code until the test ends, as if a library had renamed it for itself. */
export function hide(target: object, name: string): void {
  const initial = Object.getOwnPropertyDescriptor(target, name)?.value as unknown;
  const [theirs, ours] = [new WeakMap<object, unknown>(), new WeakMap<object, unknown>()];
  redefine(target, name, {
    get(this: object) {
      if (isOurs()) return ours.get(this);
      return theirs.has(this) ? theirs.get(this) : initial;
    },
    set(this: object, value: unknown) {
      (isOurs() ? ours : theirs).set(this, value);
    },
  });
}

/** Hides the listener that parses the bytes of a connection from the server's code until the test ends. */
export function hideParser(): void {
  replace<(event: string) => Function[]>(
    prototypes.stream,
    'listeners',
    (listeners) =>
      function (event) {
        return event === 'data' && isOurs() ? [] : listeners.call(this, event);
      },
  );
}

export interface Line {
  readonly inside: string;
  readonly message: string;
}

/** Keeps what is told of insides, and fails the test that logs anything else. */
export class InsideLog implements Logger {
  readonly lines: Line[] = [];

  warn(fields: object, message: string): void {
    // What a client did wrong is nothing of ours.
    if ('client' in fields) return;
    const { inside } = fields as { readonly inside?: string };
    if (inside === undefined) this.error(fields, message);
    else this.lines.push({ inside, message });
  }

  error(fields: object, message: string): void {
    throw new Error(`the server logged: ${message}`, { cause: fields });
  }

  /** Expects one line about this; what is changed may also change other things. */
  expectOne(inside: string): void {
    expect(this.lines.filter((line) => line.inside === inside)).toHaveLength(1);
  }

  /** Expects one line, about this. */
  expectOnly(inside: string): void {
    expect(this.lines.map((line) => line.inside)).toEqual([inside]);
  }
}
