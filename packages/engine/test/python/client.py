"""A client with python-socketio that sends 200 events, and prints what comes back."""

import asyncio
import sys
import threading

import socketio

url, kind, transport = sys.argv[1:]
transports = None if transport == 'upgrade' else [transport]
count = 200


def numbers(values):
    return ','.join(str(value) for value in sorted(values))


def run_threads():
    other = socketio.Client(reconnection=False)
    refusals = []
    other.on('connect_error', lambda data: refusals.append(data['message']), namespace='/other')
    try:
        other.connect(url, transports=transports, namespaces=['/other'])
    except socketio.exceptions.ConnectionError:
        pass
    other.disconnect()
    print('refused', *refusals)

    sio = socketio.Client(reconnection=False)
    emitted = []
    complete = threading.Event()
    gone = threading.Event()

    @sio.event
    def disconnect(*reason):
        gone.set()

    @sio.on('emitted')
    def on_emitted(value):
        emitted.append(value)
        if len(emitted) == count:
            complete.set()

    sio.connect(url, transports=transports, auth={'token': 'x'})
    print('acknowledged', numbers([sio.call('echo', value) for value in range(count)]))
    for value in range(count):
        sio.emit('emit', value)
    complete.wait(20)
    print('emitted', numbers(emitted))
    print(sio.transport())
    sio.emit('leave')
    gone.wait(20)
    print('disconnected')


async def run_asyncio():
    other = socketio.AsyncClient(reconnection=False)
    refusals = []
    other.on('connect_error', lambda data: refusals.append(data['message']), namespace='/other')
    try:
        await other.connect(url, transports=transports, namespaces=['/other'])
    except socketio.exceptions.ConnectionError:
        pass
    await other.disconnect()
    print('refused', *refusals)

    sio = socketio.AsyncClient(reconnection=False)
    emitted = []
    complete = asyncio.Event()
    gone = asyncio.Event()

    @sio.event
    async def disconnect(*reason):
        gone.set()

    @sio.on('emitted')
    async def on_emitted(value):
        emitted.append(value)
        if len(emitted) == count:
            complete.set()

    await sio.connect(url, transports=transports, auth={'token': 'x'})
    print('acknowledged', numbers([await sio.call('echo', value) for value in range(count)]))
    for value in range(count):
        await sio.emit('emit', value)
    await asyncio.wait_for(complete.wait(), 20)
    print('emitted', numbers(emitted))
    print(sio.transport())
    await sio.emit('leave')
    await asyncio.wait_for(gone.wait(), 20)
    print('disconnected')


if kind == 'threads':
    run_threads()
else:
    asyncio.run(run_asyncio())
