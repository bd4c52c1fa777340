import type { Gap } from '@fanfare/client';
import { plural } from './format.ts';

/** What a list says where messages are missing. */
export function describeGap({ dropped, reason }: Gap): string {
  const what =
    dropped === undefined ? 'Messages are' : `${plural(dropped, 'message')} ${dropped === 1 ? 'is' : 'are'}`;
  return reason === 'start'
    ? `${what} missing before this: they are not kept any more`
    : `${what} missing here: they are not kept any more`;
}
