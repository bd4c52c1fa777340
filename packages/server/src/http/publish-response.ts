import { FanfareError, type PublishResult } from '@fanfare/protocol';
import { problemResponse, type RouteResponse } from './problem.ts';

export const jsonType = 'application/json; charset=utf-8';
export const textType = 'text/plain; charset=utf-8';

/**
 * The response to the publish of one message. Without `asJson` it is that of the lab contract (PROTOCOL.md
 * §2): text for success and for an unknown topic, and the error object in all other cases.
 */
export function publishResponse(result: PublishResult | FanfareError, asJson: boolean): RouteResponse {
  if (result instanceof FanfareError) {
    if (asJson || result.code !== 'topic_not_found') return problemResponse(result);
    return { status: 404, type: textType, body: result.message };
  }
  if (asJson) return { status: 200, type: jsonType, body: JSON.stringify(result) };
  return { status: 200, type: textType, body: `Message published to topic '${result.topic}'` };
}
