export { joinPackets, parsePacket, PayloadReader, type Packet, type PacketType } from './packet.ts';
export {
  checkPlaceholders,
  disconnectMessage,
  encodeAck,
  encodeConnect,
  encodeConnectError,
  encodeEvent,
  MalformedMessageError,
  parseAuth,
  parseEvent,
  parseMessage,
  type Message,
  type MessageType,
} from './message.ts';
