import { refuseField } from '@fanfare/protocol';

/** The parameters of a request's query. Unknown parameters are ignored. */
export class Query {
  readonly #values = new Map<string, string[]>();

  /** @param url - the target of the request, such as `/topics?prefix=a%2F` */
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

  /** @throws FanfareError if the parameter is repeated or not properly encoded */
  text(name: string): string | undefined {
    const [value, another] = this.#values.get(name) ?? [];
    if (value === undefined) return undefined;
    if (another !== undefined) throw refuseField('bad_request', name, `${name} must not be repeated.`);
    const text = decode(value);
    if (text === undefined) throw refuseField('bad_request', name, `${name} must be percent-encoded UTF-8.`);
    return text;
  }

  /** @throws FanfareError if the parameter is not a whole number within the bounds */
  number(name: string, { min, max }: { readonly min: number; readonly max: number }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw refuseField('bad_request', name, `${name} must be a whole number from ${min} to ${max}.`);
  }

  /** The number of items that the client asks for: 100 by default, and at most 1,000. */
  limit(): number {
    return this.number('limit', { min: 1, max: 1_000 }) ?? 100;
  }
}

/** Undefined if the text is not percent-encoded UTF-8. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
