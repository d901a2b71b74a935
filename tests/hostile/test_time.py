"""Clocks that jump and disks that are slow, by a library preloaded into the server."""
import threading
import time

from harness import event
from shimmed import Shimmed
from suite import NO_PARKING, PARKING

HOUR, YEAR = 3600, 365 * 86400


class Clock(Shimmed):
    """C7."""

    def test_the_shim_works(self):
        server = self.shimmed(*NO_PARKING)
        self.shim_says(clock=YEAR)
        port = self.farm.start("answers", 200, keep=True)
        later = time.time() + YEAR
        self.ingest(self.domain_for(port.url(), server=server), event(timestamp=later), server=server)
        self.eventually(lambda: port.deliveries, "a delivery")
        self.assertIn(f'"timestamp":"{later:.0f}'[:-3].encode(), port.deliveries[0].body[:60])

    def test_jumps_while_running(self):
        """Retries keep their distance in real time: no storm when the clock leaps, no freeze when it falls back."""
        for seconds in (-HOUR, YEAR, HOUR + 1):
            with self.subTest(seconds):
                self.shim_says()
                server = self.shimmed(*NO_PARKING[:1], "delivery.retry_schedule=2s,2s", "delivery.timeout=1s",
                                      "delivery.park_after_failures=1000000")
                port = self.farm.start("answers", 500, 200)
                port.behave("answers", 500)
                domain = self.domain_for(port.url(), server=server)
                (one,) = self.ingest(domain, event(), server=server)
                self.eventually(lambda s=server: self.outcomes("retry", s) == 1, "a failure")
                self.shim_says(clock=seconds)
                self.eventually(lambda p=port: len(p.attempts) == 3, "the other attempts")
                times = [at for at, _ in port.attempts]
                for before, after in zip(times, times[1:]):
                    self.assertGreaterEqual(after - before, 1.7)
                    self.assertLess(after - before, 10)
                self.eventually(lambda s=server: self.missed_total(s) == 1, "the event to be missed")
                self.assertEqual({i for _, i in port.attempts}, {one})

    def test_jumps_over_a_restart(self):
        """What waits is due after its delay at the latest, and not at once for all time, however the clock was set."""
        for seconds in (-HOUR, -YEAR, YEAR):
            with self.subTest(seconds):
                self.shim_says()
                server = self.shimmed(*NO_PARKING[:1], "delivery.retry_schedule=2s,2s,2s,2s,2s", "delivery.timeout=1s",
                                      "delivery.park_after_failures=1000000", "events.retention=3650d")
                port = self.farm.start("answers", 500)
                domain = self.domain_for(port.url(), server=server)
                self.ingest_many(domain, 20, server=server)
                self.eventually(lambda s=server: self.outcomes("retry", s) >= 20, "failures")
                server.stop()
                self.shim_says(clock=seconds)
                port.behave("answers", 200)
                begin = time.monotonic()
                server.start()
                self.await_all(port, domain)
                self.assertLess(time.monotonic() - begin, 20, "a freeze")
                self.assertEqual(port.duplicates, 0)
                self.assertEqual(self.missed_total(server), 0)

    def test_jumps_while_parked(self):
        """Probes go on at their own pace, and Retry-After is counted in real time."""
        for seconds in (-HOUR, YEAR):
            with self.subTest(seconds):
                self.shim_says()
                server = self.shimmed(*PARKING)
                port = self.farm.start("answers", 500)
                domain = self.domain_for(port.url(), server=server)
                self.ingest_many(domain, 40, server=server)
                self.await_state(port.url(), "parked", server)
                self.eventually(lambda p=port: not p.in_hand, "what was under way to end")
                self.shim_says(clock=seconds)
                begin = time.monotonic()
                self.eventually(lambda p=port, b=begin: len(p.ids_since(b)) >= 3, "probes")
                self.assertEqual(port.peak_between(begin, time.monotonic()), 1)
                port.behave("answers", 200)
                self.await_all(port, domain)


class SlowDisk(Shimmed):
    """C11: every fsync takes half a second."""

    def tearDown(self):
        self.shim_says()
        super().tearDown()

    def slow_server(self, *settings):
        server = self.shimmed(*NO_PARKING, *settings)
        domain = self.new_domain(server)
        port = self.farm.start("answers", 200)
        server.hook(domain, "delivered", port.url())
        self.shim_says(fsync_ms=500)
        return server, domain, port

    def test_commits_are_shared(self):
        """A hundred producers wait for one or two commits, not for a hundred."""
        server, domain, port = self.slow_server()
        took = []

        def send():
            start = time.monotonic()
            self.ingest(domain, event(), server=server)
            took.append(time.monotonic() - start)

        threads = [threading.Thread(target=send) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(took), 100)
        self.assertGreater(min(took), 0.4, "the disk is slow")
        self.assertLess(max(took), 10, "far from the fifty seconds of one commit for each")
        self.await_all(port, domain)

    def test_deliveries_do_not_wait_for_the_disk(self):
        """What is stored is delivered at the receivers' pace; progress is written beside it."""
        server, domain, port = self.slow_server("delivery.max_in_flight=64")
        self.ingest_many(domain, 3000, server=server, batch=3000)
        start = time.monotonic()
        self.await_all(port, domain)
        self.assertLess(time.monotonic() - start, 20, "a commit for every 64 would take that long")
        self.assertEqual(port.duplicates, 0)

    def test_a_flood_is_refused_in_the_open(self):
        """The queue of batches is bounded: 429 or 503, or waiting; what was acknowledged is there, memory is flat."""
        server, domain, _ = self.slow_server()
        before = self.resident_bytes(server)
        pad = "x" * 20_000
        answers = []

        def send():
            for _ in range(3):
                answer = server.ingest(domain, [event("opened", user_variables={"pad": pad}) for _ in range(100)])
                answers.append(answer)

        threads = [threading.Thread(target=send) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual({a.status for a in answers}, {200, 429, 503})
        for answer in answers:
            if answer.status != 200:
                self.assertTrue(answer.headers["Retry-After"], answer)
        stored = sum(a.json["stored"] for a in answers if a.status == 200)
        self.assertLess(self.resident_bytes(server) - before, 600 << 20)
        self.assertEqual(len(server.poll(domain, "?limit=300&pretty=no&begin=1000000000&ascending=yes")), stored)
