"""The receivers are as bad as they say, and their counters count."""
import socket
import time

from harness import API_KEY, SECONDS, SIGNING_KEY
from receivers import BEHAVIOURS, Farm, hmac_hex
from suite import Hostile

BODY = '{"signature":{"timestamp":"%s","token":"%s","signature":"%s"},"event-data":{"id":"%s"}}'


def delivery(one="e1", token="0" * 50, key=SIGNING_KEY):
    """A request as a genuine sender makes it."""
    stamp = str(int(time.time()))
    body = BODY % (stamp, token, hmac_hex(key, (stamp + token).encode()), one)
    return f"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Receivers(Hostile):
    def talk(self, port, data=None, most=1 << 20, seconds=0.3):
        """What comes back within `seconds` of silence, and whether the receiver ended the connection."""
        received = b""
        try:
            with socket.create_connection(("127.0.0.1", port.number), timeout=SECONDS) as connection:
                connection.sendall(data or delivery())
                connection.settimeout(seconds)
                while len(received) < most:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return received, True
                    received += chunk
        except TimeoutError:
            return received, False
        except (ConnectionResetError, BrokenPipeError):
            return received, True
        return received, False

    def test_behaviours(self):
        starts = {  # behaviour and arguments -> how its bytes begin, and whether it ends the connection
            ("answers", 503): (b"HTTP/1.1 503 ", False), ("says", 429, "Retry-After: 5"): (b"HTTP/1.1 429 ", False),
            ("no_answer",): (b"", False), ("reads_nothing",): (b"", False), ("tls_stall",): (b"", False),
            ("slow_head",): (b"H", False), ("slow_body",): (b"HTTP/1.1 200 OK\r\n", False), ("resets",): (b"", True),
            ("resets_at_once",): (b"", True), ("closes",): (b"", True), ("half_closed",): (b"", True),
            ("smtp_banner",): (b"220 ", False), ("answers_early", 200): (b"HTTP/1.1 200 ", True),
            ("error_json",): (b"HTTP/1.1 200 ", False), ("redirects", "http://x/"): (b"HTTP/1.1 302 ", False),
            ("h2_only",): (b"\0\0\0\4\0", False), ("extra_bytes",): (b"HTTP/1.1 200 OK\r\n", False),
            ("cut_body",): (b"HTTP/1.1 200 OK\r\n", True), ("endless_chunks",): (b"HTTP/1.1 200 OK\r\n", False),
            ("interim_storm",): (b"HTTP/1.1 103 ", False), ("ten_gigabytes",): (b"HTTP/1.1 200 OK\r\n", False),
        }
        for behaviour, (start, ended) in starts.items():
            with self.subTest(behaviour):
                farm = Farm()
                self.addCleanup(farm.close)
                received, end = self.talk(farm.start(*behaviour), most=100_000)
                self.assertEqual((received[:len(start)], bool(received), end), (start, bool(start), ended))
        self.assertLess({name for name, *_ in starts}, set(BEHAVIOURS))

    def test_counters(self):
        port = self.farm.start("answers", 500, 200)
        self.talk(port, delivery("a", "a" * 50) + delivery("a", "b" * 50) + delivery("b", "c" * 50))
        self.assertEqual((port.connections, port.requests, dict(port.confirmed)), (1, 3, {"a": 1, "b": 1}))
        self.assertEqual([one for _, one in port.attempts], ["a", "a", "b"])
        self.assertEqual((port.in_hand, port.in_hand_peak, port.duplicates), (0, 1, 0))
        self.talk(port, delivery("b", "d" * 50))
        self.assertEqual(port.duplicates, 1)

    def test_faults(self):
        """A4: what no genuine delivery does is noticed."""
        port = self.farm.start("answers", 200)
        self.talk(port, delivery(token="e" * 50) + delivery(token="e" * 50))
        self.talk(port, delivery(token="f" * 50, key=API_KEY))
        self.talk(port, b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        self.assertEqual([fault.partition(":")[0] for fault in self.farm.faults],
                         ["token used before", "bad signature", "not the shape of a delivery"])
        self.farm.faults.clear()

    def test_a_full_port_takes_no_connection(self):
        port = self.farm.start_full()
        with self.assertRaises(TimeoutError):
            socket.create_connection(("127.0.0.1", port.number), timeout=0.3)

    def test_a_thousand_ports(self):
        ports = [self.farm.start("answers", 200) for _ in range(1000)]
        for n in (0, 500, 999):
            self.talk(ports[n], delivery(str(n), f"{n:050x}"))
            self.assertEqual(list(ports[n].confirmed), [str(n)])
