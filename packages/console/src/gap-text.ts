import type { Gap } from '@fanfare/client';
import { plural } from './format.ts';

/** The text of a row that marks missing messages. */
export function describeGap({ dropped, reason }: Gap): string {
  const what =
    dropped === undefined ? 'Messages are' : `${plural(dropped, 'message')} ${dropped === 1 ? 'is' : 'are'}`;
  return reason === 'start'
    ? `${what} missing before this line: the server no longer keeps them`
    : `${what} missing here: the server no longer keeps them`;
}
