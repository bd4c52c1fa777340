export const systemNames = [
  'fanfare',
  'socket.io',
  'ws',
  'mosquitto',
  'nats',
  'redis',
  'flask-socketio',
  'node:http',
] as const;

export type SystemName = (typeof systemNames)[number];
