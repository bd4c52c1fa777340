/** A place in a log, read from an offset. Clients must not do this; the oracle has to. */
export interface Place {
  readonly epoch: string;
  readonly sequence: number;
}

export function placeOf(offset: string): Place {
  const dot = offset.lastIndexOf('.');
  const sequence = Number(offset.slice(dot + 1));
  if (dot < 1 || !Number.isSafeInteger(sequence)) throw new Error(`${offset} is no offset`);
  return { epoch: offset.slice(0, dot), sequence };
}

export function isOffset(from: string): boolean {
  return /^[^.]+\.\d+$/.test(from);
}

/** Whether an interest names or matches a topic. Written from the contract, not from the server. */
export function isOf(interest: string, topic: string): boolean {
  if (interest === topic) return true;
  const source = interest
    .split('/')
    .map((segment) => {
      if (segment === '*') return '/[^/]*';
      if (segment === '**') return '(?:/[^/]*)*';
      return `/${segment.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)}`;
    })
    .join('');
  return new RegExp(`^${source}$`, 's').test(`/${topic}`);
}
