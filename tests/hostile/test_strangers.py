"""Callers without the key, and what they may cost those who have it."""
import gzip
import socket

from harness import SECONDS, event, head
from suite import Hostile, scaled

MIB = 1 << 20
QUICK_END = "delivery.drain_timeout=1s"  # because half-sent requests hold up a stop until then
BOMB = gzip.compress(b" " * (25 * MIB), 9)  # 25 KB that inflate to all that a body may be


class Strangers(Hostile):
    """A11."""

    def setUp(self):
        super().setUp()
        self.open = []
        self.addCleanup(self.close_all)

    def close_all(self):
        for connection in self.open:
            connection.close()
        self.open.clear()

    def send(self, server, data):
        """A connection that has sent the bytes, and stays."""
        connection = socket.create_connection((server.host, server.port), timeout=SECONDS)
        self.open.append(connection)
        connection.sendall(data)
        return connection

    def half_sent(self, server, path, key):
        lines = ("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}")
        return self.send(server, head(server, "POST", path, *lines, key=key) + BOMB[:-8])

    def assert_served(self, server, domain, calls=20):
        """Ingest with the right key, over and over; its answers."""
        for _ in range(calls):
            self.ingest(domain, event(), server=server)

    def test_half_sent_bodies(self):
        """Compressed bodies that never end, to ingest, to a bin and to nowhere, without the key: nothing of them is
        kept that their route does not take, and every good call is answered."""
        server = self.start(QUICK_END)
        domain = self.new_domain(server)
        bin_path = server.call("POST", "/eventhorn/v1/bins").json["url"].removeprefix(server.base)
        self.assert_served(server, domain)
        before = self.resident_bytes(server)
        for count in (64, 200):
            for n in range(scaled(count)):
                self.half_sent(server, (f"/v3/{domain}/events", bin_path, "/nowhere")[n % 3], (None, "wrong")[n % 2])
            self.assert_served(server, domain)
            self.assertLess(self.resident_bytes(server) - before, 150 * MIB)

    def test_bodies_to_bins_leave_room(self):
        """More half-sent bodies than the memory of all takes: those that find none wait and get 429; a good call never
        does, and not even a large one."""
        server = self.start(QUICK_END, "server.max_buffered_bytes=16MiB", "server.max_body_bytes=2MiB")
        domain = self.new_domain(server)
        path = server.call("POST", "/eventhorn/v1/bins").json["url"].removeprefix(server.base)
        for _ in range(200):
            self.send(server, head(server, "POST", path, "Content-Length: 1000000", key=None) + b"x" * 70_000)
        self.assert_served(server, domain)
        large = [event(filler="x" * 100_000) for _ in range(10)]
        self.ingest(domain, *large, server=server)
        refused = self.send(server, head(server, "POST", path, "Content-Length: 1000000", key=None))
        answer = refused.recv(1000)
        self.assertTrue(answer.startswith(b"HTTP/1.1 429 "), answer)
        self.assertIn(b"\r\nRetry-After: ", answer)

    def test_the_half_sent_bodies_of_a_key_leave_room_for_its_calls(self):
        server = self.start(QUICK_END, "server.max_buffered_bytes=64MiB")
        domain = self.new_domain(server)
        before = self.resident_bytes(server)
        for _ in range(scaled(64)):
            self.half_sent(server, f"/v3/{domain}/events", server.key)
        self.assert_served(server, domain)
        self.assertLess(self.resident_bytes(server) - before, 250 * MIB)

    def test_idle_connections_give_way(self):
        """Four times as many connections as there may be, which say nothing, little or something: whoever comes with
        the key gets in."""
        limit = 100
        server = self.start(QUICK_END, f"server.max_connections={limit}")
        domain = self.new_domain(server)
        begun = (b"", b"POST /v3/x/events HT", head(server, "POST", "/nowhere", "Content-Length: 9", key=None))
        for n in range(4 * limit):
            self.send(server, begun[n % 3])
            if n % 20 == 0:
                self.assert_served(server, domain, calls=1)
        self.assertLess(self.sockets(server), limit + 150)
        self.close_all()
        for _ in range(9 * limit):  # faster than others can be closed for them
            connection = socket.socket()
            self.open.append(connection)
            connection.setblocking(False)
            connection.connect_ex((server.host, server.port))
        self.assert_served(server, domain)


class Guesses(Hostile):
    """A12."""

    def test_beside_producers(self):
        """Wrong keys without end from the address of everybody: they are slowed, and no producer is."""
        server = self.start()
        domain = self.new_domain(server)
        producer = self.produce([domain], 200, server=server)
        statuses = [server.get("/v3/domains", key="guess").status for _ in range(scaled(200))]
        self.assertEqual(statuses[:20], [401] * 20)
        self.assertEqual(set(statuses[20:]), {429})
        producer.stop()
        self.assertGreater(producer.sent, 0)

    def test_short_keys_are_taken_with_a_warning(self):
        server = self.start(env={"EVENTHORN_API_KEY": "short"})
        self.assertEqual(server.get("/v3/domains", key="short").status, 200)
        self.assertEqual(server.stderr().count("EVENTHORN_API_KEY has less than 20 characters"), 1)

    def test_a_proxy_that_is_not_trusted_is_named_once(self):
        server = self.start()
        for _ in range(3):
            server.get("/healthz", headers={"X-Forwarded-For": "203.0.113.9"})
        self.assertEqual(server.stderr().count("X-Forwarded-For from 127.0.0.1"), 1)
