import json
import sys

import socketio

# A client that signs in with a token and follows what the lines of its input say.
url, transport, token = sys.argv[1:]
sio = socketio.Client(reconnection=False)


@sio.on("error")
def on_error(error):
    print("error", error["code"])


@sio.event
def connect_error(error):
    print("refused", error["data"]["code"])


@sio.event
def disconnect(*_):
    print("disconnected")


@sio.on("message")
def on_message(envelope):
    print("message", envelope["topic"], envelope["message"])


try:
    sio.connect(url, transports=[transport], auth={"token": token} if token else None)
except socketio.exceptions.ConnectionError:
    sys.exit()
print("connected")
for line in sys.stdin:
    event, argument = line.split(" ", 1)
    answer = sio.call(event, json.loads(argument))
    print("answer", "ok" if answer["ok"] else answer["error"]["code"])
