"""Receivers that behave badly, and good ones, on ports of 127.0.0.1: hundreds in one process, on one event loop.

    farm = Farm()
    port = farm.start("answers", 503, 200)      # a behaviour by name, with its arguments
    port.url()                                  # http://127.0.0.1:PORT/hook
    port.behave("answers", 200)                 # from the next request on
    farm.close()

A behaviour is a coroutine over a Conversation. @on_request: called for each request that was read whole; the connection
is kept when it returns true. @on_accept: called for each connection before anything is read. Each Port counts what it
sees; counters are written by the event loop alone and may be read by any thread.
"""
import asyncio
import collections
import datetime
import email.utils
import gzip
import hashlib
import hmac
import json
import random
import re
import socket
import ssl
import struct
import threading
import time
import zlib

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


# ---- answers that are sound HTTP

@on_request
async def answers(c, *script):
    """Statuses in turn; the last one stays."""
    turn = min(c.port.requests, len(script)) - 1
    return await c.answer(script[turn])


@on_request
async def says(c, status, *fields, body=b""):
    return await c.answer(status, *fields, body=body)


@on_request
async def first_says(c, status, *fields):
    """Says it once; then 200."""
    return await (c.answer(status, *fields) if c.port.requests == 1 else c.answer(200))


@on_request
async def slow(c, seconds):
    await asyncio.sleep(seconds)
    return await c.answer(200)


@on_request
async def ramp(c, least, most, seconds):
    """Latency grows from `least` to `most` within `seconds` of the first request."""
    age = time.monotonic() - c.port.attempts[0][0]
    await asyncio.sleep(least + (most - least) * min(1, age / seconds))
    return await c.answer(200)


@on_request
async def flapping(c, seconds):
    """500 and 200, each for `seconds`."""
    return await c.answer(500 if int(time.monotonic() / seconds) % 2 else 200)


@on_request
async def often_fails(c, share, seed):
    c.port.chance = getattr(c.port, "chance", None) or random.Random(seed)
    return await c.answer(500 if c.port.chance.random() < share else 200)


@on_request
async def poisoned(c, ids):
    """Fails whenever the event is one of `ids`."""
    return await c.answer(500 if c.request.id in ids else 200)


@on_request
async def error_json(c):
    return await c.answer(200, "Content-Type: application/json", body=b'{"error":"no such list"}')


@on_request
async def redirects(c, location, status=302):
    return await c.answer(status, f"Location: {location}")


def retry_after_forms():
    """Name -> (fields, seconds that the endpoint must rest at least, whether it may go on at once)."""
    date = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5),
                                       usegmt=True)
    return {
        "seconds": (["Retry-After: 4"], 4),
        "date": ([f"Retry-After: {date}"], 3),
        "past date": (["Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"], 0),
        "negative": (["Retry-After: -5"], 0),
        "1e18": (["Retry-After: 1e18"], 0),
        "float": (["Retry-After: 3600.5"], 0),
        "garbage": (["Retry-After: soon \xfc"], 0),
        "two": (["Retry-After: 3600", "Retry-After: 7200"], 0),
    }


# ---- silence and slowness

@on_request
async def no_answer(c):
    await c.silence()


@on_accept
async def reads_nothing(c):
    """Accepts and does not read: the request stays in the sockets' buffers."""
    c.writer.transport.pause_reading()
    await asyncio.sleep(3600)


@on_accept
async def tls_stall(c):
    """For https: reads the ClientHello and never answers it."""
    await c.silence()


