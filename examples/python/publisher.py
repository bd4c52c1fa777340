"""Publishes a message to a topic: publisher.py TOPIC MESSAGE"""

import os
import sys

import requests

topic, message = sys.argv[1:] or ('news', 'hello')
url = os.environ.get('FANFARE_URL', 'http://localhost:5000')

response = requests.post(f'{url}/publish', json={'topic': topic, 'message': message})
if response.ok:
    print(response.text)
else:
    sys.exit(f'Failed to publish message: {response.text}')
