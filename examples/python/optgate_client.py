"""A client of optgate's socket, in plain Python: the standard library and nothing else.

Written from docs/wire-protocol.md. Synchronous; pipelining by `check_many`, batches by `check_batch`. One client per
thread: it is not locked.

    with Client(path="/run/optgate/optgate.sock") as client:
        decision, outgoing = client.filter({"imp": [{"id": "1"}]}, destination="acme-dsp")
        if outgoing is not None:
            send(outgoing)

An answer that does not come is no permission: `Unavailable` is raised. So is `RequestRefused` where the server says that
a request cannot be judged. Nothing may be sent in either case.
"""

import json
import socket
import struct

PROTOCOL_VERSION = 1
ANSWER, ERROR, FATAL, GOODBYE = 0, 1, 2, 3
ID_MAX = 0xFFFFFFFF
DEPTH_MAX = 128
ANSWER_BYTES_MAX = 16 * 1024 * 1024


class OptgateError(Exception):
    """`code` is stable; see docs/wire-protocol.md."""

    def __init__(self, code, message="", field=None):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.field = field


class RequestRefused(OptgateError):
    """The server answered that this request cannot be judged as it is."""


class Unavailable(OptgateError):
    """The server could not be asked, is too busy, or did not answer in time."""


class Client:
    """One connection, made when it is needed and made anew when it was lost.

    context: destination, secGpc, state, country, identifiers, minSeq, waitMs, explain; see docs/wire-protocol.md.
    """

    def __init__(self, path=None, host="127.0.0.1", port=None, timeout=1.0):
        if (path is None) == (port is None):
            raise ValueError("expected either path or port")
        self._target = (socket.AF_UNIX, path) if path is not None else (socket.AF_INET, (host, port))
        self._timeout = timeout
        self._socket = None
        self._received = bytearray()
        self._last_id = 0
        self.server = None
        self.limits = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._received.clear()

    def check(self, request, **context):
        """The decision, a dict: action, strip, reasons, seq, stale, jurisdiction, policyVersion."""
        return self._ask("check", _body(request), context)

    def filter(self, request, **context):
        """The decision, and what may be sent: of the type that came in, or None where nothing may be."""
        decision = self._ask("filter", _body(request), context)
        outgoing = decision.pop("request")
        if outgoing is not None and not isinstance(request, bytes):
            outgoing = json.loads(outgoing)
        return decision, outgoing

    def check_batch(self, requests, **context):
        """One dict each, in their order: a decision, or {"error": {...}} for one that cannot be judged."""
        return self._ask("check_batch", [_body(request) for request in requests], context)

    def check_many(self, requests, depth=64, **context):
        """Like check_batch, as single requests on their way together: `depth` at a time, answered in any order."""
        requests = list(requests)
        results = [None] * len(requests)
        for start in range(0, len(requests), depth):
            asked = [("check", _body(request), context) for request in requests[start : start + depth]]
            for offset, outcome in enumerate(self._exchange(asked)):
                if isinstance(outcome, Unavailable):
                    raise outcome
                if isinstance(outcome, RequestRefused):
                    outcome = {"error": {"code": outcome.code}}
                results[start + offset] = outcome
        return results

    def lookup(self, identifiers):
        """{"seq", "stale", "results"}: {"rights": [...]} or {"error": {...}} each, in the order of the identifiers."""
        return self._ask("lookup", list(identifiers), {})

    def status(self):
        return self._ask("status", None, {})

    def ping(self):
        self._ask("ping", None, {})

    def _ask(self, op, body, context):
        (outcome,) = self._exchange([(op, body, context)])
        if isinstance(outcome, OptgateError):
            raise outcome
        return outcome

    def _exchange(self, asked):
        """Sends all, waits for all. A connection that was closed while nobody looked is made anew, once."""
        had_connection = self._socket is not None
        try:
            return self._attempt(asked)
        except _ConnectionOver as over:
            self.close()
            if not had_connection or over.is_final:
                raise Unavailable(over.code, str(over)) from over
        except OSError as error:
            self.close()
            # A server that is late will be late again: ask again only where the connection was gone.
            if not had_connection or isinstance(error, TimeoutError):
                raise Unavailable("client.unavailable", type(error).__name__) from error
        try:
            return self._attempt(asked)
        except (OSError, _ConnectionOver) as error:
            self.close()
            raise Unavailable(getattr(error, "code", "client.unavailable"), type(error).__name__) from error

    def _attempt(self, asked):
        if self._socket is None:
            self._connect()
        waits = {}
        frames = bytearray()
        for index, (op, body, context) in enumerate(asked):
            request_id = self._next_id()
            waits[request_id] = index
            frames += _frame([request_id, op, body, context] if context else [request_id, op, body])
        self._socket.sendall(frames)
        return self._collect(waits)

    def _collect(self, waits):
        outcomes = [None] * len(waits)
        is_leaving = False
        while waits:
            kind, request_id, value = self._read_frame()
            if kind == GOODBYE:
                is_leaving = True  # it still answers what it has
                continue
            if kind == FATAL:
                # It was idle for too long: nothing was wrong with what is asked now.
                raise _ConnectionOver(value["code"], is_final=value["code"] != "deadline.idle")
            index = waits.pop(request_id, None) if isinstance(request_id, int) else None
            if index is None:
                raise _ConnectionOver("client.protocol", is_final=True)
            outcomes[index] = value if kind == ANSWER else _error(value)
        if is_leaving:
            self.close()
        return outcomes

    def _connect(self):
        family, address = self._target
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.settimeout(self._timeout)
        self._socket.connect(address)
        self._socket.sendall(_frame([0, "hello", {"protocol": PROTOCOL_VERSION}]))
        kind, _, value = self._read_frame()
        if kind != ANSWER or value.get("protocol") != PROTOCOL_VERSION:
            code = value.get("code", "client.protocol") if isinstance(value, dict) else "client.protocol"
            raise _ConnectionOver(code, is_final=True)
        self.server = value["server"]
        self.limits = value["limits"]

    def _read_frame(self):
        (length,) = struct.unpack(">I", self._take(4))
        if not 0 < length <= ANSWER_BYTES_MAX:
            raise _ConnectionOver("client.protocol", is_final=True)
        data = self._take(length)
        try:
            value, end = _decode(data, 0, 0)
        except (IndexError, struct.error, UnicodeDecodeError, ValueError) as error:
            raise _ConnectionOver("client.protocol", is_final=True) from error
        if end != length or not isinstance(value, list) or len(value) != 3:
            raise _ConnectionOver("client.protocol", is_final=True)
        return value

    def _take(self, count):
        while len(self._received) < count:
            chunk = self._socket.recv(65536)
            if not chunk:
                raise _ConnectionOver("client.unavailable")
            self._received += chunk
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _next_id(self):
        self._last_id = 1 if self._last_id == ID_MAX else self._last_id + 1
        return self._last_id


