import type { Values } from './constants.ts';
import type { Workload } from './workload.ts';

/** How many servers there are. */
export interface Layout {
  readonly nodes: number;
  /** Redis servers. Each has the topics of some first segments. */
  readonly logs: number;
  readonly following: Following;
}

/**
 * Which frames a node gets. `everything`: all of them, as today. `one log`: a load balancer sends clients to
 * nodes by the first segment of their topics, so a node follows only one log. `wanted`: only those with a
 * subscriber there, which is the best that channels for parts of the topics could bring.
 */
export type Following = 'everything' | 'one log' | 'wanted';

/** What one log takes, or the busiest of several. */
export interface LogDemand {
  /** Processor time in each second, in seconds. */
  readonly cpu: number;
  /** The part of it that grows with the square of the number of nodes. */
  readonly heartbeatCpu: number;
  /** The part of it that sends frames to nodes. */
  readonly framesCpu: number;
  /** Messages, topics and ids. */
  readonly storedBytes: number;
  /** With what Redis must be able to hold for nodes that do not read. */
  readonly memoryBytes: number;
  readonly bytesOutPerSecond: number;
}

/** What one node takes. */
export interface NodeDemand {
  readonly cpu: number;
  /** The part that more nodes do not make smaller. */
  readonly fixedCpu: number;
  readonly memoryBytes: number;
  readonly bytesOutPerSecond: number;
  readonly bytesInPerSecond: number;
}

const us = 1e-6;
const kib = 1_024;
const ringBytesMax = 64 * 2 ** 20;
/** A node counts so much for each message in memory, in addition to its text. */
const ringOverheadBytes = 256;
/** `client-output-buffer-limit pubsub`: Redis holds so much for a node that does not read. */
const outputBufferBytes = 32 * 2 ** 20;
/** Engine.IO pings each client after so many seconds, and the client answers. */
export const pingSeconds = 25;
/** Heads of Ethernet, IP and TCP on the wire, for a packet and its acknowledgement. */
const packetBytes = 2 * 90;
const segmentBytes = 1_448;
/** `42["topic",{"message":…}]` in a WebSocket frame. */
const eventBytes = 40;

/** How many clients get a message. */
export function audienceOf({ clients, topics, subscriptionsPerClient, everyoneShare }: Workload): number {
  const ofTopic = (clients * subscriptionsPerClient) / topics;
  return (1 - everyoneShare) * ofTopic + everyoneShare * clients;
}

/** The share of nodes that have a subscriber of a message. The others get it for nothing. */
export function wantedShare(workload: Workload, nodes: number): number {
  const { clients, topics, subscriptionsPerClient, everyoneShare } = workload;
  const reached = (count: number): number => (nodes <= 1 ? 1 : -Math.expm1(count * Math.log1p(-1 / nodes)));
  const ofTopic = reached((clients * subscriptionsPerClient) / topics);
  return (1 - everyoneShare) * ofTopic + everyoneShare * reached(clients);
}

/** Topics with the same first segment are in one log, so there cannot be more logs in use. */
export function usedLogs({ firstSegments }: Workload, logs: number): number {
  return Math.min(logs, firstSegments);
}

/** The share of all frames of all logs that a node gets. */
function followedShare(workload: Workload, { nodes, logs, following }: Layout): number {
  if (following === 'everything') return 1;
  return following === 'wanted' ? wantedShare(workload, nodes) : 1 / usedLogs(workload, logs);
}

export function frameBytesOf({ batchMessages, messageBytes }: Workload, v: Values): number {
  return v.frameBytes + batchMessages * (v.frameMessageBytes + messageBytes);
}

/** How many messages are kept. */
export function storedMessages({ publishesPerSecond, keepSeconds, topics, keepMessages }: Workload): number {
  return Math.min(publishesPerSecond * keepSeconds, topics * keepMessages);
}

/** For how many seconds a node has all messages in its own memory. */
export function ringSeconds({ publishesPerSecond, messageBytes }: Workload): number {
  return ringBytesMax / (publishesPerSecond * (messageBytes + ringOverheadBytes));
}

