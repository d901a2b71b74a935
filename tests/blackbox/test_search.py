"""Searches of the Events API by the index of terms, and `eventhorn reindex`, with the real binary."""
import concurrent.futures
import os
import pathlib
import subprocess
import threading
import time
import urllib.parse

from harness import Case, event


class Search(Case):
    seconds = 3

    def find(self, server, domain, **filters):
        """The ids that a search walks over, in order."""
        query = urllib.parse.urlencode({"begin": str(time.time() - 3600), "ascending": "yes", "limit": 7, **filters})
        path, ids = f"/v3/{domain}/events?{query}", []
        while True:
            page = server.call("GET", path).json
            if not page["items"]:
                return ids
            ids += [item["id"] for item in page["items"]]
            path = page["paging"]["next"].removeprefix(server.base)

    def reindex(self, server):
        command = [os.environ["EVENTHORN_BINARY"], "reindex", "--data", str(server.data)]
        return subprocess.run(command, env=server.environment(), capture_output=True, text=True, check=False)

    def test_the_same_before_and_after_a_restart_and_a_reindex(self):
        server = self.start()
        domain = self.new_domain(server)
        sent = [event(tags=[f"t{i % 3}", "all"], recipient=f"r{i}@example.org") for i in range(40)]
        self.assertEqual(server.ingest(domain, sent).json["stored"], len(sent))
        searches = [{"recipient": "R7@example.org"}, {"tags": "t1 AND all"}, {"tags": "t0 OR t2"}, {"tags": "nothing"},
                    {"event": "delivered", "recipient": "NOT r3@example.org"}]
        before = [self.find(server, domain, **search) for search in searches]
        self.assertEqual([len(ids) for ids in before], [1, 13, 27, 0, 39])

        refused = self.reindex(server)
        self.assertEqual(refused.returncode, 1, "the server runs")
        server.stop()
        done = self.reindex(server)
        self.assertEqual((done.returncode, done.stdout), (0, f"The index of the store in {server.data} is made.\n"), done.stderr)
        server.start()
        self.assertEqual([self.find(server, domain, **search) for search in searches], before)
        server.kill()
        server.start()
        self.assertEqual([self.find(server, domain, **search) for search in searches], before)

    def test_no_store_is_made(self):
        server = self.start()
        server.stop()
        nowhere = pathlib.Path(server.data) / "nowhere"
        command = [os.environ["EVENTHORN_BINARY"], "reindex", "--data", str(nowhere)]
        done = subprocess.run(command, env=server.environment(), capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, f"eventhorn: there is no store in {nowhere}\n"))
        self.assertFalse(nowhere.exists())


class Newsletter(Case):
    """The way of a newsletter engine: the last half hour, oldest first, again and again, while events arrive, some of them late."""

    ROUNDS = 6
    ENOUGH = 700  # events, for walks of several pages
    NAMES = ("delivered", "opened", "failed", "unsubscribed", "complained")
    settings = ()

    def walk(self, domain):
        query = urllib.parse.urlencode({"begin": str(time.time() - 1800), "ascending": "yes", "limit": 300,
                                        "event": " OR ".join(self.NAMES), "tags": "bulk-email AND n7"})
        path, ids = f"/v3/{domain}/events?{query}", []
        while True:
            page = self.server.get(path).json
            if not page["items"]:
                return ids
            ids += [item["id"] for item in page["items"]]
            path = page["paging"]["next"].removeprefix(self.server.base)

    def produce(self, domain, number, acknowledged, go_on):
        """Batches until it is told to end; the ids that are to be found are told once they were answered."""
        n = 0
        while not go_on.is_set():
            batch = []
            for _ in range(50):
                n += 1
                name = (*self.NAMES, "clicked", "accepted")[n % 7]
                tags = ["bulk-email", "n7"] if n % 3 else ["bulk-email"]
                late = 600 if n % 11 == 0 else 0
                batch.append(event(name, id=f"{number}-{n}", tags=tags, timestamp=time.time() - late))
            answer = self.server.ingest(domain, batch)
            self.assertEqual(answer.json["stored"], len(batch), answer)
            acknowledged.update(item["id"] for item in batch if item["event"] in self.NAMES and "n7" in item["tags"])

    def test_nothing_is_missed_and_nothing_comes_twice(self):
        domain, acknowledged, go_on = self.new_domain(), set(), threading.Event()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            producers = [pool.submit(self.produce, domain, number, acknowledged, go_on) for number in range(3)]
            try:
                rounds = 0
                while rounds < self.ROUNDS or len(acknowledged) < self.ENOUGH:
                    rounds += 1
                    before = set(acknowledged)
                    ids = self.walk(domain)
                    self.assertEqual(len(ids), len(set(ids)), "twice in one walk")
                    self.assertEqual(before - set(ids), set(), "missed")
            finally:
                go_on.set()
            for producer in producers:
                producer.result()
        self.assertEqual(set(self.walk(domain)), acknowledged)
