"""Prints every message of a topic or pattern once and in order, over lost connections and restarts of the server and of
this program, with the stock client: resuming_subscriber.py TOPIC FILE (where it keeps its position)"""

import json
import os
import pathlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import socketio

topic, file = (sys.argv[1:] + ['news', 'position.txt'][len(sys.argv) - 1:])[:2]
position = pathlib.Path(file)
sio = socketio.Client()

# python-socketio handles each packet in a thread of its own, and threads overtake one another. Here one handles them all.
packets, start = ThreadPoolExecutor(1), sio.eio.start_background_task
sio.eio.start_background_task = lambda target, *args: (
    packets.submit(target, *args) if target == sio.eio.handlers['message'] else start(target, *args))


def tell(*words):
    print(*words, file=sys.stderr, flush=True)


def move_to(offset):
    if offset is not None:  # messages of a topic that keeps nothing have none
        position.write_text(offset)


def subscribed(answer):
    if not answer['ok']:
        return tell(answer['error']['detail'])
    if answer.get('recovered') is False:
        tell('Messages are missing: they are not kept any more.')
    move_to(answer['offset'])
    tell('Subscribed')


@sio.event
def connect():
    start_at = position.read_text() if position.exists() else 'new'
    sio.emit('subscribe', {'topic': topic, 'envelope': True, 'from': start_at}, callback=subscribed)


@sio.event
def message(envelope):
    print(json.dumps(envelope['message']), flush=True)
    move_to(envelope.get('offset'))


sio.on('state', lambda change: move_to(change['offset']))
sio.on('gap', lambda gap: tell(gap.get('dropped', 'Some'), 'messages are missing here.'))
sio.on('error', lambda error: tell(error['detail']))

while True:  # python-socketio reconnects by itself, but not at first, nor when it is the server that ends the connection
    try:
        sio.connect(os.environ.get('FANFARE_URL', 'http://localhost:5000'))
        sio.wait()
    except socketio.exceptions.ConnectionError:
        time.sleep(1)
