"""A subscriber with python-socketio: reads commands from its input, and prints the messages."""

import sys
import threading

import socketio

url, transport = sys.argv[1:]
sio = socketio.Client()


# python-socketio calls each handler in its own thread.
output = threading.Lock()


def say(*words):
    with output:
        print(*words)


@sio.on('*')
def on_any(event, data):
    say(event, data)


@sio.event
def connect():
    say('connected')


def acknowledged(*answer):
    say('acknowledged', *answer)


sio.connect(url, transports=None if transport == 'upgrade' else [transport])
for line in sys.stdin:
    command, topic = line.rstrip('\n').split(' ', 1)
    if command.endswith('-quietly'):
        sio.emit(command.removesuffix('-quietly'), {'topic': topic})
    else:
        sio.emit(command, {'topic': topic}, callback=acknowledged)
