"""Receivers that behave badly, and good ones, on ports of 127.0.0.1: hundreds in one process, on one event loop.

    farm = Farm()
    port = farm.start("answers", 503, 200)      # a behaviour by name, with its arguments
    port.url()                                  # http://127.0.0.1:PORT/hook
    port.behave("answers", 200)                 # from the next request on
    farm.close()

A behaviour is a coroutine over a Conversation. @on_request: called for each request that was read whole; the connection
is kept when it returns true. @on_accept: called for each connection before anything is read. Those we have are in
behaviours.py. Each Port counts what it sees; counters are written by the event loop alone and may be read by any
thread.
"""
import asyncio
import collections
import hashlib
import hmac
import json
import re
import socket
import struct
import threading
import time

from harness import SIGNING_KEY

PAYLOAD = re.compile(rb'\{"signature":\{"timestamp":"([0-9]+)","token":"([0-9a-f]{50})","signature":"([0-9a-f]{64})"\},'
                     rb'"event-data":(\{.*\})\}', re.DOTALL)
MAX_HEAD = 1 << 20
BEHAVIOURS = {}


def on_request(function):
    BEHAVIOURS[function.__name__] = (False, function)
    return function


def on_accept(function):
    BEHAVIOURS[function.__name__] = (True, function)
    return function


def hmac_hex(key, data):
    return hmac.new(key.encode(), data, hashlib.sha256).hexdigest()


class Request:
    """`head` as it came, `fields` as (lower-case name, value), and the id of the event in the body."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target = lines[0].split(" ")[:2]
        self.fields = [(name.lower(), value.strip()) for name, _, value in
                       (line.partition(":") for line in lines[1:] if line)]
        self.head, self.body = head, body
        self.time = time.monotonic()
        self.id = self.event = self.signed_by = None

    def values(self, name):
        return [value for key, value in self.fields if key == name]

    @property
    def path(self):
        return self.target.partition("?")[0]


class Conversation:
    """One accepted connection."""

    def __init__(self, port, reader, writer):
        self.port, self.reader, self.writer = port, reader, writer
        self.request = None

    async def read_request(self):
        """False at the end of the connection."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
            body = await self.reader.readexactly(int(length[1])) if length else b""
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return False
        self.request = Request(head, body)
        self.port.saw(self.request)
        return True

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status, *fields, body=b""):
        """A sound answer, after which the connection is kept: returns True."""
        head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *fields])
        if 200 <= status < 300 or status == 406:
            self.confirm()
        await self.send(head.encode("latin-1") + b"\r\n\r\n" + body)
        return True

    def confirm(self):
        """Records that the sender is told that it may forget the event."""
        self.port.confirm(self.request)

    async def silence(self):
        """Says nothing until the other side ends the connection."""
        start = time.monotonic()
        try:
            while await self.reader.read(65536):
                pass
        finally:
            self.port.held.append(time.monotonic() - start)

    async def drip(self, data, interval=1.0):
        """Sends a byte for each interval, until the other side ends the connection."""
        start = time.monotonic()
        try:
            for byte in data:
                await self.send(bytes([byte]))
                ended = asyncio.ensure_future(self.reader.read(1))
                done, _ = await asyncio.wait([ended], timeout=interval)
                if done and not ended.result():
                    return
                ended.cancel()
                await asyncio.wait([ended])
        finally:
            self.port.held.append(time.monotonic() - start)

    def reset(self):
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Port:
    """A listening receiver and what it has seen."""

    def __init__(self, farm, scheme, keep):
        self.farm, self.scheme, self.keep = farm, scheme, keep
        self.number = None
        self.raw = self.function = self.args = None
        self.connections = self.open = self.open_peak = 0
        self.requests = self.in_hand = self.in_hand_peak = 0
        self.attempts = []  # (time, id), each request
        self.hands = []  # requests in hand at that moment, itself among them
        self.confirmed = collections.Counter()  # by id
        self.confirmed_at = {}  # id -> time of the first confirmation
        self.deliveries = []  # Requests, when `keep`
        self.held = []  # seconds for which silent connections were held by the other side
        self.listener = None

    def url(self, path="/hook", host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.number}{path}"

    def behave(self, name, *args):
        """From the next request on; from the next connection where the behaviour is one of connections."""
        self.raw, self.function = BEHAVIOURS[name]
        self.args = args
        return self

    def saw(self, request):
        self.requests += 1
        self.farm.check(request)
        self.attempts.append((request.time, request.id))
        if self.keep:
            self.deliveries.append(request)

    def confirm(self, request):
        self.confirmed_at.setdefault(request.id, time.monotonic())
        self.confirmed[request.id] += 1

    def take_in_hand(self):
        self.in_hand += 1
        self.in_hand_peak = max(self.in_hand_peak, self.in_hand)
        self.hands.append(self.in_hand)
        self.farm.in_hand += 1
        self.farm.in_hand_peak = max(self.farm.in_hand_peak, self.farm.in_hand)

    def forget_peak(self):
        """The peak of requests in hand counts from here on."""
        self.in_hand_peak = self.in_hand

    def peak_between(self, begin, end):
        """The most requests in hand at a time, of those that came between the two times."""
        return max((hands for (at, _), hands in zip(list(self.attempts), list(self.hands)) if begin <= at <= end),
                   default=0)

    def ids_since(self, begin):
        """The ids of the attempts since then, in order."""
        return [one for at, one in list(self.attempts) if at >= begin]

    @property
    def duplicates(self):
        return sum(self.confirmed.values()) - len(self.confirmed)

    async def converse(self, reader, writer):
        self.connections += 1
        self.open += 1
        self.open_peak = max(self.open_peak, self.open)
        conversation = Conversation(self, reader, writer)
        try:
            if self.raw:
                await self.function(conversation, *self.args)
                return
            while await conversation.read_request():
                self.take_in_hand()
                try:
                    if not await self.function(conversation, *self.args):
                        return
                finally:
                    self.in_hand -= 1
                    self.farm.in_hand -= 1
        except (OSError, EOFError):
            pass  # the other side went away; what it had sent whole is recorded
        finally:
            self.open -= 1
            writer.close()


