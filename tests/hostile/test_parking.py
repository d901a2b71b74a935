"""An endpoint that fails is parked, tried with one probe at a time, and returns gently; nothing is lost."""
import time

from harness import event
from suite import PARKING, SMALL, Hostile, endpoint_id, scaled

SLOW_START = 2.0  # seconds, of the settings


class Parked(Hostile):
    settings = PARKING

    def park(self, *behaviour, backlog=40, healthy=0, server=None):
        """(receiver, domain): a receiver that was well for `healthy` events, then behaves so, and is parked with a
        backlog."""
        port = self.farm.start("slow", 0.02)
        domain = self.domain_for(port.url(), server=server)
        if healthy:
            self.ingest_many(domain, healthy, server=server)
            self.await_all(port, domain)
        port.behave(*behaviour)
        self.ingest_many(domain, backlog, server=server)
        self.await_state(port.url(), "parked", server)
        self.eventually(lambda: port.in_hand <= 1, "what was under way to end")
        return port, domain

    def come_back(self, port, domain, server=None):
        missed = self.missed_total(server)
        port.behave("slow", 0.02)
        self.await_all(port, domain)
        self.eventually(lambda: self.state(port.url(), server) == "active", "the endpoint to be active")
        self.assertEqual(self.missed_total(server), missed)

    def test_what_an_operator_sees(self):
        """State, reason, since, the next probe; a metric, a line in the log and a notice. And again when it returns."""
        self.server = self.start(*PARKING)  # of its own: there is one parked endpoint, and then none
        port, domain = self.park("answers", 503)
        shown = self.endpoint(port.url())
        self.assertEqual((shown["id"], shown["url"], shown["state"]), (endpoint_id(port.url()), port.url(), "parked"))
        self.assertIn("503", shown["reason"])
        for field in ("since", "next_attempt", "last_failure"):
            self.assertTrue(shown[field], (field, shown))
        self.assertGreaterEqual(shown["failures_in_row"], 5)
        listed = [item["url"] for item in self.items("endpoints", state="parked")]
        self.assertEqual(listed, [port.url()])
        metric = lambda: self.server.metric("eventhorn_endpoints", state="parked")
        self.eventually(lambda: metric() == 1, "the metric")
        self.assertIn("parked", self.server.stderr())
        kinds = lambda: [n["kind"] for n in self.items("notices") if n["url"] == port.url()]
        self.eventually(lambda: kinds() == ["endpoint.parked"], "the notice")
        self.come_back(port, domain)
        self.eventually(lambda: kinds()[-1] == "endpoint.returned", "the notice of the return")
        self.assertEqual(self.items("endpoints", state="parked"), [])
        self.eventually(lambda: metric() == 0, "the metric of the return")

    def test_probes(self):
        """One at a time, a different event each, further and further apart up to the bound; no attempt is used up."""
        port, domain = self.park("answers", 500)
        parked = time.monotonic()
        self.eventually(lambda: len(port.ids_since(parked)) >= 6, "probes")
        probes = port.ids_since(parked)[:6]
        self.assertEqual(len(set(probes)), 6)
        times = [at for at, _ in list(port.attempts) if at >= parked]
        self.assertGreater(times[5] - times[4], times[1] - times[0])
        self.assertEqual(port.peak_between(parked, times[-1]), 1)
        self.come_back(port, domain)
        self.assertEqual(port.duplicates, 0)

    def test_black_holes_are_parked_too(self):
        """R1: time-outs count as failures; one socket at a time is what a parked black hole costs."""
        port, domain = self.park("no_answer")
        parked = time.monotonic()
        self.eventually(lambda: len(port.ids_since(parked)) >= 2, "probes")
        self.assertEqual(port.peak_between(parked, time.monotonic()), 1)
        self.come_back(port, domain)

    def test_retry_after_holds_the_probes(self):
        """R16: a probe's answer that asks for more than the probe interval gets it."""
        port, domain = self.park("says", 503, "Retry-After: 3")
        parked = time.monotonic()
        self.eventually(lambda: len([at for at, _ in port.attempts if at >= parked]) >= 2, "two probes")
        times = [at for at, _ in port.attempts if at >= parked]
        self.assertGreaterEqual(times[1] - times[0], 2)
        self.come_back(port, domain)

    def test_the_return_is_gentle(self):
        """L4: at most twice the last healthy peak during slow start, whatever the backlog; then it drains."""
        port, domain = self.park("answers", 500, backlog=scaled(3000), healthy=8)
        healthy = max(port.hands[:8])
        back = time.monotonic()
        self.come_back(port, domain)
        first = min(at for one, at in port.confirmed_at.items() if at > back)
        self.assertLessEqual(port.peak_between(back, first + SLOW_START), 2 * healthy)
        self.assertEqual(port.duplicates, 0)

    def test_live_events_go_first(self):
        """L4: what comes in after the return does not wait for the backlog."""
        port, domain = self.park("answers", 500, backlog=scaled(3000))
        before = len(port.confirmed)
        port.behave("slow", 0.02)
        self.eventually(lambda: len(port.confirmed) > before, "the first success")
        (live,) = self.ingest(domain, event())
        self.eventually(lambda: live in port.confirmed, "the live event")
        self.assertLess(len(port.confirmed), len(self.ledger.ids(domain)) // 2, "the backlog was still there")
        self.await_all(port, domain)

    def test_a_restart_finds_it_parked(self):
        """The state is stored; a restart makes no burst, and neither stop nor kill loses anything."""
        server = self.start(*PARKING)
        port, domain = self.park("answers", 500, server=server)
        for end in (server.stop, server.kill):
            end()
            begin = time.monotonic()
            server.start()
            self.assertEqual(self.state(port.url(), server), "parked")
            self.eventually(lambda b=begin: len(port.ids_since(b)) >= 3, "probes")
            self.assertEqual(port.peak_between(begin, time.monotonic()), 1)
        self.come_back(port, domain, server)

    def test_removing_the_webhook_drops_and_counts(self):
        """A removed URL's backlog is dropped, and nothing of it is ever sent."""
        port, domain = self.park("answers", 500)
        dropped = self.server.metric("eventhorn_dropped_total")
        waiting = len(self.ledger.ids(domain))
        self.assertEqual(self.server.call("DELETE", f"/v3/domains/{domain}/webhooks/delivered").status, 200)
        self.eventually(lambda: self.server.metric("eventhorn_dropped_total") == dropped + waiting, "the count")
        port.behave("answers", 200)
        self.server.hook(domain, "delivered", port.url())
        (fresh,) = self.ingest(domain, event())
        self.eventually(lambda: fresh in port.confirmed, "a later event")
        self.assertEqual(set(port.confirmed), {fresh})

    def test_removing_one_name_drops_what_waits_for_it(self):
        """A URL that stays for another name keeps the other's events alone."""
        port, domain = self.park("answers", 500)
        self.server.hook(domain, "opened", port.url())
        opened = self.ingest(domain, event("opened"), event("opened"))
        waiting = len(self.ledger.ids(domain)) - len(opened)
        dropped = self.server.metric("eventhorn_dropped_total")
        self.assertEqual(self.server.call("DELETE", f"/v3/domains/{domain}/webhooks/delivered").status, 200)
        self.eventually(lambda: self.server.metric("eventhorn_dropped_total") >= dropped + waiting - 1, "the count")
        self.server.hook(domain, "delivered", port.url())
        port.behave("answers", 200)
        (fresh,) = self.ingest(domain, event())
        self.eventually(lambda: set(port.confirmed) == {fresh, *opened}, "the others")
        self.assertEqual(self.server.metric("eventhorn_dropped_total"), dropped + waiting)

    def test_flapping_does_not_park(self):
        """R17: failures in a row must last for park_after; a success in between ends them."""
        port = self.farm.start("flapping", 0.5)
        domain = self.domain_for(port.url())
        producer = self.produce([domain], 50, batch=5)
        parked = lambda: self.state(port.url()) == "parked"
        start = time.monotonic()
        while time.monotonic() < start + 4:  # a watch for what must not happen has no condition to wait for
            self.assertFalse(parked())
        producer.stop()


class Held(Hostile):
    """Gone, paused and throttled."""

    settings = PARKING

    def gone(self, server=None):
        """(receiver, domain): it answered 410 and has a backlog."""
        port = self.farm.start("answers", 410)
        domain = self.domain_for(port.url(), server=server)
        self.ingest(domain, event(), server=server)
        self.await_state(port.url(), "gone", server)
        self.ingest_many(domain, 100, server=server)
        port.behave("answers", 200)
        return port, domain

    def assert_left_alone(self, port, server=None):
        """No attempt comes to the port while another one gets all of its retries."""
        seen = port.requests
        clock = self.farm.start("answers", 500)
        self.ingest(self.domain_for(clock.url(), server=server, name="opened"), event("opened"), server=server)
        self.eventually(lambda: len(clock.attempts) >= 3, "another receiver's attempts")
        self.assertEqual(port.requests, seen)

    def test_gone_survives_restarts_and_ends_by_resume(self):
        """R15."""
        server = self.start(*PARKING)
        port, domain = self.gone(server)
        self.assert_left_alone(port, server)
        for end in (server.stop, server.kill):
            end()
            server.start()
            self.assertEqual(self.state(port.url(), server), "gone")
            self.assert_left_alone(port, server)
        self.resume(port.url(), server)
        self.await_all(port, domain)
        self.assertEqual((port.duplicates, self.state(port.url(), server)), (0, "active"))

    def test_gone_ends_when_the_url_is_set_again(self):
        """R15: after a restart too, by whichever domain."""
        server = self.start(*PARKING)
        port, domain = self.gone(server)
        server.kill()
        server.start()
        self.domain_for(port.url(), name="opened", server=server)
        self.await_all(port, domain)
        self.assertEqual(self.missed_total(server), 0)
        # The same URL set once more, by which nothing else changes.
        port, domain = self.gone(server)
        self.assertEqual(server.call("PUT", f"/v3/domains/{domain}/webhooks/delivered",
                                     form={"url": port.url()}).status, 200)
        self.await_all(port, domain)

    def test_alerts_to_a_black_hole(self):
        """Nobody hears the notices: deliveries do not mind, and the process ends when it is told to."""
        alerts = self.farm.start("reads_nothing")
        server = self.start(*PARKING, f"alerts.url={alerts.url()}", "alerts.min_interval=1s")
        for _ in range(20):
            self.gone(server)
        self.eventually(lambda: alerts.connections, "an alert")
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url(), server=server)
        self.ingest_many(domain, 200, server=server)
        self.await_all(port, domain)
        server.stop()
        server.start()

    def test_gone_is_said(self):
        port, _ = self.gone()
        kinds = lambda: [n["kind"] for n in self.items("notices") if n["url"] == port.url()]
        self.eventually(lambda: kinds() == ["endpoint.gone"], "the notice")
        self.assertIn("410", self.endpoint(port.url())["reason"])

    def test_pause_and_resume(self):
        """A paused endpoint gets nothing, also after a restart; resumed, it gets everything."""
        server = self.start(*PARKING)
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url(), server=server)
        self.ingest_many(domain, 10, server=server)
        self.await_all(port, domain)
        answer = server.call("POST", f"/eventhorn/v1/endpoints/{self.endpoint(port.url(), server)['id']}/pause")
        self.assertEqual(answer.status, 200, answer)
        self.ingest_many(domain, 100, server=server)
        self.assert_left_alone(port, server)
        server.kill()
        server.start()
        self.assertEqual(self.state(port.url(), server), "paused")
        self.assert_left_alone(port, server)
        self.resume(port.url(), server)
        self.await_all(port, domain)
        self.assertEqual(port.duplicates, 0)

    def test_throttled(self):
        """An endpoint that fails but is not parked holds at most delivery.max_exceptions; the rest waits in the log."""
        server = self.start(*SMALL[:1], "delivery.timeout=1s", "delivery.retry_schedule=2s,2s,2s,2s,2s,2s,2s",
                            "delivery.max_exceptions=10", "delivery.park_after_failures=1000000")
        port = self.farm.start("answers", 500)
        domain = self.domain_for(port.url(), server=server)
        self.ingest_many(domain, 500, server=server)
        self.await_state(port.url(), "throttled", server)
        self.assertLess(len({one for _, one in port.attempts}), 10 + 64)
        self.eventually(lambda: server.metric("eventhorn_endpoints", state="throttled") == 1, "the metric")
        port.behave("answers", 200)
        self.await_all(port, domain)
        self.await_state(port.url(), "active", server)


class Outage(Hostile):

    settings = PARKING

    def test_everything_arrives_after_an_outage(self):
        """L4: an outage longer than the whole schedule costs no event."""
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url())
        self.ingest_many(domain, 50)
        self.await_all(port, domain)
        missed = self.missed_total()
        port.behave("no_answer")
        down = time.monotonic()
        self.ingest_many(domain, 500)
        for round_number in range(1, 3):
            clock = self.farm.start("answers", 500)  # three attempts of one event take as long as the schedule
            self.ingest(self.domain_for(clock.url(), name="opened"), event("opened"))
            self.eventually(lambda n=round_number: self.missed_total() >= missed + n, "a whole schedule")
        self.assertGreater(time.monotonic() - down, 3)
        port.behave("answers", 200)
        given_up = self.missed_total() - missed - 2
        self.assertEqual(given_up, 0)
        self.await_all(port, domain)
