"""Resumes a topic over polling as an app with its own User-Agent: prints `connected`, and each message that comes.

It takes the URL, `threads` or `asyncio` (python-socketio's two clients), and the topic."""

import asyncio
import sys

import socketio

url, kind, topic = sys.argv[1:]
headers = {"User-Agent": "weather-station/2.1"}
request = {"topic": topic, "envelope": True, "from": "earliest"}


# One write for each line, because handlers run in threads.
def tell(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def with_threads():
    sio = socketio.Client()

    @sio.event
    def connect():
        tell("connected")
        sio.emit("subscribe", request)

    @sio.on("message")
    def on_message(envelope):
        tell("message", envelope["message"])

    sio.connect(url, headers=headers, transports=["polling"])
    sio.wait()


async def with_asyncio():
    sio = socketio.AsyncClient()

    @sio.event
    async def connect():
        tell("connected")
        await sio.emit("subscribe", request)

    @sio.on("message")
    async def on_message(envelope):
        tell("message", envelope["message"])

    await sio.connect(url, headers=headers, transports=["polling"])
    await sio.wait()


if kind == "threads":
    with_threads()
else:
    asyncio.run(with_asyncio())
