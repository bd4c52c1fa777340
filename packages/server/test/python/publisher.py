"""A publisher with requests: takes a topic and a message as JSON from its input, in turns."""

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
