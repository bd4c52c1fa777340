import type { Finding, FindingCode } from './finding.ts';

const upgradeLines = [
  'proxy_http_version 1.1;',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection "upgrade";',
];

const stickyLines = [
  'upstream socketio {  # beside the server block',
  '  hash $remote_addr consistent;',
  '  server 10.0.0.1:5000;',
  '  server 10.0.0.2:5000;',
  '}',
  'proxy_pass http://socketio;  # in the location',
];

/** Each finding by its code. */
export const findings: Readonly<Record<FindingCode, Finding>> = {
  host_unknown: {
    level: 'problem',
    title: 'The name of the host has no address.',
    mend: 'Check the name for a typing error, and the DNS of this machine (`getent hosts NAME`).',
  },
  nothing_listens: {
    level: 'problem',
    title: 'Nothing listens on this port.',
    mend: 'Start the server, and compare its port with that of the URL. A server that listens only on 127.0.0.1 cannot be reached from other machines: set its `host`.',
  },
  no_response: {
    level: 'problem',
    title: 'The server does not respond.',
    mend: 'Look for a firewall on the way that drops packets. If the server is on this machine, see whether its process is stuck or stopped (`top`).',
  },
  connection_closed: {
    level: 'problem',
    title: 'The connection was closed without a response.',
    mend: 'Look into the log of the server, or of the proxy, at this moment. If the port is for HTTPS, use https:// in the URL.',
  },
  connection_lost: {
    level: 'problem',
    title: 'The server responded at first, and then it did not.',
    mend: 'Look into the log of the server, and of its supervisor, at this moment: it may crash or restart, or have too many connections. Then run this command again.',
  },
  not_http: {
    level: 'problem',
    title: 'The port does not speak the protocol of the URL.',
    mend: 'Compare the port of the URL with that of the server, and http:// with https://.',
  },
  certificate_bad: {
    level: 'problem',
    title: 'The certificate is not valid for clients.',
    mend: 'Renew an expired certificate. For a name that differs, use the name in the certificate. nginx must send the intermediate certificates too (`ssl_certificate` with the full chain). For an authority of your own, use --ca here, and install it where clients run.',
    nginx: ['ssl_certificate /etc/ssl/fullchain.pem;  # in the server block'],
  },
  gateway_error: {
    level: 'problem',
    title: 'The proxy responds, but it does not reach the server behind it.',
    mend: 'Start the server, and compare its address with the one in the configuration of the proxy. The error log of the proxy says why.',
    nginx: ['proxy_pass http://127.0.0.1:5000;'],
  },
  redirected: {
    level: 'problem',
    title: 'The server redirects Socket.IO to another URL.',
    mend: 'Give clients the final URL. Websockets cannot follow redirects.',
  },
  path_differs: {
    level: 'problem',
    title: 'Socket.IO is at a different path.',
    mend: 'Set the `path` of the clients to the path that was found, or change the `path` of the server or the `location` of the proxy.',
  },
  prefix_not_removed: {
    level: 'problem',
    title: 'The proxy passes on a path that the server does not have.',
    mend: 'Let the proxy remove the prefix, or set the `path` of the server to the path that it gets. In nginx, both the location and the URL of `proxy_pass` must end with a slash.',
    nginx: ['location /rt/ {', '  proxy_pass http://127.0.0.1:5000/;', '}'],
  },
  path_missing: {
    level: 'problem',
    title: 'There is no Socket.IO at this URL.',
    mend: 'Add the path prefix to the URL, if the proxy serves it under one (https://example.org/rt). Check that the proxy has a location for it, and that the server attaches Socket.IO to this HTTP server.',
    nginx: ['location /socket.io/ {', '  proxy_pass http://127.0.0.1:5000;', '}'],
  },
  http_1_0: {
    level: 'problem',
    title: 'The proxy uses HTTP/1.0.',
    mend: 'Let the proxy use HTTP/1.1. Websockets and streams need it.',
    nginx: upgradeLines,
  },
  handshake_refused: {
    level: 'problem',
    title: 'The server refuses new connections.',
    mend: 'The response above has the reason. If it has none, look into the log of the server, and for rules of the proxy or a firewall (`deny`, `limit_req`, `auth_basic`).',
  },
  protocol_old: {
    level: 'problem',
    title: 'The server speaks the protocol of Socket.IO 2. Clients of version 3 and 4 cannot connect.',
    mend: 'Upgrade the server to Socket.IO 4. Set `allowEIO3: true` there as long as there are clients of version 2. Otherwise use clients of version 2.',
  },
  polling_broken: {
    level: 'problem',
    title: 'A session over polling does not work.',
    mend: 'The proxy must pass on GET and POST, with query and body. Clients start with polling by default.',
    nginx: ['client_max_body_size 16m;'],
  },
  polling_cached: {
    level: 'problem',
    title: 'A cache repeats responses: two clients got the same session.',
    mend: 'Do not cache anything below the path of Socket.IO. The server sends `Cache-Control: no-store`: look for a rule of the proxy or of the CDN that overrides it.',
    nginx: ['proxy_cache off;'],
  },
  not_sticky: {
    level: 'problem',
    title: 'Requests of one client go to different servers that do not know its session.',
    mend: 'Make the load balancer send each client to the same server (sticky sessions). Or let clients use only websockets: `transports: ["websocket"]`. Servers of Fanfare that share a Redis need no sticky sessions.',
    nginx: stickyLines,
  },
  websocket_not_upgraded: {
    level: 'problem',
    title: 'The proxy does not pass on the upgrade to a websocket.',
    mend: 'Pass on the headers `Upgrade` and `Connection`, over HTTP/1.1. Clients otherwise stay with polling, which is slow.',
    nginx: upgradeLines,
  },
  websocket_off: {
    level: 'warning',
    title: 'The server has no websockets. Its clients stay with polling, which is slow.',
    mend: 'Add "websocket" to the `transports` of the server. A server in Python needs a package for websockets, such as simple-websocket or eventlet.',
  },
  websocket_refused: {
    level: 'problem',
    title: 'Websockets are refused.',
    mend: 'The response above has the reason. If it is from a proxy or a firewall, allow websockets there.',
  },
  websocket_hangs: {
    level: 'problem',
    title: 'The request for a websocket gets no response.',
    mend: 'A proxy or a firewall on the way holds the upgrade back. Test from behind it to find which one, and allow websockets there. TLS (https://) passes through many of them.',
  },
  websocket_buffered: {
    level: 'problem',
    title: 'The websocket opens, but what the server sends does not arrive.',
    mend: 'A proxy or a virus scanner on the way collects data before it passes it on. Turn its buffering off for this host, or use https://. nginx does not buffer websockets.',
  },
  websocket_cut: {
    level: 'problem',
    title: 'The websocket opens, and is closed at once.',
    mend: 'Look into the log of the server, and of the proxy, at this moment. A time limit for connections on the way must be longer than the `pingInterval` of the server.',
    nginx: ['proxy_read_timeout 120s;'],
  },
  upgrade_broken: {
    level: 'problem',
    title: 'Polling and websockets work, but a client cannot go from one to the other.',
    mend: 'Make the load balancer send the websocket of a client to the server that has its session (sticky sessions).',
    nginx: stickyLines,
  },
  compression_broken: {
    level: 'problem',
    title: 'Websockets fail if the client offers compression, as browsers do.',
    mend: 'A proxy on the way changes `Sec-WebSocket-Extensions`. Turn compression off at the server (`perMessageDeflate: false`), or correct the proxy.',
    nginx: ['proxy_set_header Sec-WebSocket-Extensions "";'],
  },
  websocket_compressed: {
    level: 'warning',
    title: 'The server compresses websocket messages.',
    mend: 'This takes memory and CPU time for each connection, and delays messages. Without a reason for it, turn it off at the server: `perMessageDeflate: false`.',
    nginx: ['proxy_set_header Sec-WebSocket-Extensions "";'],
  },
  stream_buffered: {
    level: 'problem',
    title: 'The proxy holds back streams (Server-Sent Events).',
    mend: 'Turn the buffering of responses off. Fanfare sends `X-Accel-Buffering: no`, so in nginx look for `proxy_ignore_headers` and `proxy_cache`.',
    nginx: ['proxy_buffering off;', 'proxy_cache off;'],
  },
  stream_compressed: {
    level: 'problem',
    title: 'The proxy compresses streams (Server-Sent Events), and holds them back.',
    mend: 'Do not compress `text/event-stream`.',
    nginx: ['gzip off;'],
  },
  origin_refused: {
    level: 'problem',
    title: 'The server refuses web pages of this origin.',
    mend: 'Allow the origin. Fanfare: `--origins ORIGIN`. Socket.IO: `cors: { origin: "ORIGIN" }`.',
  },
  host_changed: {
    level: 'problem',
    title: 'The server refuses web pages of its own origin.',
    mend: 'A proxy in front of the server must pass on the `Host` of the client. Or name the origin at the server: `--origins ORIGIN`.',
    nginx: ['proxy_set_header Host $http_host;'],
  },
  cors_missing: {
    level: 'problem',
    title: 'Browsers refuse responses to web pages of this origin (CORS).',
    mend: 'Allow the origin at the server. Fanfare: `--origins ORIGIN`. Socket.IO: `cors: { origin: "ORIGIN" }`. Do not add the header in the proxy.',
  },
  cors_twice: {
    level: 'problem',
    title: 'Browsers refuse the responses: they have several `Access-Control-Allow-Origin` (CORS).',
    mend: 'Let only the server send the header. Remove `add_header Access-Control-Allow-Origin` from the proxy.',
    nginx: ['proxy_hide_header Access-Control-Allow-Origin;  # if only nginx shall send it'],
  },
  clock_wrong: {
    level: 'problem',
    title: 'The clocks of the server and of this machine differ.',
    mend: 'See which clock is wrong, and synchronise it (`timedatectl`, `chronyc tracking`). Tokens otherwise expire too early or too late.',
  },
  token_missing: {
    level: 'problem',
    title: 'The server needs a token.',
    mend: 'Pass one with --token-file or FANFARE_TOKEN. Clients send it as `auth: { token }`.',
  },
  token_expired: {
    level: 'problem',
    title: 'The token has expired.',
    mend: 'Get a new token. Clients need a function as `auth`, which fetches a fresh token for each connection.',
  },
  token_early: {
    level: 'problem',
    title: 'The token is not valid yet.',
    mend: 'See whether the clock of its issuer, or of this machine, is wrong.',
  },
  token_refused: {
    level: 'problem',
    title: 'The server refuses the token.',
    mend: 'The response above has the reason. `fanfare token explain` prints the issuer, audience and key of the token: compare them with the settings of the server (`issuer`, `audience`, keys).',
  },
  connect_refused: {
    level: 'problem',
    title: 'The server does not let clients into the namespace `/`.',
    mend: 'The response above has the reason. If there is none, look for a middleware of the server that never calls `next()`.',
  },
};
