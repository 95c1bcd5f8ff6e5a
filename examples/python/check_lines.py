"""One bid request a line in, one decision (or {"error": ...}) a line out, through a sidecar's socket.

    python3 check_lines.py SOCKET_PATH < requests.ndjson
"""

import json
import sys

from optgate_client import Client

LINES_AT_A_TIME = 256


def main():
    with Client(path=sys.argv[1]) as client:
        lines = [line.rstrip(b"\r\n") for line in sys.stdin.buffer]
        for start in range(0, len(lines), LINES_AT_A_TIME):
            for result in client.check_batch(lines[start : start + LINES_AT_A_TIME]):
                print(json.dumps(result))


if __name__ == "__main__":
    main()