@on_accept
async def tls_by_hand(c, context):
    """For https: as far as the handshake gets, with the alerts that asyncio keeps to itself. A request that comes through
    is counted."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    step = tls.do_handshake
    while True:
        try:
            if step() is not None:
                c.port.requests += 1
                return
            step = lambda: tls.read(65536)
        except ssl.SSLWantReadError:
            await c.send(outgoing.read())
            data = await c.reader.read(65536)
            incoming.write(data) if data else incoming.write_eof()
        except ssl.SSLError:
            await c.send(outgoing.read())
            return


@on_request
async def slow_head(c):
    await c.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Slow: " + b"x" * 3600)


@on_request
async def slow_body(c):
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3600\r\n\r\n")
    await c.drip(b"x" * 3600)


# ---- too much

@on_request
async def endless_chunks(c):
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await c.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


@on_request
async def ten_gigabytes(c):
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    for _ in range(10_000_000_000 // 65536):
        await c.send(b"x" * 65536)


@on_request
async def gzip_bomb(c, coding="gzip"):
    """50 KiB that inflate to 50 MB; "gzip, gzip" is a bomb within a bomb."""
    if not hasattr(Farm, "bomb"):
        Farm.bomb = gzip.compress(bytes(50_000_000))
    bomb = {"deflate": lambda: zlib.compress(bytes(50_000_000)),
            "gzip, gzip": lambda: gzip.compress(Farm.bomb)}.get(coding, lambda: Farm.bomb)()
    return await c.answer(200, f"Content-Encoding: {coding}", body=bomb)


@on_request
async def interim_storm(c, count=10_000):
    for n in range(count):
        await c.send(b"HTTP/1.1 100 Continue\r\n\r\n" if n % 2 else b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@on_request
async def huge_field(c):
    await c.send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\nContent-Length: 0\r\n\r\n")


@on_request
async def many_fields(c, count=20_000):
    await c.send(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(count)) + b"\r\n")


# ---- endings

@on_request
async def cut_body(c):
    """200, half of the body, reset."""
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await asyncio.sleep(0.05)  # a reset overtakes what was sent just before
    c.reset()


@on_request
async def resets(c):
    c.reset()


@on_accept
async def resets_at_once(c):
    c.reset()


@on_request
async def closes(c):
    """FIN without a byte."""


@on_request
async def keeps_one_request(c):
    """Answers, promises to keep the connection, and closes it."""
    await c.answer(200)


@on_accept
async def half_closed(c):
    """Says that it will send no more, before any request; goes on reading."""
    c.writer.write_eof()
    await c.silence()


# ---- not quite HTTP

@on_request
async def raw(c, data, confirms=False):
    """These bytes, then the end."""
    if confirms:
        c.confirm()
    await c.send(data)


@on_request
async def extra_bytes(c):
    """An answer and then one nobody asked for, on a connection that is kept."""
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return True


@on_request
async def late_extra_bytes(c):
    """The same, after the connection has become idle."""
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await asyncio.sleep(0.2)
    await c.send(b"HTTP/1.1 500 Not Yours\r\nContent-Length: 0\r\n\r\n")
    return True


@on_accept
async def answers_early(c, status):
    """Answers before it has read anything, then reads."""
    await c.send(b"HTTP/1.1 %d Early\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
    if await c.read_request() and status < 300:
        c.confirm()


@on_accept
async def answers_within_the_body(c, status):
    """Answers after the head alone, and closes without reading the body."""
    await c.reader.readuntil(b"\r\n\r\n")
    await c.send(b"HTTP/1.1 %d Enough\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)


@on_request
async def expects_continue(c):
    """Answers only who did not ask whether to go on."""
    if c.request.values("expect"):
        await c.silence()
    return await c.answer(200)


@on_accept
async def smtp_banner(c):
    await c.send(b"220 mx.example.org ESMTP\r\n")
    await c.silence()


@on_accept
async def connect_proxy(c, status=200):
    """An HTTP proxy that knows CONNECT alone. With a status other than 200 it refuses. `tunnels` of the port lists what
    was asked for."""
    head = await c.reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.decode("latin-1").split(" ", 2)
    c.port.tunnels = [*getattr(c.port, "tunnels", []), f"{method} {target}"]
    if status != 200 or method != "CONNECT":
        await c.send(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % (status if status != 200 else 405))
        return
    host, _, number = target.rpartition(":")
    try:
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(number))
    except OSError:
        await c.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        return
    await c.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await asyncio.wait([asyncio.ensure_future(relay(*pair)) for pair in ((c.reader, writer), (reader, c.writer))],
                       return_when=asyncio.FIRST_COMPLETED)
    writer.close()


async def relay(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@on_accept
async def h2_only(c):
    """Speaks HTTP/2 alone: SETTINGS, then GOAWAY (HTTP_1_1_REQUIRED is not what it says)."""
    await c.send(b"\0\0\0\4\0\0\0\0\0" + b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\0" + b"\0\0\0\1")
    await c.silence()


# Bytes after which the connection ends, and what they mean: True settles, False is a failed attempt.
WIRE = {
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    "205": (b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", True),
    "304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", False),
    "HTTP/0.9": (b"<html>It works</html>\r\n", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nold", True),
    "HTTP/2 in text": (b"HTTP/2 200\r\n\r\n", False),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", False),
    "bad chunk size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", True),
    "chunk size of 17 digits": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", True),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", False),
    "length and chunks": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", False),
    "huge length": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", False),
    "NUL in a field": (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", False),
    "space before the colon": (b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n", False),
    "no colon": (b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n", False),
    "non-ASCII reason": (b"HTTP/1.1 500 \xff\xfe\x1b[31m\r\nContent-Length: 0\r\n\r\n", False),
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", True),
    "status of two digits": (b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", False),
    "status of four digits": (b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", False),
    "status 000": (b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", False),
    "status 999": (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", False),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Len", False),
    "noise": (bytes(range(256)) * 8, False),
}

# Sent with a failing status, so that what is stored of it can be looked at (R11).
FOLDED = b"HTTP/1.1 500 Folded\r\nX-Folded: one\r\n two\r\nContent-Length: 0\r\n\r\n"
