/** As on the command line. */
export type SystemName =
  'fanfare' | 'socket.io' | 'ws' | 'mosquitto' | 'nats' | 'redis' | 'flask-socketio' | 'node:http';
