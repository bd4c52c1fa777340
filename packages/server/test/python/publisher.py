"""A publisher with requests: its input has a topic and a message as JSON, alternately."""

import json
import sys

import requests

while True:
    topic = sys.stdin.readline().rstrip('\n')
    if not topic:
        break
    message = json.loads(sys.stdin.readline())
    response = requests.post(f'{sys.argv[1]}/publish', json={'topic': topic, 'message': message})
    print(response.status_code, response.text)
