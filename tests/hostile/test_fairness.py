"""Many endpoints at once: the good ones receive as if the bad ones were not there."""
import collections
import os
import threading
import time

from harness import event
from suite import NO_PARKING, PARKING, SEED, SMALL, Hostile, endpoint_id, percentile, scaled

EVENTS = int(os.environ.get("HOSTILE_EVENTS", str(scaled(5_000))))
TIMEOUT = 1.0  # delivery.timeout of the settings: who waits for a black hole waits that long


class Fairness(Hostile):
    settings = PARKING

    def rounds(self, good, count):
        """One event to each of the good (domain, port), `count` times; the latencies."""
        start = time.monotonic()
        for _ in range(count):
            for domain, _ in good:
                self.ingest(domain, event())
        for domain, port in good:
            self.await_all(port, domain, what="a good neighbour")
        return [latency for domain, port in good for latency in self.ledger.latencies(port, domain, start)]

    def assert_unmoved(self, calm, loaded):
        """The bound is relative to the calm phase, and far below what waiting for one black hole would cost."""
        before, after = percentile(calm, 0.99), percentile(loaded, 0.99)
        if os.environ.get("HOSTILE_TIMES"):
            print(f"p99 {before * 1000:.1f} ms calm, {after * 1000:.1f} ms loaded", flush=True)
        self.assertLess(after, max(3 * before, before + TIMEOUT / 2))

    def good_ones(self, count):
        """Receivers that are known to be good: each has had an event. One that was never tried waits for its first place
        beside the black holes of the test before, until those are known."""
        ports = [self.farm.start("answers", 200) for _ in range(count)]
        good = [(self.domain_for(port.url()), port) for port in ports]
        self.rounds(good, 1)
        return good

    def test_one_dead_among_a_thousand(self):
        """L1, R1."""
        good = self.good_ones(999)
        calm = self.rounds(good, 1)
        dead = self.farm.start("no_answer")
        domain = self.domain_for(dead.url())
        self.ingest_many(domain, 2000)
        self.eventually(lambda: dead.requests >= 4, "the dead one to be tried")
        self.assert_unmoved(calm, self.rounds(good, 2))
        self.assertEqual(sum(port.duplicates for _, port in good), 0)
        dead.behave("answers", 200)
        self.await_settled(dead, domain)

    def await_settled(self, port, domain):
        """Everything of the domain has been confirmed, or was given up in the open."""
        missed = lambda: self.missed_total()
        before = getattr(self, "missed_before", 0)
        self.eventually(lambda: len(port.confirmed) + missed() - before >= len(self.ledger.ids(domain)),
                        "all to be settled or missed")

    def test_ninety_percent_dead(self):
        """L2: a hundred good ones among nine hundred that hold every request for as long as we let them: more than
        delivery.max_in_flight has room for."""
        good = self.good_ones(100)
        calm = self.rounds(good, 2)
        kinds = [("no_answer",), ("slow_head",), ("reads_nothing",)]
        dead = [self.farm.start(*kinds[n % len(kinds)]) for n in range(900)]
        for port in dead:
            self.ingest(self.domain_for(port.url()), *(event() for _ in range(8)))
        self.eventually(lambda: all(port.connections for port in dead), "all black holes to be tried")
        self.assert_unmoved(calm, self.rounds(good, 4))

    def test_one_tenant_a_thousand_times_the_rest(self):
        """L3: the backlog of one, to a good receiver, does not stand before the others' events."""
        good = self.good_ones(20)
        calm = self.rounds(good, 3)
        big = self.farm.start("slow", 0.01)
        domain = self.domain_for(big.url())
        self.ingest_many(domain, scaled(6000), batch=3000)
        loaded = self.rounds(good, 3)
        self.assertLess(len(big.confirmed), len(self.ledger.ids(domain)), "the backlog was still there")
        self.assert_unmoved(calm, loaded)
        self.await_all(big, domain)
        self.assertEqual(big.duplicates, 0)


