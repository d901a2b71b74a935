"""What the tests with hostile receivers share: small settings, the ledger, steady producers and the tests' base."""
import collections
import hashlib
import http.client
import os
import pathlib
import random
import secrets
import threading
import time
import urllib.parse

import behaviours  # noqa: F401 (names them for Farm.start)
from harness import API_KEY, LOOPBACK, SIGNING_KEY, Case, event, eventually
from receivers import Farm

SCALE = float(os.environ.get("HOSTILE_SCALE", "1"))
SEED = int(os.environ.get("HOSTILE_SEED", str(random.SystemRandom().randrange(1 << 32))))
PATIENCE = 60 * max(1, SCALE)  # seconds after which a test gives up waiting

# Every attempt after the first one comes after a second, and everything about parking happens within seconds.
SMALL = (LOOPBACK, "delivery.retry_schedule=1s,1s", "delivery.timeout=1s", "delivery.connect_timeout=1s")
PARKING = (*SMALL, "delivery.park_after_failures=5", "delivery.park_after=1s", "delivery.probe_interval=200ms",
           "delivery.probe_max_interval=1s", "delivery.slow_start=2s")
NO_PARKING = (*SMALL, "delivery.park_after_failures=1000000")
PASSWORD = "hunter2-of-the-url"  # in the URLs of some receivers; it may be in no log


def scaled(number):
    return max(1, int(number * SCALE))


def endpoint_id(url):
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


class Ledger:
    """The judge: ids that an ingest call acknowledged, with the time of the acknowledgement, by domain."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = collections.defaultdict(dict)  # domain -> id -> time

    def ingest(self, server, domain, events):
        """Sends the events; AssertionError unless all are acknowledged. Their ids."""
        answer = server.ingest(domain, events)
        assert answer.status == 200 and answer.json["stored"] == len(events), answer
        self.note(domain, answer.json["ids"])
        return answer.json["ids"]

    def note(self, domain, ids):
        now = time.monotonic()
        with self.lock:
            self.acknowledged[domain].update((one, now) for one in ids)

    def ids(self, *domains):
        with self.lock:
            return {one for domain in domains for one in self.acknowledged[domain]}

    def lost(self, port, *domains):
        """Ids acknowledged in the domains that the receiver has not confirmed."""
        return self.ids(*domains) - set(port.confirmed)

    def latencies(self, port, domain, since=0.0):
        """Seconds from acknowledgement to confirmation, of events acknowledged after `since`."""
        with self.lock:
            times = dict(self.acknowledged[domain])
        return [port.confirmed_at[one] - at for one, at in times.items() if at >= since and one in port.confirmed_at]


class Producer(threading.Thread):
    """Sends `rate` events per second, in turn to each of `domains`, until stopped or `total` are sent. What is not
    acknowledged is sent again: the server may be killed meanwhile."""

    def __init__(self, server, ledger, domains, rate, total=None, kind="delivered", batch=1):
        super().__init__(daemon=True)
        self.server, self.ledger, self.domains, self.total = server, ledger, list(domains), total
        self.interval, self.kind, self.batch = batch / rate, kind, batch
        self.sent = 0
        self.enough = threading.Event()
        self.problem = None

    def run(self):
        due = time.monotonic()
        while not self.enough.is_set() and (self.total is None or self.sent < self.total):
            domain = self.domains[self.sent // self.batch % len(self.domains)]
            batch = [event(self.kind) for _ in range(self.batch)]
            if not self.send(domain, batch):
                return
            self.sent += self.batch
            due = max(due + self.interval, time.monotonic() - 1)
            self.enough.wait(max(0, due - time.monotonic()))

    def send(self, domain, batch):
        """Until it is acknowledged, also when it is enough meanwhile: without an answer nobody knows what is stored."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                answer = self.server.ingest(domain, batch)
            except (OSError, http.client.HTTPException):  # killed; another process will come
                time.sleep(0.02)
                continue
            if answer.status == 200:
                self.ledger.note(domain, answer.json["ids"])
                return True
            if answer.status not in (429, 503):
                break
            time.sleep(0.05)
        self.problem = f"ingest: not acknowledged: {[item['id'] for item in batch]}"
        return False

    def stop(self):
        self.enough.set()
        self.join()
        assert self.problem is None, self.problem


