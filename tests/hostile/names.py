"""A DNS server whose answers are scripted by name: UDP and TCP on one port of 127.0.0.1, on a Farm's event loop."""
import asyncio
import collections
import ipaddress
import socket
import struct

A, CNAME, AAAA = 1, 5, 28
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
STALL = "stall"


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".") if label) + b"\0"


def decode_name(packet, at=12):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
        at += 1 + packet[at]
    return ".".join(labels), at + 1


class Names:
    """`zone` maps a name to what is said of it: a list of addresses and of "CNAME name", a response code (NXDOMAIN,
    SERVFAIL), STALL for no answer at all, or bytes that are sent as they are. Unknown names get NXDOMAIN. `ttl` is that
    of all records; answers over `udp_limit` bytes are truncated, and whole over TCP. `queries` counts by name."""

    def __init__(self, farm, ttl=1):
        self.farm, self.ttl = farm, ttl
        self.zone, self.queries = {}, collections.Counter()
        self.tcp_queries = 0
        self.udp_limit = 512
        farm.run(self._listen())

    async def _listen(self):
        server = self

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, address):
                answer = server.answer(data)
                if answer is not None:
                    self.transport.sendto(server.truncate(answer), address)

        while True:  # until a port is free for both
            listener = socket.create_server(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
            try:
                await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, ("127.0.0.1", self.port))
                break
            except OSError:
                listener.close()
        self.listener = await asyncio.start_server(self._stream, sock=listener)
        self.farm.ports.append(self)

    async def _stream(self, reader, writer):
        try:
            while True:
                (length,) = struct.unpack(">H", await reader.readexactly(2))
                self.tcp_queries += 1
                answer = self.answer(await reader.readexactly(length))
                if answer is not None:
                    writer.write(struct.pack(">H", len(answer)) + answer)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    @property
    def setting(self):
        return f"dns.servers=127.0.0.1:{self.port}"

    def truncate(self, answer):
        if len(answer) <= self.udp_limit:
            return answer
        _, end = decode_name(answer)
        flags = struct.unpack(">H", answer[2:4])[0] | 0x0200
        return answer[:2] + struct.pack(">5H", flags, 1, 0, 0, 0) + answer[12:end + 4]

    def answer(self, query):
        """The whole answer; None for silence."""
        name, end = decode_name(query)
        (kind,) = struct.unpack(">H", query[end:end + 2])
        self.queries[name] += 1
        said = self.zone.get(name, NXDOMAIN)
        if said == STALL:
            return None
        if isinstance(said, bytes):
            return query[:2] + said
        code = said if isinstance(said, int) else 0
        records = b"" if code else self.records(name, said, kind)
        count = 0 if code else self.count
        return (query[:2] + struct.pack(">5H", 0x8180 | code, 1, count, 0, 0) + query[12:end + 4] + records)

    def records(self, name, said, kind):
        """Follows CNAMEs within the zone, as a resolver does."""
        out, self.count, seen = b"", 0, set()
        while True:
            alias = None
            for entry in said:
                if entry.startswith("CNAME "):
                    alias = entry[6:]
                    out += self.record(name, CNAME, encode_name(alias))
                    continue
                address = ipaddress.ip_address(entry)
                if kind == (A if address.version == 4 else AAAA):
                    out += self.record(name, kind, address.packed)
            if alias is None or alias in seen:
                return out
            seen.add(alias)
            name, said = alias, self.zone.get(alias, [])

    def record(self, name, kind, data):
        self.count += 1
        return encode_name(name) + struct.pack(">HHIH", kind, 1, self.ttl, len(data)) + data
