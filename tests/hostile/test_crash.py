"""Kills, stops and starts with hostile receivers beside good ones: afterwards the ledger balances."""
import os
import random
import time

from harness import LOOPBACK, event, eventually
from suite import NO_PARKING, PARKING, SEED, SMALL, Hostile, scaled

KILLS = int(os.environ.get("HOSTILE_KILLS", str(scaled(5))))
MAX_IN_FLIGHT = 64
UNSAVED_OUTCOMES = 256  # what may have been settled and not saved (design: "Crash")
PATIENT = "delivery.retry_schedule=" + ",".join(["2s"] * 30)  # who is bad for less than a minute misses nothing
BAD = {  # behaviours that confirm nothing, or not always
    "no_answer": (), "slow_head": (), "resets": (), "closes": (), "answers": (503,), "often_fails": (0.3, SEED),
    "raw": (b"220 mx ESMTP\r\n",), "reads_nothing": (), "interim_storm": (), "flapping": (0.3,),
}
SLOW = {"slow_body": (), "cut_body": (), "endless_chunks": (), "slow": (0.05,)}  # these confirm, unpleasantly


class Crash(Hostile):
    def mixed(self, server, behaviours):
        """Domain by receiver: one of each behaviour, and a good one for it beside it."""
        ports = [self.farm.start(name, *arguments) for name, arguments in behaviours.items()]
        return {port: self.domain_for(port.url(), server=server) for port in ports}

    @staticmethod
    def make_good(ports):
        for port in ports:
            port.behave("answers", 200)

    def given_up(self, server, port):
        """Ids that are listed as missed by the receiver: kept, not lost."""
        return {item["id"] for item in self.items("missed", server, url=port.url())}

    def settle(self, server, ports):
        """Everybody becomes good, and gets everything but what was given up after all of its attempts. How much that
        was."""
        self.make_good(ports)
        missed = 0
        for number, (port, domain) in enumerate(ports.items()):
            self.eventually(lambda p=port, d=domain: self.ledger.lost(p, d) <= self.given_up(server, p),
                            f"port {number} to have everything")
            missed += len(self.ledger.lost(port, domain))
        return missed

    def test_kills_beside_hostile_receivers(self):
        """C1: killed at random moments; nothing acknowledged is lost for anybody, and duplicates are bounded."""
        print(f"\nkills: {KILLS}, HOSTILE_SEED={SEED}", flush=True)
        chance = random.Random(SEED)
        server = self.start(LOOPBACK, PATIENT, "server.threads=2", f"delivery.max_in_flight={MAX_IN_FLIGHT}",
                            *PARKING[2:])
        good = self.mixed(server, {"answers": (200,)})
        ports = {**good, **self.mixed(server, BAD), **self.mixed(server, SLOW)}
        producers = [self.produce(list(good.values()), 1000, server=server, batch=20),
                     self.produce(list(ports.values()), 600, server=server, batch=20)]
        (port,) = good
        duplicates = []
        for _ in range(KILLS):
            moment = len(port.confirmed) + chance.randrange(50, 500)
            self.eventually(lambda m=moment: len(port.confirmed) >= m, "the good receiver to go on")
            server.kill()
            server.start()
            duplicates.append(port.duplicates)
        for producer in producers:
            producer.stop()
        self.await_all(port, good[port])  # while the others are still bad
        missed = self.settle(server, ports)
        self.assert_polled(server, ports)
        most = MAX_IN_FLIGHT + UNSAVED_OUTCOMES
        steps = [after - before for before, after in zip([0, *duplicates], [*duplicates, port.duplicates])]
        print(f"kills: {len(self.ledger.ids(*ports.values()))} events, {missed} missed by the schedule; "
              f"sent twice after each kill: {sorted(steps)}", flush=True)
        self.assertLessEqual(sum(p.duplicates for p in ports), KILLS * most)

    def assert_polled(self, server, ports):
        """The other door has exactly the same events."""
        for domain in ports.values():
            polled = [e["id"] for e in server.poll(domain, "?limit=300&begin=1000000000&ascending=yes&pretty=no")]
            self.assertEqual(len(polled), len(set(polled)))
            self.assertEqual(set(polled), self.ledger.ids(domain))

    def test_stops_beside_hostile_receivers(self):
        """C2: SIGTERM ends the process with 0 whatever receivers do, and nothing is sent twice to those that answer."""
        server = self.start(LOOPBACK, PATIENT, "delivery.timeout=10m", "delivery.connect_timeout=10m",
                            "delivery.drain_timeout=1s", "delivery.park_after_failures=1000000")
        good = self.mixed(server, {"answers": (200,)})
        ports = {**good, **self.mixed(server, BAD)}
        for _ in range(3):
            for domain in ports.values():
                self.ingest_many(domain, 100, server=server)
            server.stop()
            server.start()
        (port,) = good
        self.await_all(port, good[port])
        self.assertEqual(port.duplicates, 0)
        self.make_good(ports)
        server.stop()  # with the attempts that would have hung for ten minutes
        server.start()
        self.assertEqual(self.settle(server, ports), 0)

    def test_ingest_is_stopped_first(self):
        """C2: what is acknowledged while the process drains is delivered after the start like everything else."""
        server = self.start(*NO_PARKING, "delivery.drain_timeout=2s")
        port = self.farm.start("slow", 0.5)
        domain = self.domain_for(port.url(), server=server)
        producer = self.produce([domain], 500, server=server, batch=5)
        self.eventually(lambda: port.in_hand, "attempts")
        server.stop()
        port.behave("answers", 200)
        server.start()
        producer.stop()
        self.await_all(port, domain)


class Herd(Hostile):
    def test_all_retries_due_at_the_start(self):
        """L5: thousands of retries that became due while the process was down are spread by the budgets, sent once."""
        settings = (*NO_PARKING, "delivery.max_in_flight=32", "delivery.retry_schedule=" + ",".join(["2s"] * 30))
        server = self.start(*settings)
        ports = [self.farm.start("answers", 503) for _ in range(50)]
        domains = [self.domain_for(port.url(), server=server) for port in ports]
        for domain in domains:
            self.ingest_many(domain, 40, server=server)
        self.eventually(lambda: self.outcomes("retry", server) >= 2000,
                        "all to wait for a retry")
        server.stop()
        down = time.monotonic()
        for port in ports:
            port.behave("slow", 0.01)
        eventually(lambda: time.monotonic() > down + 2.5, "all to be due")
        self.farm.in_hand_peak = 0
        server.start()
        for port, domain in zip(ports, domains):
            self.await_all(port, domain)
        self.assertLessEqual(self.farm.in_hand_peak, 32)
        self.assertLessEqual(max(port.in_hand_peak for port in ports), 32)
        self.assertEqual(sum(port.duplicates for port in ports), 0)

    def test_a_start_with_many_lanes_behind(self):
        """L5: ready while a thousand lanes wait, and the good ones among them do not wait for the dead."""
        server = self.start(*SMALL, "delivery.park_after_failures=1000000",
                            "delivery.retry_schedule=" + ",".join(["2s"] * 30))
        dead = self.farm.start("no_answer")
        good = self.farm.start("no_answer")
        lanes = [self.domain_for(dead.url(), server=server) for _ in range(scaled(200))]
        domain = self.domain_for(good.url(), server=server)
        for one in (*lanes, domain):
            self.ingest(one, *(event() for _ in range(10)), server=server)
        self.eventually(lambda: good.requests and dead.requests, "first attempts")
        server.kill()
        good.behave("answers", 200)
        server.start()
        self.await_all(good, domain)
        dead.behave("answers", 200)
        self.await_all(dead, *lanes)