/** Demand of a log, if each batch of a publisher is one frame. */
export function logDemand(workload: Workload, layout: Layout, v: Values): LogDemand {
  const { nodes, logs } = layout;
  const used = usedLogs(workload, logs);
  const { publishesPerSecond, batchMessages, messageBytes, topics, subscriptionsPerClient } = workload;
  const messages = publishesPerSecond / used;
  const frames = messages / batchMessages;
  const followers = nodes * followedShare(workload, layout);
  const frameBytes = frameBytesOf(workload, v);
  const opens = (workload.reconnectsPerSecond * subscriptionsPerClient) / used;
  const heartbeatCpu = (nodes * v.redisNodeUsPerSecond + nodes ** 2 * v.redisBeatPeerUs) * us;
  const framesCpu = frames * followers * (v.redisFollowerUs + (frameBytes / kib) * v.redisFollowerKibUs) * us;
  const appendUs =
    frames * v.redisAppendUs + messages * (v.redisMessageUs + (messageBytes / kib) * v.redisMessageKibUs);
  const cpu = heartbeatCpu + framesCpu + (appendUs + opens * v.redisOpenUs + v.redisIdleUsPerSecond) * us;
  const ids = publishesPerSecond * workload.idShare * workload.idSeconds;
  const storedBytes =
    (storedMessages(workload) * (messageBytes + v.redisMessageBytes) +
      topics * v.redisTopicBytes +
      ids * v.redisIdBytes) /
    used;
  const connected = layout.following === 'one log' ? nodes / used : nodes;
  const memoryBytes = storedBytes + connected * outputBufferBytes;
  const bytesOutPerSecond =
    frames * followers * frameBytes + nodes * v.redisNodeBytesPerSecond + nodes ** 2 * v.redisBeatPeerBytes;
  return { cpu, heartbeatCpu, framesCpu, storedBytes, memoryBytes, bytesOutPerSecond };
}

/** Demand of a node. All nodes are alike. */
export function nodeDemand(workload: Workload, layout: Layout, v: Values): NodeDemand {
  const { nodes, logs, following } = layout;
  const { clients, publishesPerSecond, batchMessages, messageBytes, subscriptionsPerClient } = workload;
  const used = usedLogs(workload, logs);
  const followed = publishesPerSecond * followedShare(workload, layout);
  const wanted = publishesPerSecond * wantedShare(workload, nodes);
  const followUs =
    (followed / batchMessages) * v.nodeFrameUs +
    followed * (v.nodeMessageUs + (messageBytes / kib) * v.nodeMessageKibUs);
  const fixedCpu =
    ((following === 'one log' ? 1 : used) * v.nodeIdleUsPerSecond + followUs + wanted * v.nodeEncodeUs) * us;
  const deliveries = publishesPerSecond * audienceOf(workload);
  const sharedUs =
    deliveryUs(workload, deliveries, nodes, v) +
    (publishesPerSecond / batchMessages) * v.nodePublishUs +
    publishesPerSecond * v.nodeBatchMessageUs +
    clients * v.nodeConnectionUsPerSecond +
    workload.reconnectsPerSecond *
      (v.nodeConnectUs + subscriptionsPerClient * (v.nodeSubscribeUs + v.nodeResumeUs));
  const held = clients / nodes;
  const onNode = workload.topics * wantedShare({ ...workload, everyoneShare: 0 }, nodes);
  const ringShare = Math.min(1, workload.keepSeconds / ringSeconds(workload));
  return {
    cpu: fixedCpu + (sharedUs * us) / nodes,
    fixedCpu,
    memoryBytes:
      v.nodeBytes +
      ringShare * (v.nodeFullBytes - v.nodeBytes) +
      held * bytesPerClient(workload, v) +
      onNode * v.nodeTopicBytes,
    bytesOutPerSecond: (deliveries * wireBytesOf(workload)) / nodes,
    bytesInPerSecond: (followed / batchMessages) * frameBytesOf(workload, v),
  };
}

/** Processor time of deliveries, on all nodes, in microseconds a second. */
function deliveryUs(workload: Workload, deliveries: number, nodes: number, v: Values): number {
  const { batchMessages, messageBytes, pollingShare, clients } = workload;
  // The messages of one batch are one write for each subscriber.
  const deliverUs =
    v.nodeWriteUs / batchMessages + v.nodeDeliverUs + (messageBytes / kib) * v.nodeDeliverKibUs;
  // Without messages, a client that polls sends a poll for each ping.
  const polls = deliveries / batchMessages + clients / pingSeconds;
  const pollUs = v.nodePollUs + (1 - 1 / Math.max(2, nodes)) * v.nodeForwardUs;
  return (1 - pollingShare) * deliveries * deliverUs + pollingShare * polls * pollUs;
}

/** Memory of a client with its subscriptions, in the node and in its kernel, at the peak of a storm. */
export function bytesPerClient({ subscriptionsPerClient }: Workload, v: Values): number {
  const inNode = v.nodeConnectionBytes + subscriptionsPerClient * v.nodeSubscriptionBytes;
  return inNode * v.stormMemoryFactor + v.kernelConnectionBytes;
}

/** The bytes on the wire for a delivery, with the share of its packet. */
export function wireBytesOf({ messageBytes, batchMessages }: Workload): number {
  const payload = messageBytes + eventBytes;
  return payload + Math.ceil((payload * batchMessages) / segmentBytes) * (packetBytes / batchMessages);
}
