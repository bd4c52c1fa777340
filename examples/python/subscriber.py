"""Subscribes to a topic and prints its messages: subscriber.py TOPIC"""

import os
import sys

import socketio

topic = sys.argv[1] if len(sys.argv) > 1 else 'news'
sio = socketio.Client()


# The client calls this on every connect, also after a token has expired.
# Another program keeps the token in the file fresh.
def auth():
    file = os.environ.get('FANFARE_TOKEN_FILE')
    return {'token': open(file).read().strip()} if file else {}


# The event also comes after a reconnect, so the program subscribes again.
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
