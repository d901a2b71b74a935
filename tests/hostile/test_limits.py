"""Bounds: places at one host, file descriptors, and what a receiver or a client can't take by opening too much."""
import contextlib
import resource
import socket

from harness import event
from suite import NO_PARKING, Hostile, endpoint_id

CAP, URLS = 8, 20


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
                port = self.farm.start("slow", 0.02, keep=True)
                domains = [self.domain_for(port.url(f"/{n}")) for n in range(URLS)]
                for domain in domains:
                    self.ingest_many(domain, 50)
                self.await_all(port, *domains)
                self.assertEqual((port.duplicates, port.in_hand_peak <= CAP), (0, True))
                self.assertGreater(port.in_hand_peak, CAP // 2)
                half = [request.path for request in port.deliveries[:25 * URLS]]
                self.assertGreaterEqual(min(half.count(f"/{n}") for n in range(URLS)), 25 // 4)

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
