"""Asks what the contract asks, through the Python client: a line of JSON in, a line out.

    python3 python_door.py SOCKET_PATH < {"op", "bodies": [base64], "context": {}}
"""

import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "examples", "python"))

from optgate_client import Client, RequestRefused  # noqa: E402


def answer(client, op, body, context):
    try:
        if op == "check":
            return client.check(body, **context)
        decision, outgoing = client.filter(body, **context)
        text = None if outgoing is None else base64.b64encode(outgoing).decode()
        return {"decision": decision, "request": text}
    except RequestRefused as refused:
        return {"error": {"code": refused.code}}


def main():
    with Client(path=sys.argv[1], timeout=30) as client:
        for line in sys.stdin:
            asked = json.loads(line)
            bodies = [base64.b64decode(body) for body in asked["bodies"]]
            op, context = asked["op"], asked["context"]
            if op == "check_batch":
                results = client.check_batch(bodies, **context)
            elif op == "check_many":
                results = client.check_many(bodies, **context)
            else:
                results = [answer(client, op, body, context) for body in bodies]
            print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
