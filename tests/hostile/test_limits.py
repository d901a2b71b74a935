"""Bounds: places at one host, file descriptors, threads, memory."""
import asyncio
import errno
import fcntl
import http.client
import json
import os
import resource
import socket
import subprocess
import threading

from harness import API_KEY, SECONDS, Server, basic, event
from shimmed import MAY_COME_TWICE, Shimmed
from suite import NO_PARKING, SEED, Hostile, scaled

CAP, URLS = 8, 20
F_SETPIPE_SZ = 1031  # fcntl(2)


class Hosts(Hostile):
    """delivery.max_per_host: URLs that share a host and port."""

    def start_capped(self, threads, *settings):
        self.server = self.start(*NO_PARKING, "delivery.timeout=10m", "delivery.drain_timeout=1s",
                                 f"delivery.max_per_host={CAP}", f"server.threads={threads}", *settings)

    def test_urls_at_one_host_share_its_places(self):
        """Never more requests at a time than the host may have, though the URLs together might have more; none of them
        waits for the others' backlogs to end."""
        for threads in (1, 2):
            with self.subTest(threads=threads):
                self.start_capped(threads)
                behind = asyncio.Event()
                port = self.farm.start("slow_after", behind, 0.02, keep=True)
                domains = [self.domain_for(port.url(f"/{n}")) for n in range(URLS)]
                for domain in domains:
                    self.ingest_many(domain, 50)
                self.farm.loop.call_soon_threadsafe(behind.set)
                self.await_all(port, *domains)
                self.assertEqual((port.duplicates, port.in_hand_peak <= CAP), (0, True))
                self.assertGreater(port.in_hand_peak, CAP // 2)
                half = [request.path for request in port.deliveries[:25 * URLS]]
                self.assertGreaterEqual(min(half.count(f"/{n}") for n in range(URLS)), 25 // 2)

    def test_urls_that_hang_leave_places(self):
        """Twenty URLs that never answer, at the host of one that does and that is known to: it gets everything while
        they hang, and so does another host."""
        for threads in (1, 2):
            with self.subTest(threads=threads):
                self.start_capped(threads)
                port = self.farm.start("silent_but_at", "/good")
                good = self.domain_for(port.url("/good"))
                self.ingest(good, event())
                self.await_all(port, good)
                hanging = [self.domain_for(port.url(f"/{n}")) for n in range(URLS)]
                for domain in hanging:
                    self.ingest_many(domain, 20)
                self.eventually(lambda p=port: p.in_hand >= CAP // 2 - 1, "them to hang")
                other = self.farm.start("answers", 200)
                beside = self.domain_for(other.url())
                self.ingest_many(good, 200)
                self.ingest_many(beside, 200)
                self.await_all(port, good)
                self.await_all(other, beside)
                self.assertLessEqual(port.in_hand_peak, CAP)
                self.assertEqual(set(port.confirmed), self.ledger.ids(good))
                port.behave("answers", 200)


class Descriptors(Hostile):
    """C6."""

    LIMIT, FLOOD = 64, 300
    RECEIVERS, FAULTS = min(200, scaled(60)), min(4000, scaled(700))

    def ingest_kept(self, connection, domain, count):
        """Over a connection that was there before the flood: stored, or refused in the open."""
        connection.request("POST", f"/v3/{domain}/events", json.dumps([event() for _ in range(count)]),
                           {"Authorization": basic(API_KEY), "Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        self.assertIn(answer.status, (200, 429, 503), body)
        if answer.status == 200:
            self.ledger.note(domain, json.loads(body)["ids"])

    @staticmethod
    def own_faults(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if 'outcome="own_fault"' in line)

    def test_a_flood_leaves_none(self):
        """C6: clients open more connections than the process may have descriptors, while receivers are to be called. It
        goes on; no receiver is charged for it; when the flood ends, all that was acknowledged is delivered, once."""
        self.server = self.start(*NO_PARKING, "delivery.timeout=30s", "delivery.drain_timeout=30s")
        ports = [self.farm.start("answers", 200) for _ in range(self.RECEIVERS)]
        domains = [self.domain_for(port.url()) for port in ports]
        kept = http.client.HTTPConnection(self.server.host, self.server.port, timeout=SECONDS)
        self.addCleanup(kept.close)
        self.ingest_kept(kept, domains[0], 1)
        self.await_all(ports[0], domains[0])
        _, hard = resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, (self.LIMIT, hard))
        flood = [socket.create_connection((self.server.host, self.server.port)) for _ in range(self.FLOOD)]
        self.eventually(lambda: "accept failed: Too many open files" in self.server.stderr(), "none to be left")
        for domain in domains:
            self.ingest_kept(kept, domain, 5)
        self.assertGreater(len(self.ledger.ids(*domains)), 1, "ingest goes on")
        self.eventually(lambda: self.own_faults(kept) >= self.FAULTS, "attempts to want one")
        self.assertTrue(self.server.is_running())
        for client in flood:
            client.close()
        for port, domain in zip(ports, domains):
            self.await_all(port, domain)
            self.assertEqual(port.duplicates, 0)
        self.assertEqual((self.missed_total(), self.outcomes("retry")), (0, 0))
        for port, domain in zip(ports, domains):
            self.ingest(domain, event())
            self.await_all(port, domain)


class Threads(Shimmed):
    """C6."""

    NONE = {"thread_errno": errno.EAGAIN}

    def test_too_few_to_start(self):
        """C6: it says what is missing and what to do, and has touched nothing."""
        self.shim_says(**self.NONE)
        server = Server(env={"LD_PRELOAD": str(self.shim), "SHIM": str(self.file)}).spawn()
        self.addCleanup(server.close)
        self.assertEqual(server.wait(), 1)
        self.assertRegex(server.stderr(), r"cannot start: no more than 0 of the \d+ threads .* raise the limit \(ulimit -u")
        self.assertEqual([path.name for path in server.data.iterdir()] if server.data.exists() else [], [])
        self.shim_says()
        server.start()

    def test_none_left_while_running(self):
        """C6: all threads are there from the start: ingest, deliveries to new URLs, retries and the end need no more."""
        server = self.shimmed(*NO_PARKING)
        self.shim_says(**self.NONE)
        ports = [self.farm.start(*behaviour) for behaviour in (("answers", 200), ("first_says", 503))]
        domains = [self.domain_for(port.url(), server=server) for port in ports]
        for port, domain in zip(ports, domains):
            self.ingest_many(domain, 500, server=server)
            self.await_all(port, domain)
        server.stop()
        self.assertIn("a second signal will do nothing", server.stderr())
        self.assertEqual([port.duplicates for port in ports], [0, 0])


class UnreadServer(Server):
    """Its stderr is a small pipe that nobody reads."""

    def spawn(self):
        self.read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, F_SETPIPE_SZ, 4096)
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=write_end, env=self.environment(), cwd=self.folder)
        os.close(write_end)
        return self


class Log(Hostile):
    """C16."""

    def test_nobody_reads_stderr(self):
        """Hundreds of lines more than the pipe holds: ingest, deliveries and requests go on, and the process ends."""
        server = UnreadServer(*NO_PARKING[:1], "delivery.retry_schedule=[]", "delivery.park_after_failures=1000000",
                              "server.threads=1").start()
        self.addCleanup(os.close, server.read_end)
        self.addCleanup(server.close)
        port = self.farm.start("often_fails", 0.5, SEED)
        domain = self.domain_for(port.url(), server=server)
        ids = set(self.ingest_many(domain, scaled(1000), server=server))
        self.eventually(lambda: len(port.confirmed) + self.missed_total(server) == len(ids), "all to be settled")
        self.assertGreater(self.missed_total(server), 100)
        self.assertEqual(server.get("/healthz").status, 200)
        self.ingest(domain, event(), server=server)
        server.stop()


class Memory(Hostile):
    """C6."""

    def flood(self, body):
        """Requests that want more memory than there is, until the server has gone."""
        while self.server.is_running():
            try:
                connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=SECONDS)
                connection.request("POST", "/v3/flood.example.com/events", body, {"Authorization": basic(API_KEY)})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()

    def test_none_left(self):
        """C6: the process ends at once, as by kill -9, and says why. Started again it has all that it acknowledged."""
        self.server = self.start(*NO_PARKING)
        port = self.farm.start("slow", 0.01)
        domain = self.domain_for(port.url())
        self.ingest_many(domain, 1000)
        self.eventually(lambda: port.confirmed, "deliveries")
        pid = self.server.process.pid
        pages = int(open(f"/proc/{pid}/statm").read().split()[0])
        _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (pages * resource.getpagesize(), hard))
        body = json.dumps([event() for _ in range(20_000)])
        clients = [threading.Thread(target=self.flood, args=(body,), daemon=True) for _ in range(16)]
        for client in clients:
            client.start()
        self.assertEqual(self.server.wait(), 1)
        for client in clients:
            client.join()
        self.assertIn("out of memory, the process ends", self.server.stderr())
        self.server.start()
        self.await_all(port, domain)
        self.assertLessEqual(port.duplicates, MAY_COME_TWICE)
