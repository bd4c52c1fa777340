"""Reads a stream of Server-Sent Events with requests, and prints its lines, and finally `ended`, or `cut` and the error.

It takes the URL, and a token or nothing."""

import sys

import requests

url, token = (sys.argv[1:] + [""])[:2]
headers = {"Accept": "text/event-stream"}
if token:
    headers["Authorization"] = "Bearer " + token
try:
    with requests.get(url, headers=headers, stream=True) as response:
        for line in response.iter_lines():
            if line:
                print(line.decode())
    print("ended")
except requests.exceptions.ChunkedEncodingError:
    print("cut ChunkedEncodingError")
