/** The names on the command line. */
export type SystemName =
  | 'fanfare'
  | 'fanfare-disk'
  | 'fanfare-memory'
  | 'fanfare-guarded'
  | 'fanfare-disk-guarded'
  | 'fanfare-redis'
  | 'fanfare-redis-kept'
  | 'fanfare-pair'
  | 'fanfare-pair-kept'
  | 'socket.io'
  | 'ws'
  | 'mosquitto'
  | 'nats'
  | 'redis'
  | 'redis-streams'
  | 'flask-socketio'
  | 'node:http';