class _ConnectionOver(Exception):
    """`is_final`: the server said why, so that asking again is no use."""

    def __init__(self, code, is_final=False):
        super().__init__(code)
        self.code = code
        self.is_final = is_final


def _error(value):
    kind = Unavailable if value["code"].startswith("busy.") or value["code"] == "internal" else RequestRefused
    return kind(value["code"], value["message"], value.get("field"))


def _body(request):
    return request if isinstance(request, bytes) else json.dumps(request).encode("utf-8")


def _frame(message):
    value = bytearray()
    _encode(message, value)
    return struct.pack(">I", len(value)) + value


# msgpack: as much of it as the protocol uses.


def _encode(value, out):
    if value is None:
        out.append(0xC0)
    elif isinstance(value, bool):
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        _encode_int(value, out)
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, bytes):
        _encode_header(out, len(value), None, 0, (0xC4, 0xC5, 0xC6))
        out += value
    elif isinstance(value, str):
        text = value.encode("utf-8")
        _encode_header(out, len(text), 0xA0, 32, (0xD9, 0xDA, 0xDB))
        out += text
    elif isinstance(value, dict):
        _encode_header(out, len(value), 0x80, 16, (None, 0xDE, 0xDF))
        for key, member in value.items():
            _encode(str(key), out)
            _encode(member, out)
    elif isinstance(value, (list, tuple)):
        _encode_header(out, len(value), 0x90, 16, (None, 0xDC, 0xDD))
        for member in value:
            _encode(member, out)
    else:
        raise TypeError(f"cannot be sent: {type(value).__name__}")


def _encode_int(value, out):
    if 0 <= value < 0x80 or -0x20 <= value < 0:
        out.append(value & 0xFF)
    elif 0 <= value <= 0xFFFFFFFF:
        out += struct.pack(">BI", 0xCE, value)
    else:
        out += struct.pack(">BQ", 0xCF, value) if value > 0 else struct.pack(">Bq", 0xD3, value)


def _encode_header(out, count, fixed, fixed_below, types):
    if count < fixed_below:
        out.append(fixed | count)
    elif types[0] is not None and count <= 0xFF:
        out += struct.pack(">BB", types[0], count)
    elif count <= 0xFFFF:
        out += struct.pack(">BH", types[1], count)
    else:
        out += struct.pack(">BI", types[2], count)


_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
# type byte: what it is, and how its length is written
_SIZED = {
    0xC4: ("bytes", ">B"),
    0xC5: ("bytes", ">H"),
    0xC6: ("bytes", ">I"),
    0xD9: ("text", ">B"),
    0xDA: ("text", ">H"),
    0xDB: ("text", ">I"),
    0xDC: ("array", ">H"),
    0xDD: ("array", ">I"),
    0xDE: ("map", ">H"),
    0xDF: ("map", ">I"),
}


def _decode(data, at, depth):
    """The value that begins at `at`, and where it ends."""
    if depth > DEPTH_MAX:
        raise ValueError("nested too deep")
    kind = data[at]
    at += 1
    if kind < 0x80:
        return kind, at
    if kind >= 0xE0:
        return kind - 0x100, at
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind in _NUMBERS:
        (number,) = struct.unpack_from(_NUMBERS[kind], data, at)
        return number, at + struct.calcsize(_NUMBERS[kind])
    if kind < 0x90:
        what, count = "map", kind & 0x0F
    elif kind < 0xA0:
        what, count = "array", kind & 0x0F
    elif kind < 0xC0:
        what, count = "text", kind & 0x1F
    elif kind in _SIZED:
        what, form = _SIZED[kind]
        (count,) = struct.unpack_from(form, data, at)
        at += struct.calcsize(form)
    else:
        raise ValueError(f"type {kind:#x} is not part of the protocol")
    if count > len(data) - at:
        raise ValueError("longer than the frame")
    if what in ("bytes", "text"):
        taken = data[at : at + count]
        return (taken if what == "bytes" else taken.decode("utf-8")), at + count
    if what == "array":
        array = []
        for _ in range(count):
            member, at = _decode(data, at, depth + 1)
            array.append(member)
        return array, at
    members = {}
    for _ in range(count):
        key, at = _decode(data, at, depth + 1)
        if not isinstance(key, str):
            raise ValueError("a key that is not text")
        members[key], at = _decode(data, at, depth + 1)
    return members, at
