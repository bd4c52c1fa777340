import json
import sys

import socketio

# A client that signs in with a token and executes the commands of its input.
url, transport, token = sys.argv[1:]
sio = socketio.Client(reconnection=False)


# One write for each line, because handlers run in threads.
def tell(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")


@sio.on("error")
def on_error(error):
    tell("error", error["code"])


@sio.event
def connect_error(error):
    tell("refused", error["data"]["code"])


@sio.event
def disconnect(*_):
    tell("disconnected")


@sio.on("message")
def on_message(envelope):
    tell("message", envelope["topic"], envelope["message"])


try:
    sio.connect(url, transports=[transport], auth={"token": token} if token else None)
except socketio.exceptions.ConnectionError:
    sys.exit()
tell("connected")
for line in sys.stdin:
    event, argument = line.split(" ", 1)
    answer = sio.call(event, json.loads(argument))
    tell("answer", "ok" if answer["ok"] else answer["error"]["code"])
