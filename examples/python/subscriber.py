"""Subscribes to a topic and prints what is published to it: subscriber.py TOPIC"""

import os
import sys

import socketio

topic = sys.argv[1] if len(sys.argv) > 1 else 'news'
sio = socketio.Client()


# Called on every connect, also after a token has ended: something else keeps a fresh one in the file.
def auth():
    file = os.environ.get('FANFARE_TOKEN_FILE')
    return {'token': open(file).read().strip()} if file else {}


# After a reconnect too, so that the subscription is there again.
@sio.event
def connect():
    sio.emit('subscribe', {'topic': topic}, callback=lambda answer: print('Subscribed' if answer['ok'] else answer, flush=True))


@sio.on(topic)
def on_message(data):
    print(f"Received message for topic '{topic}': {data['message']}", flush=True)


try:
    sio.connect(os.environ.get('FANFARE_URL', 'http://localhost:5000'), auth=auth)
    sio.wait()
except KeyboardInterrupt:
    pass  # Ctrl-C
