"""Send one request to a running TransformerService: python client.py [address]"""

import sys

import requests

address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000"
answer = requests.post(f"{address}/predict", json={"text": "my name is"}, timeout=60)
answer.raise_for_status()
print(answer.text)