class Busy(Hostile):
    settings = (*NO_PARKING, "delivery.timeout=10s")

    def test_one_message_holds_nobody(self):
        """L15: a thousand events of one message and recipient, then three thousand of others, to one receiver."""
        port = self.farm.start("slow", 0.05)
        domain = self.domain_for(port.url(), name="opened")
        busy = event("opened")
        crowd = [{**busy, "id": event()["id"]} for _ in range(1000)]
        self.ingest(domain, *crowd, *(event("opened") for _ in range(3000)))
        crowd = {each["id"] for each in crowd}
        others = self.ledger.ids(domain) - crowd
        self.eventually(lambda: others <= set(port.confirmed), "the others")
        self.assertLess(len(crowd & set(port.confirmed)), len(crowd) // 2, "the busy message was still under way")
        port.behave("answers", 200)
        self.await_all(port, domain)
        self.assertEqual(port.duplicates, 0)


class Searches(Hostile):
    """L14: what requests read stands before nothing that deliveries read."""

    settings = SMALL
    CLIENTS = 24

    def drain(self, events):
        """Seconds that a receiver's backlog takes, from its return on."""
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url())
        self.ingest(domain, event())
        self.await_all(port, domain)
        paused = self.server.call("POST", f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/pause")
        self.assertEqual(paused.status, 200, paused)
        self.ingest_many(domain, events)
        begin = time.monotonic()
        self.resume(port.url())
        self.await_all(port, domain)
        self.assertEqual(port.duplicates, 0)
        return time.monotonic() - begin

    def search(self, domain, enough, done):
        """For what has no word, and so no index: it looks at every event."""
        while not enough.is_set():
            answer = self.server.get(f"/v3/{domain}/events?subject=%25%25&begin=1000000000&ascending=yes")
            done.append(answer.status)

    def test_backlogs_drain_beside_hopeless_searches(self):
        searched = self.new_domain()
        self.ingest_many(searched, scaled(20_000), batch=2000)
        calm = self.drain(scaled(3000))
        enough, done = threading.Event(), []
        clients = [threading.Thread(target=self.search, args=(searched, enough, done)) for _ in range(self.CLIENTS)]
        for client in clients:
            client.start()
        try:
            self.eventually(lambda: len(done) >= self.CLIENTS, "searches")
            loaded = self.drain(scaled(3000))
        finally:
            enough.set()
            for client in clients:
                client.join()
        if os.environ.get("HOSTILE_TIMES"):
            print(f"drained in {calm:.2f} s calm, {loaded:.2f} s beside {len(done)} searches", flush=True)
        self.assertLess(loaded, max(4 * calm, calm + 3))


class SharedUrl(Hostile):
    # Its receiver always answers; on a busy machine that may take longer than a second, and is then sent again.
    settings = (*PARKING, "delivery.timeout=10s")
    DOMAINS = 1000

    def test_a_thousand_domains_share_one_url(self):
        """Bounded while it fails, whatever the number of domains, and when it returns; nothing is lost."""
        port = self.farm.start("slow", 0.02)
        domains = [self.domain_for(port.url()) for _ in range(self.DOMAINS)]
        for domain in domains[:8]:
            self.ingest(domain, event())
        self.await_all(port, *domains)
        healthy = port.in_hand_peak
        port.behave("answers", 500)
        for domain in domains:
            self.ingest(domain, event(), event())
        self.while_dead(port)
        port.behave("slow", 0.02)
        back = time.monotonic()
        self.await_all(port, *domains)
        self.assertEqual(port.duplicates, 0)
        self.assertLessEqual(port.in_hand_peak, 64, "delivery.max_concurrency_per_url")
        self.after_return(port, back, healthy)

    def while_dead(self, port):
        seen = port.requests
        self.eventually(lambda: port.requests >= seen + 5, "attempts")

    def after_return(self, port, back, healthy):
        pass


class SharedUrlParked(SharedUrl):
    def while_dead(self, port):
        """One probe at a time, of another event each."""
        self.await_state(port.url(), "parked")
        self.eventually(lambda: not port.in_hand, "what was under way to end")
        parked = time.monotonic()
        self.eventually(lambda: len(port.ids_since(parked)) >= 5, "probes")
        self.assertEqual(port.peak_between(parked, time.monotonic()), 1)
        probes = port.ids_since(parked)
        self.assertEqual(len(set(probes)), len(probes))
        self.eventually(lambda: self.server.metric("eventhorn_endpoints", state="parked") == 1, "the metric")

    def after_return(self, port, back, healthy):
        self.assertLessEqual(port.peak_between(back, back + 2), 2 * max(healthy, 4))
        self.assertEqual(self.state(port.url()), "active")


class Failing(Hostile):
    """Receivers that fail often, or for some events."""

    settings = (*NO_PARKING[:1], "delivery.timeout=1s", "delivery.retry_schedule=" + ",".join(["100ms"] * 20),
                "delivery.park_after_failures=20")

    def test_thirty_percent_at_random(self):
        """Every event arrives, exactly once confirmed, however many of its attempts failed."""
        print(f"\n30 % failures: {EVENTS} events, HOSTILE_SEED={SEED}", flush=True)
        port = self.farm.start("often_fails", 0.3, SEED)
        domain = self.domain_for(port.url())
        self.ingest_many(domain, EVENTS, batch=1000)
        self.await_all(port, domain)
        self.assertEqual(port.duplicates, 0)
        self.assertGreater(len(port.attempts), EVENTS * 1.2, "it did fail")
        self.assertEqual(self.missed_total(), 0)


class Poison(Hostile):
    settings = PARKING

    def poison(self, count, good):
        """A receiver that refuses `count` events among `good` others: everything but them arrives, and they are missed
        by the schedule. The receiver and its domain.

        A good event comes now and then while they wait. An endpoint that has nothing but poison left cannot be told from
        a dead one: it is parked, and a probe counts as an attempt only once another event has got through."""
        missed = self.missed_total()
        bad = {f"poison-{n}-{time.time_ns()}" for n in range(count)}
        port = self.farm.start("poisoned", bad)
        domain = self.domain_for(port.url())
        answer = self.server.ingest(domain, [event("delivered", id=one) for one in bad])
        self.assertEqual(answer.json["stored"], count, answer)
        self.ingest_many(domain, good, batch=20)
        self.await_all(port, domain)
        producer = self.produce([domain], 3)
        self.eventually(lambda: self.missed_total() == missed + count, "the poison to be missed")
        producer.stop()
        self.await_all(port, domain)
        self.assertEqual(port.duplicates, 0)
        self.assertFalse(bad & set(port.confirmed))
        attempts = collections.Counter(one for _, one in port.attempts)
        for one in bad:
            self.assertGreaterEqual(attempts[one], 3)
        # And the endpoint works for whatever comes later.
        self.ingest_many(domain, 20)
        self.await_all(port, domain)
        return port, domain

    def test_one_among_good_ones(self):
        """The good ones are delivered; the poison is missed after the schedule's attempts, no more and no fewer."""
        port, _ = self.poison(1, 200)
        (attempts,) = [n for one, n in collections.Counter(one for _, one in port.attempts).items()
                       if one not in port.confirmed]
        self.assertEqual(attempts, 3)

    def test_so_many_that_the_endpoint_would_be_parked(self):
        """Twenty that fail again and again neither park the endpoint for ever nor burn the others' attempts."""
        self.poison(20, 50)

    def test_the_endpoint_is_active_afterwards(self):
        port, _ = self.poison(20, 50)
        self.await_state(port.url(), "active")
