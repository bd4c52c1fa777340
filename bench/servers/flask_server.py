"""What a student's pub/sub server is with Flask-SocketIO: topics are rooms."""

from flask import Flask, request
from flask_socketio import SocketIO, join_room, leave_room

app = Flask(__name__)
socketio = SocketIO(app, async_mode='threading')


@socketio.on('subscribe')
def subscribe(data):
    join_room(data['topic'])
    return {'ok': True}


@socketio.on('unsubscribe')
def unsubscribe(data):
    leave_room(data['topic'])
    return {'ok': True}


@app.post('/publish')
def publish():
    body = request.get_json()
    topic = body['topic']
    socketio.emit(topic, {'message': body['message']}, to=topic)
    return f"Message published to topic '{topic}'"


if __name__ == '__main__':
    socketio.run(app, host='127.0.0.1', port=0, allow_unsafe_werkzeug=True)
