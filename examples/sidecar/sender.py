"""A sender that knows nothing of signatures: it calls the sidecar beside it as if that were the API.

usage: sender.py URL
"""

import json
import sys
import urllib.request

order = urllib.request.Request(
    sys.argv[1], data=json.dumps({"sku": 1}).encode(), headers={"Content-Type": "application/json"}
)
for request in (order, sys.argv[1] + "?open=yes"):
    with urllib.request.urlopen(request) as answer:
        print(answer.status, answer.read().decode(), end="")