class Hostile(Case):
    """A test with a farm of receivers. At its end every delivery must have been genuine, no secret may be in the log,
    and the server must be alive."""

    settings = None

    def setUp(self):
        self.farm = Farm()
        self.addCleanup(self.farm.close)
        self.ledger = Ledger()
        self.producers = []

    def tearDown(self):
        for producer in self.producers:
            producer.enough.set()
        self.assertEqual(self.farm.faults[:3], [])
        for server in [*self.own_servers, *filter(None, [self.server])]:
            if server.process:
                log = server.stderr()
                for secret in (PASSWORD, API_KEY, SIGNING_KEY, "whsec_"):
                    self.assertNotIn(secret, log)
                self.assertFalse([line for line in log.splitlines() if not line.isprintable()], "A9: log injection")
        if self.server:
            self.assertTrue(self.server.is_running())

    def domain_for(self, *urls, name="delivered", server=None):
        """A new domain whose webhook `name` has the urls."""
        server = server or self.server
        domain = self.new_domain(server)
        server.hook(domain, name, *urls)
        return domain

    def produce(self, domains, rate, server=None, **options):
        producer = Producer(server or self.server, self.ledger, domains, rate, **options)
        self.producers.append(producer)
        producer.start()
        return producer

    def ingest(self, domain, *events, server=None):
        return self.ledger.ingest(server or self.server, domain, list(events))

    def ingest_many(self, domain, count, server=None, kind="delivered", batch=500):
        """The ids of `count` new events."""
        ids = []
        while len(ids) < count:
            ids += self.ingest(domain, *(event(kind) for _ in range(min(batch, count - len(ids)))), server=server)
        return ids

    def await_all(self, port, *domains, what="a receiver"):
        """Waits until the receiver has confirmed all that was acknowledged in the domains."""
        def done():
            return len(port.confirmed) >= len(self.ledger.ids(*domains)) and not self.ledger.lost(port, *domains)
        try:
            eventually(done, f"{what} to have everything", PATIENCE)
        except AssertionError as late:
            lost = self.ledger.lost(port, *domains)
            raise AssertionError(f"{late}: {len(lost)} of {len(self.ledger.ids(*domains))} are missing") from None

    def eventually(self, probe, what):
        return eventually(probe, what, PATIENCE)

    # The server's own view.

    def missed_total(self, server=None):
        return (server or self.server).metric("eventhorn_missed_total")

    def outcomes(self, outcome, server=None):
        """Attempts with that outcome so far."""
        return (server or self.server).metric("eventhorn_deliveries_total", outcome=outcome)

    def endpoint(self, url, server=None):
        answer = (server or self.server).get(f"/eventhorn/v1/endpoints/{endpoint_id(url)}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def state(self, url, server=None):
        return self.endpoint(url, server)["state"]

    def await_state(self, url, state, server=None):
        self.eventually(lambda: self.state(url, server) == state, f"the endpoint to be {state}")

    def resume(self, url, server=None):
        answer = (server or self.server).call("POST", f"/eventhorn/v1/endpoints/{endpoint_id(url)}/resume")
        self.assertEqual(answer.status, 200, answer)

    def items(self, path, server=None, **parameters):
        """The items of one of our own listings, all pages."""
        server = server or self.server
        query = urllib.parse.urlencode({"limit": 100, **parameters})
        items, page = [], f"/eventhorn/v1/{path}?{query}"
        while True:
            answer = server.get(page)
            self.assertEqual(answer.status, 200, answer)
            items += answer.json["items"]
            page = answer.json.get("paging", {}).get("next") if answer.json["items"] else None
            if not page:
                return items

    def resident_bytes(self, server=None):
        return self._memory("VmRSS:", server)

    def forget_peak(self, server=None):
        """The peak of resident memory counts from here on."""
        (pathlib.Path("/proc") / str((server or self.server).process.pid) / "clear_refs").write_text("5")

    def peak_resident_bytes(self, server=None):
        return self._memory("VmHWM:", server)

    def _memory(self, name, server):
        pid = (server or self.server).process.pid
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name}")

    def sockets(self, server=None):
        """Sockets that the server has open."""
        count = 0
        for entry in pathlib.Path(f"/proc/{(server or self.server).process.pid}/fd").iterdir():
            try:
                count += os.readlink(entry).startswith("socket:")
            except OSError:
                pass  # closed meanwhile
        return count


def token():
    return secrets.token_hex(4)
