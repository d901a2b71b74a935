"""L13: configuration that changes all the time beside ingest. Both wait for the same disk, and share its fsyncs."""
import http.client
import json
import multiprocessing
import threading
import time
import urllib.parse

from harness import API_KEY, SECONDS, basic, event
from shimmed import PATIENT, Shimmed
from suite import percentile, scaled

PRODUCERS, EDITORS = 4, 16
CALLS = scaled(600)  # of all producers, in each phase


class Loop(threading.Thread):
    """Makes one call after the other over one connection until stopped; the seconds that each took."""

    def __init__(self, host, port, request, status=200):
        super().__init__(daemon=True)
        self.host, self.port, self.request, self.status = host, port, request, status
        self.took, self.problem, self.enough = [], None, threading.Event()
        self.start()

    def run(self):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SECONDS)
        while not self.enough.is_set():
            start = time.monotonic()
            try:
                connection.request(*self.request(len(self.took)))
                answer = connection.getresponse()
                body = answer.read()
            except OSError as error:
                self.problem = repr(error)
                return
            if answer.status != self.status:
                self.problem = (answer.status, body)
                return
            self.took.append(time.monotonic() - start)

    def stop(self):
        self.enough.set()
        self.join()
        assert self.problem is None, self.problem


def edit(host, port, domains, url, status, done, enough):
    """Of each domain sets a webhook again and again, to a URL that begins with `url`, and gets that status. In a process of
    its own, so that it shares the producers' processors, not their interpreter."""
    headers = {"Authorization": basic(API_KEY), "Content-Type": "application/x-www-form-urlencoded"}

    def of(domain):
        path = f"/v3/domains/{domain}/webhooks/clicked"
        form = lambda n: urllib.parse.urlencode({"url": f"{url}{n}"})
        return Loop(host, port, lambda n: ("PUT", path, form(n), headers), status)

    loops = [of(domain) for domain in domains]
    while not enough.wait(0.01):
        done.value = min(len(loop.took) for loop in loops)
    for loop in loops:
        loop.stop()


class Edits(Shimmed):
    def measure(self, server, domain):
        """Calls a second and the 99th percentile of their seconds, of producers in closed loops."""
        headers = {"Authorization": basic(API_KEY), "Content-Type": "application/json"}
        request = lambda _: ("POST", f"/v3/{domain}/events", json.dumps([event()]), headers)
        start = time.monotonic()
        loops = [Loop(server.host, server.port, request) for _ in range(PRODUCERS)]
        self.eventually(lambda: sum(len(loop.took) for loop in loops) >= CALLS, "the calls")
        for loop in loops:
            loop.stop()
        took = [one for loop in loops for one in loop.took]
        return len(took) / (time.monotonic() - start), percentile(took, 0.99)

    def measure_beside_editors(self, server, busy, others, url, status):
        """As measure(), and how often each editor was answered meanwhile."""
        done, enough = multiprocessing.Value("q"), multiprocessing.Event()
        editors = multiprocessing.Process(target=edit, args=(server.host, server.port, others, url, status, done, enough))
        editors.start()
        self.addCleanup(editors.kill)
        self.eventually(lambda: done.value > 2, "the editors to be at it")
        before = done.value
        rate, p99 = self.measure(server, busy)
        edits = done.value - before
        enough.set()
        editors.join(SECONDS)
        self.assertEqual(editors.exitcode, 0)
        return rate, p99, edits

    def check(self, fsync_ms):
        """As many clients are busy before and after, and take as much of the processors: first their edits are refused, and
        do not wait for the disk."""
        server = self.shimmed(*PATIENT)
        busy = self.new_domain(server)
        others = [self.new_domain(server) for _ in range(EDITORS)]
        for domain in others:
            server.hook(domain, "clicked", "http://127.0.0.1:9999/")
        self.shim_says(fsync_ms=fsync_ms)
        self.measure(server, busy)  # all is warm
        refused = self.measure_beside_editors(server, busy, others, "ftp://127.0.0.1/", 400)
        made = self.measure_beside_editors(server, busy, others, "http://127.0.0.1:9999/", 200)
        for phase, (rate, p99, edits) in {"refused": refused, "made": made}.items():
            print(f"\nL13, fsync {fsync_ms} ms more, {EDITORS} editors, {edits} edits each {phase}: "
                  f"{rate:.0f} calls/s, p99 {p99 * 1000:.1f} ms", end="", flush=True)
        print(flush=True)
        self.assertGreater(made[2], 0, "editors are not starved either")
        self.assertGreaterEqual(made[0], refused[0] / 2)
        self.assertLessEqual(made[1], 3 * refused[1])

    def test_a_quick_disk(self):
        """L13."""
        self.check(1)

    def test_a_slow_disk(self):
        """L13."""
        self.check(5)
