import { FanfareError, type Interest, type Topic } from '@fanfare/protocol';
import type { Rights } from '../access/rights.ts';
import type { TopicFilter } from '../subscriptions/audience.ts';
import { notAllowed } from './refusals.ts';

/**
 * Checks the right to read a topic or pattern. MUST be called before anything is looked up, so that clients
 * without the right cannot find out whether a topic exists.
 *
 * @returns a filter of the readable topics; undefined if all topics of the pattern are readable
 * @throws FanfareError `not_authorized`
 */
export function permitReading(rights: Rights, interest: Interest): TopicFilter | undefined {
  const readable = rights.readable(interest);
  if (readable === 'nothing') throw notAllowed('read', interest);
  return readable === 'all' ? undefined : readable;
}

/** @throws FanfareError `not_authorized` */
export function permitPublishing(rights: Rights, topic: Topic): void {
  if (!rights.may('publish', topic)) throw notAllowed('publish to', topic);
}

/** @throws FanfareError `not_authorized` */
export function permitDeleting(rights: Rights, topic: Topic): void {
  if (!rights.may('delete', topic)) throw notAllowed('delete', topic);
}

/** @throws FanfareError `not_authorized` */
export function permitManaging(rights: Rights): void {
  if (!rights.identity.isAdmin) throw new FanfareError('not_authorized', 'Only an admin may do this.');
}
