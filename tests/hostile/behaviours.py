"""Everything that a receiver may do, each in a few lines; receivers.py says how they are started."""
import asyncio
import datetime
import email.utils
import functools
import gzip
import random
import ssl
import time
import zlib

from receivers import on_accept, on_request


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
async def slow_after(c, gate, seconds):
    """Says nothing before `gate`, an asyncio.Event, is set."""
    await gate.wait()
    return await slow(c, seconds)


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
        "exponent": (["Retry-After: 4e0"], 4),
        "float": (["Retry-After: 3.5"], 4),
        "garbage": (["Retry-After: soon \xfc"], 0),
        "two": (["Retry-After: 4", "Retry-After: 1"], 4),
    }


# ---- silence and slowness

@on_request
async def no_answer(c):
    await c.silence()


@on_request
async def silent_but_at(c, path):
    return await (c.answer(200) if c.request.path == path else c.silence())


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
    """For https: as far as the handshake gets, with the alerts that asyncio keeps to itself. A request that
    comes through is counted."""
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


# What an endless answer begins with behind its head; each goes on with more of its last byte.
ENDLESS = [b"0", b"5;x", b'5;x="y', b"0;x", b"0\r\nX: y", b"0\r\nX: y\r\nZ", b"5\r\nhello\r\n0"]


@on_request
async def endless_framing(c, begin):
    """A chunk's header or a trailer that does not end."""
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + begin)
    while not c.writer.is_closing():
        await c.send(begin[-1:] * 65536)
        await asyncio.sleep(0)  # over TLS a lost connection shows only when the loop has run


@on_request
async def ten_gigabytes(c):
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    for _ in range(10_000_000_000 // 65536):
        await c.send(b"x" * 65536)


@functools.cache
def bomb(coding):
    """50 KiB that inflate to 50 MB; "gzip, gzip" is a bomb within a bomb."""
    if coding == "gzip, gzip":
        return gzip.compress(bomb("gzip"))
    return (zlib if coding == "deflate" else gzip).compress(bytes(50_000_000))


@on_request
async def gzip_bomb(c, coding="gzip"):
    return await c.answer(200, f"Content-Encoding: {coding}", body=bomb(coding))


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
async def extra_record(c):
    """The same in two writes, each a record over TLS."""
    c.confirm()
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
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
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", True),
    "length and chunks": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                          True),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", True),
    "huge length": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", True),
    "NUL in a field": (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", True),
    "space before the colon": (b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n", True),
    "space in a name": (b"HTTP/1.1 200 OK\r\nMy Field: y\r\nContent-Length: 0\r\n\r\n", True),
    "no colon": (b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n", True),
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", True),
    "bare LF in fields": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\nX: y\r\n\r\n", True),
    "bare CR in a field": (b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", True),
    "no space behind the status": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", True),
    "spaces and a tab": (b"HTTP/1.1  200\tOK\r\nContent-Length: 0\r\n\r\n", True),
    "control characters in the reason": (b"HTTP/1.1 200 \x01\x7f\r\nContent-Length: 0\r\n\r\n", True),
    "HTTP/1.7": (b"HTTP/1.7 200 OK\r\nContent-Length: 0\r\n\r\n", True),
    "two status lines": (b"HTTP/1.1 200 OK\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", False),
    "two status lines by CR": (b"HTTP/1.1 200 OK\rHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", False),
    "100 with bare LF": (b"HTTP/1.1 100 Go\n\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False),
    "no space before the status": (b"HTTP/1.1200 OK\r\nContent-Length: 0\r\n\r\n", False),
    "status and reason in one": (b"HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n", False),
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