class Farm:
    """The event loop with its receivers. `faults` lists what a genuine delivery must not do: a body of another form, a
    bad signature, a token seen before (A4)."""

    def __init__(self, signing_key=SIGNING_KEY):
        self.keys = [signing_key]  # a signature by any of them is good
        self.faults, self.tokens = [], set()
        self.ports = []
        self.in_hand = self.in_hand_peak = 0  # of all ports together
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)  # broken handshakes are what we are here for
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def start(self, name, *args, tls=None, keep=False, host="127.0.0.1", number=0):
        """A new port with the behaviour. `tls` is an ssl.SSLContext; `keep` keeps whole requests; `number` is that of a
        port on another `host`."""
        port = Port(self, "https" if tls else "http", keep).behave(name, *args)
        self.run(self._listen(port, tls, (host, number)))
        self.ports.append(port)
        return port

    async def _listen(self, port, tls, address):
        listener = socket.create_server(address, backlog=1024)
        # Connections inherit it. asyncio sets it only where the socket was made with its protocol's number.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port.number = listener.getsockname()[1]
        options = {"ssl": tls, "ssl_handshake_timeout": 3600.0} if tls else {}
        port.listener = await asyncio.start_server(port.converse, sock=listener, limit=MAX_HEAD, **options)

    def start_full(self, host="127.0.0.1", number=0):
        """A port whose queue of connections is full: nobody accepts, and further SYNs are dropped."""
        port = Port(self, "http", False)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family)
        listener.bind((host, number))
        listener.listen(0)
        port.number = listener.getsockname()[1]
        fillers = [socket.socket(family) for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((host, port.number))
        port.listener = listener
        port.fillers = fillers
        self.ports.append(port)
        return port

    def stop(self, port):
        """Ends the port; its number refuses connections from now on. Open connections stay."""
        self.loop.call_soon_threadsafe(port.listener.close)

    def check(self, request):
        """Reads the event of a delivery and notes its faults."""
        match = PAYLOAD.fullmatch(request.body)
        if not match:
            self.faults.append(f"not the shape of a delivery: {request.head[:200]!r} {request.body[:200]!r}")
            return
        timestamp, token, signature, event = match.groups()
        request.event = event
        request.id = json.loads(event)["id"]
        if token in self.tokens:
            self.faults.append(f"token used before: {token.decode()}")
        self.tokens.add(token)
        signatures = [signature.decode(), *request.values("eventhorn-previous-signature")]
        request.signed_by = [key for key in self.keys if hmac_hex(key, timestamp + token) in signatures]
        if not request.signed_by:
            self.faults.append(f"bad signature: {request.body[:200]!r}")

    def close(self):
        async def end():
            for port in self.ports:
                port.listener.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
