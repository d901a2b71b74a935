"""A webhook receiver that checks every signature and answers by script."""
import hashlib
import hmac
import json
import re
import socket
import struct
import threading
import time

from harness import SECONDS, SIGNING_KEY

PAYLOAD = re.compile(rb'\{"signature":\{"timestamp":"([0-9]+)","token":"([0-9a-f]{50})","signature":"([0-9a-f]{64})"\},'
                     rb'"event-data":(\{.*\})\}', re.DOTALL)
MAX_SKEW_SECONDS = 300
HANG = "hang"  # read the request, then say nothing until the receiver is closed
RESET = "reset"  # read the request, then reset the connection


class Delivery:
    """One request as it came."""

    def __init__(self, method, target, fields, body):
        self.method, self.target, self.fields, self.body = method, target, fields, body
        self.time = time.monotonic()
        self.timestamp = self.token = self.event_bytes = None

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def event(self):
        return json.loads(self.event_bytes)

    def field(self, name):
        """The value of the only field of that name."""
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        assert len(values) == 1, (name, self.fields)
        return values[0]


class Receiver:
    """Listens on a free port of 127.0.0.1, a thread for each connection, keep-alive.

    `answer(delivery)` decides, when given; otherwise the script of the path, see script(). An answer is a status, a
    tuple (status, fields, body), raw bytes after which the connection is closed, HANG or RESET. What a genuine
    delivery must not do (bad signature, a token seen before, an old timestamp) is listed in `faults`.
    """

    def __init__(self, answer=None, signing_key=SIGNING_KEY, keep=True, port=0):
        self.answer, self.key, self.keep = answer, signing_key.encode(), keep
        self.changed = threading.Condition()
        self.deliveries, self.faults, self.tokens, self.scripts = [], [], set(), {}
        self.closed = False
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path="/hook"):
        return self.base + path

    def script(self, path, *answers):
        """Answers to the next requests for the path; the last one stays. Without a script: 200."""
        with self.changed:
            self.scripts[path] = list(answers)

    def on(self, path):
        with self.changed:
            return [delivery for delivery in self.deliveries if delivery.path == path]

    def ids(self, path="/hook"):
        return [delivery.event["id"] for delivery in self.on(path)]

    def wait(self, count, path="/hook", seconds=SECONDS):
        """The deliveries for the path, as soon as there are `count`."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while len(found := [d for d in self.deliveries if d.path == path]) < count:
                if not self.changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{len(found)} instead of {count} deliveries for {path} in {seconds} s")
        return found

    def close(self):
        with self.changed:
            self.closed = True
            sockets = list(self.sockets)
        self.listener.close()
        for connection in sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection, connection.makefile("rb") as stream:
                while (delivery := read_request(stream)) is not None:
                    if not self._reply(connection, delivery):
                        return
        except (OSError, ValueError):
            pass  # the other side went away; what it had sent whole is recorded
        finally:
            with self.changed:
                self.sockets.discard(connection)

    def _reply(self, connection, delivery):
        """False when the connection is to end."""
        fault = self._check(delivery)
        with self.changed:
            if delivery.token in self.tokens:
                fault = f"token used before: {delivery.token}"
            self.tokens.add(delivery.token)
            if fault:
                self.faults.append(fault)
            answer = self._scripted(delivery.path)
            if self.keep:
                self.deliveries.append(delivery)
            self.changed.notify_all()
        if self.answer:
            answer = self.answer(delivery)
        if answer == HANG:
            connection.recv(1)
            return False
        if answer == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return False
        status, fields, body = (answer, (), b"") if isinstance(answer, int) else answer
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *fields]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        return True

    def _scripted(self, path):
        answers = self.scripts.get(path, [200])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _check(self, delivery):
        """What is wrong with it, or None."""
        match = PAYLOAD.fullmatch(delivery.body)
        if not match:
            return f"not the shape of a delivery: {delivery.method} {delivery.body[:300]!r}"
        timestamp, token, signature, delivery.event_bytes = match.groups()
        delivery.timestamp, delivery.token = timestamp.decode(), token.decode()
        if not hmac.compare_digest(hmac.new(self.key, timestamp + token, hashlib.sha256).hexdigest(),
                                   signature.decode()):
            return f"bad signature: {delivery.body[:300]!r}"
        if abs(int(timestamp) - time.time()) > MAX_SKEW_SECONDS:
            return f"timestamp {delivery.timestamp} is not of now"
        return None


def read_request(stream):
    """The next request of a connection; None at its end. ValueError for what is no POST of known length."""
    line = stream.readline(65536)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split()
    fields = []
    length = 0
    while (line := stream.readline(65536)) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        fields.append((name, value.strip()))
        if name.lower() == "content-length":
            length = int(value)
    body = stream.read(length)
    return Delivery(method, target, fields, body) if len(body) == length else None
