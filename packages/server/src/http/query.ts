import { refuseField } from '@fanfare/protocol';

/** The parameters of a request's query. Those that nobody asks for are ignored. */
export class Query {
  readonly #values = new Map<string, string[]>();

  /** @param url - the request's, such as `/topics?prefix=a%2F` */
  constructor(url: string) {
    const start = url.indexOf('?') + 1;
    if (start === 0) return;
    for (const part of url.slice(start).split('&')) {
      const [name = '', ...rest] = part.split('=');
      const key = decode(name) ?? name;
      const values = this.#values.get(key);
      if (values) values.push(rest.join('='));
      else this.#values.set(key, [rest.join('=')]);
    }
  }

  /** @throws FanfareError when it is there twice, or not properly encoded */
  text(name: string): string | undefined {
    const [value, another] = this.#values.get(name) ?? [];
    if (value === undefined) return undefined;
    if (another !== undefined) throw refuseField('bad_request', name, `${name} is there more than once.`);
    const text = decode(value);
    if (text === undefined) throw refuseField('bad_request', name, `${name} is not percent-encoded UTF-8.`);
    return text;
  }

  /** @throws FanfareError when it is no whole number, or not within the bounds */
  number(name: string, { min, max }: { readonly min: number; readonly max: number }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw refuseField('bad_request', name, `${name} must be a whole number from ${min} to ${max}.`);
  }

  /** How many of something are asked for: 100 where the query does not say, and at most 1,000. */
  limit(): number {
    return this.number('limit', { min: 1, max: 1_000 }) ?? 100;
  }
}

/** Undefined when it is not percent-encoded UTF-8. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
