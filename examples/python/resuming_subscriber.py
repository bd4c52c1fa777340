"""Prints every message of a topic or pattern once and in order, with the standard client.

Lost connections and restarts of the server or of this program do not matter.
Usage: resuming_subscriber.py TOPIC FILE (FILE stores the position)
"""

import json
import os
import pathlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import socketio

topic, file = (sys.argv[1:] + ['news', 'position.txt'][len(sys.argv) - 1:])[:2]
position, new_position = pathlib.Path(file), pathlib.Path(file + '.new')
packets = ThreadPoolExecutor(1)


def tell(*words):
    print(*words, file=sys.stderr, flush=True)


def move_to(offset):
    if offset is not None:  # messages of a topic that keeps nothing have no offset
        # The replacement writes the file completely or not at all, even if this program is killed.
        new_position.write_text(offset)
        new_position.replace(position)


class Subscriber(socketio.ClientNamespace):
    def on_connect(self):
        start_at = position.read_text() if position.exists() else 'new'
        self.emit('subscribe', {'topic': topic, 'envelope': True, 'from': start_at}, callback=self.subscribed)

    def subscribed(self, answer):
        if not answer['ok']:
            return tell(answer['error']['detail'])
        if answer.get('recovered') is False:
            tell('Messages are missing: the server no longer has them.')
        move_to(answer['offset'])
        tell('Subscribed')

    def on_message(self, envelope):
        print(json.dumps(envelope['message']), flush=True)
        move_to(envelope.get('offset'))

    def on_state(self, change):
        move_to(change['offset'])

    def on_gap(self, gap):
        tell(gap.get('dropped', 'Some'), 'messages are missing here.')

    def on_error(self, error):
        tell(error['detail'])


def new_client():
    client = socketio.Client(reconnection=False)
    client.register_namespace(Subscriber())
    # The client handles each packet in a thread of its own, and threads overtake one another.
    # Here one thread handles all packets.
    on_message, start = client.eio.handlers['message'], client.eio.start_background_task
    client.eio.start_background_task = lambda target, *args: (
        packets.submit(target, *args) if target == on_message else start(target, *args))
    return client


# The client calls this on every connect, also after a token has expired.
# Another program keeps the token in the file fresh.
def auth():
    token_file = os.environ.get('FANFARE_TOKEN_FILE')
    return {'token': pathlib.Path(token_file).read_text().strip()} if token_file else {}


try:
    # Each connection has a new client. A client that reconnects by itself can hang for good if the
    # connection is cut while it connects.
    while True:
        try:
            client = new_client()
            client.connect(os.environ.get('FANFARE_URL', 'http://localhost:5000'), auth=auth, wait_timeout=10)
            client.wait()
        except socketio.exceptions.ConnectionError:
            time.sleep(1)
except KeyboardInterrupt:
    pass  # Ctrl-C
