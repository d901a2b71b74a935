"""The ledger: what was acknowledged is what can be polled is what was delivered, through kill -9 after kill -9.

LEDGER_EVENTS, LEDGER_KILLS and LEDGER_SEED set the size and repeat a run; the full size is 100 000 events and 20 kills.
"""
import collections
import http.client
import json
import os
import random
import threading
import time

from harness import API_KEY, LOOPBACK, Case, basic
from receiver import Receiver

EVENTS = int(os.environ.get("LEDGER_EVENTS", "100000"))
KILLS = int(os.environ.get("LEDGER_KILLS", "20"))
SEED = int(os.environ.get("LEDGER_SEED", str(random.SystemRandom().randrange(1 << 32))))
PRODUCERS = 4
BATCH = 100
MAX_IN_FLIGHT = 64
UNSAVED_OUTCOMES = 256  # what may have been settled and not saved (design: "Crash")
STALLED_SECONDS = 60  # without any progress: something is lost
FAILURES = 0.005  # of the answers of the receiver are 503
KINDS = ["delivered", "opened", "clicked", "complained"]  # of every class of deliveries


class Tally:
    """Ids acknowledged and confirmed, by any thread; `progress` counts both."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = set()
        self.confirmed = collections.Counter()
        self.last_change = time.monotonic()

    @property
    def progress(self):
        return len(self.acknowledged) + len(self.confirmed)

    def acknowledge(self, ids):
        with self.lock:
            self.acknowledged.update(ids)
            self.last_change = time.monotonic()

    def confirm(self, one):
        with self.lock:
            self.confirmed[one] += 1
            self.last_change = time.monotonic()

    def stalled(self):
        return time.monotonic() - self.last_change > STALLED_SECONDS


class Producer(threading.Thread):
    """Sends its share of events in batches. A batch without an answer is sent again, until it is acknowledged."""

    def __init__(self, number, server, domain, tally):
        super().__init__(daemon=True)
        self.number, self.server, self.path, self.tally = number, server, f"/v3/{domain}/events", tally
        self.answers = collections.Counter()
        self.problem = None

    def run(self):
        ids = [f"ledger-{n:07}" for n in range(self.number, EVENTS, PRODUCERS)]
        connection = None
        for first in range(0, len(ids), BATCH):
            batch = ids[first:first + BATCH]
            body = self.render(batch)
            while not self.tally.stalled():
                try:
                    connection = connection or http.client.HTTPConnection(self.server.host, self.server.port,
                                                                          timeout=10)
                    status, answer = self.post(connection, body)
                except (OSError, http.client.HTTPException):
                    self.answers["none"] += 1
                    connection = None
                    time.sleep(0.02)  # the server is down: another one will come
                    continue
                self.answers[status] += 1
                if status == 200:
                    break
                if status not in (429, 503):
                    self.problem = f"{status}: {answer[:300]!r}"
                    return
                time.sleep(0.05)
            else:
                return
            if set(json.loads(answer)["ids"]) != set(batch):
                self.problem = f"not the ids of the batch: {answer[:300]!r}"
                return
            self.tally.acknowledge(batch)

    @staticmethod
    def render(ids):
        now = time.time()
        return json.dumps([{"event": KINDS[hash_of(one) % len(KINDS)], "id": one, "timestamp": round(now, 6),
                            "recipient": f"{one}@x.example",
                            "user-variables": {"pad": "x" * 300}} for one in ids]).encode()

    def post(self, connection, body):
        connection.request("POST", self.path, body, {"Authorization": basic(API_KEY),
                                                     "Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()


def hash_of(one):
    return int(one.rpartition("-")[2])


class Ledger(Case):
    seconds = 15

    def test_nothing_is_lost(self):
        """C1: killed at random moments, nothing that was acknowledged is lost, and what is sent twice is bounded. A4:
        every signature is good and no token comes twice. L5, L7: some deliveries fail and are made again."""
        print(f"\nledger: {EVENTS} events, {KILLS} kills, LEDGER_SEED={SEED}", flush=True)
        chance = random.Random(SEED)
        tally = Tally()
        receiver = Receiver(answer=lambda delivery: self.answer(chance, tally, delivery), keep=False)
        self.addCleanup(receiver.close)
        server = self.start(LOOPBACK, "server.threads=2", f"delivery.max_in_flight={MAX_IN_FLIGHT}",
                            'delivery.retry_schedule=' + json.dumps(["1s"] * 30))
        domain = self.new_domain(server)
        for kind in KINDS:
            server.hook(domain, kind, receiver.url())

        began = time.monotonic()
        producers = [Producer(n, server, domain, tally) for n in range(PRODUCERS)]
        for producer in producers:
            producer.start()
        moments = sorted(chance.randrange(2 * EVENTS) for _ in range(KILLS))
        for moment in moments:
            self.wait_for(tally, producers, lambda m=moment: tally.progress >= m)
            server.kill()
            server.start()
        self.wait_for(tally, producers, lambda: all(not p.is_alive() for p in producers))
        self.wait_for(tally, producers, lambda: tally.acknowledged <= tally.confirmed.keys())
        took = time.monotonic() - began

        polled = [item["id"] for item in server.poll(domain, "?limit=300&begin=1000000000&ascending=yes&pretty=no")]
        everything = {f"ledger-{n:07}" for n in range(EVENTS)}
        duplicates = sum(tally.confirmed.values()) - len(tally.confirmed)
        most = KILLS * (MAX_IN_FLIGHT + UNSAVED_OUTCOMES)
        answers = dict(sum((p.answers for p in producers), collections.Counter()))
        print(f"ledger: {took:.1f} s; {duplicates} sent twice (at most {most}); answers {answers}", flush=True)
        self.assertEqual(tally.acknowledged, everything)
        self.assertEqual(len(polled), len(set(polled)), "an event was polled twice")
        self.assertEqual(set(polled), everything)
        self.assertEqual(set(tally.confirmed), everything)
        self.assertLessEqual(duplicates, most)
        self.assertEqual(receiver.faults, [])
        self.assertEqual(server.metric("eventhorn_missed_total"), 0)

    def wait_for(self, tally, producers, done):
        while not done():
            problems = [p.problem for p in producers if p.problem]
            self.assertEqual(problems, [])
            if tally.stalled():
                lost = sorted(tally.acknowledged - tally.confirmed.keys())
                self.fail(f"no progress for {STALLED_SECONDS} s: {len(tally.acknowledged)} acknowledged, "
                          f"{len(tally.confirmed)} confirmed, not confirmed {lost[:5]}")
            time.sleep(0.005)

    @staticmethod
    def answer(chance, tally, delivery):
        if chance.random() < FAILURES:
            return 503
        if delivery.event_bytes is not None:
            tally.confirm(delivery.event["id"])
        return 200
