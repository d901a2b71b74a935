"""Clocks that jump and disks that are slow, by a library preloaded into the server."""
import threading
import time

from harness import LOOPBACK, event
from shimmed import Shimmed
from suite import NO_PARKING, PARKING, endpoint_id

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


class Retention(Shimmed):
    """C13: retention goes by a clock of its own, of which the wall clock is but a witness."""

    def tearDown(self):
        self.shim_says()
        super().tearDown()

    def retaining(self, retention, *settings):
        """A server with this retention, and a domain whose webhook is paused."""
        server = self.shimmed(LOOPBACK, f"events.retention={retention}", *settings)
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url(), server=server)
        self.ask("POST", f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/pause", server)
        return server, port, domain

    def ask(self, method, path, server):
        answer = server.call(method, path)
        self.assertEqual(answer.status, 200, answer)
        return answer

    def stored(self, server, domain):
        return {e["id"] for e in server.poll(domain, "?limit=300&begin=1000000000&ascending=yes&pretty=no")}

    def await_runs(self, server, more=2):
        """Retention has looked at the log again; with what it saw at the second look, if not at the first."""
        enough = server.metric("eventhorn_retention_runs_total") + more
        self.eventually(lambda: server.metric("eventhorn_retention_runs_total") >= enough, "retention to look")

    def await_ahead(self, server, least, most):
        self.eventually(lambda: least < server.metric("eventhorn_wall_clock_ahead_seconds") < most,
                        f"the wall clock to be seen between {least} and {most} s ahead")

    def notices(self, server, kind):
        return [n for n in server.get("/eventhorn/v1/notices").json["items"] if n["kind"] == kind]

    def test_an_hour_ahead_for_a_while_takes_nothing(self):
        server, port, domain = self.retaining("96s")  # looks every 4 s, holds for 24
        ids = set(self.ingest_many(domain, 500, server=server))
        self.shim_says(clock=HOUR)
        self.await_ahead(server, HOUR - 60, HOUR + 60)
        self.await_runs(server)
        self.shim_says()
        self.await_ahead(server, -3, 3)
        self.await_runs(server, 1)
        self.assertEqual(self.stored(server, domain), ids)
        self.assertEqual(len(self.notices(server, "clock.ahead")), 1)
        self.ask("POST", f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/resume", server)
        self.await_all(port, domain)
        self.assertEqual(server.metric("eventhorn_missed_expired_total"), 0)

    def test_an_hour_back_keeps_nothing_for_ever(self):
        server, _, domain = self.retaining("5s")
        self.ingest_many(domain, 50, server=server)
        self.shim_says(clock=-HOUR)
        self.eventually(lambda: not self.stored(server, domain), "events to be dropped while the wall clock is behind")
        self.ingest_many(domain, 50, server=server)
        self.eventually(lambda: not self.stored(server, domain), "events that came while it is behind to be dropped")

    def test_a_year_behind_at_boot(self):
        """Producers and receivers go on, with timestamps of the present and without; retention does too."""
        server, port, domain = self.retaining("20s")
        self.ingest_many(domain, 5, server=server)
        server.stop()
        self.shim_says(clock=-YEAR)
        server.start()
        self.ask("POST", f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/resume", server)
        now = time.time()
        ids = self.ingest(domain, event(timestamp=now), event(timestamp=now + 250), event(timestamp=None),
                          event(timestamp=now - 6 * 86400), server=server)
        self.await_all(port, domain)
        self.assertLessEqual(set(ids), set(port.confirmed))
        answer = server.ingest(domain, [event(timestamp=now + 3600)])
        self.assertEqual(answer.status, 400, answer)
        self.eventually(lambda: not self.stored(server, domain), "retention to go on")
        self.shim_says()
        more = set(self.ingest_many(domain, 5, server=server))
        self.await_runs(server)
        self.assertLessEqual(more, self.stored(server, domain))

    def test_off_for_two_retentions(self):
        """What was there is dropped, but not at once; what comes meanwhile is kept as long as anything else."""
        server, _, domain = self.retaining("24s")  # looks every second, holds for 6
        ids = set(self.ingest_many(domain, 50, server=server))
        server.stop()
        self.shim_says(clock=48)
        server.start()
        self.await_ahead(server, 44, 50)
        held = set(self.ingest_many(domain, 50, server=server))
        self.await_runs(server)
        self.assertEqual(self.stored(server, domain), ids | held)
        self.eventually(lambda: not ids & self.stored(server, domain), "the old events to be dropped")
        self.assertLessEqual(held, self.stored(server, domain))
        self.eventually(lambda: not held & self.stored(server, domain), "the others to be dropped")
        self.assertEqual(len(self.notices(server, "clock.ahead")), 2)

    def test_suspended_time_counts(self):
        """Nothing is watched: CLOCK_BOOTTIME tells."""
        server, _, domain = self.retaining("5m")
        ids = set(self.ingest_many(domain, 50, server=server))
        self.shim_says(clock=HOUR, boot=HOUR)
        self.eventually(lambda: not ids & self.stored(server, domain), "old events to be dropped")
        fresh = set(self.ingest_many(domain, 50, server=server))
        self.assertEqual(self.stored(server, domain), fresh)
        self.assertEqual(self.notices(server, "clock.ahead"), [])

    def test_attempts_are_found_and_kept_whatever_the_clock_says(self):
        server, port, domain = self.retaining("1h", "attempts.retention=1h")
        self.ask("POST", f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/resume", server)
        ids = []
        for seconds in (0, -YEAR, YEAR, -HOUR):
            self.shim_says(clock=seconds)
            ids += self.ingest(domain, event(timestamp=None), server=server)
            self.await_all(port, domain)
        for one in ids:
            path = f"/eventhorn/v1/attempts?domain={domain}&event={one}"
            self.eventually(lambda p=path: server.get(p).json["items"], "the attempt to be found")

    def test_an_old_signing_key_has_its_day(self):
        """A3: the key that was regenerated away signs a field of its own for 24 hours, not until a clock jumps."""
        server, _, _ = self.retaining("1h")
        self.assertEqual(server.call("POST", "/v5/accounts/http_signing_key", form={}).status, 200)
        self.shim_says(clock=YEAR)
        self.await_ahead(server, YEAR - 60, YEAR + 60)
        self.assertIn("previous", server.get("/eventhorn/v1/signing-key").json)


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
