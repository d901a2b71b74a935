"""C14, C15: a store that cannot be read in part, or is gone, under a running server."""
import errno
import os
import pathlib
import re
import time

from harness import event
from shimmed import PATIENT, Disk
from suite import Hostile

FAMILY = re.compile(rb"column\.family\.id....name(default|log|ids|times|classes|attempts|tries|terms)", re.DOTALL)


def damage(server, family):
    """Flips a byte in the first block of each table of the family. The server must be stopped."""
    found = 0
    for path in (server.data / "store").glob("*.sst"):
        content = bytearray(path.read_bytes())
        if FAMILY.search(content)[1].decode() == family:
            content[20] ^= 0x10
            path.write_bytes(content)
            found += 1
    assert found, f"no table of {family}"


class Tables(Hostile):
    """C14: what is damaged costs itself alone: nothing is reopened, and nobody else is refused."""

    def with_damage(self, family):
        """A server whose domain has 3000 events, in tables that are damaged since; the domain, the events."""
        server = self.start(*PATIENT)
        domain = self.new_domain(server)
        events = [event() for _ in range(3000)]
        for start in range(0, len(events), 500):
            self.ingest(domain, *events[start:start + 500], server=server)
        self.await_indexed(server, len(events))
        server.stop()
        server.start()  # moves what the log of writes holds into tables
        server.stop()
        damage(server, family)
        server.start()
        return server, domain, events

    def await_indexed(self, server, count):
        """Since the start."""
        self.eventually(lambda: server.metric("eventhorn_indexed_events_total") >= count, "the indexes to catch up")

    def assert_well(self, server):
        self.assertEqual(server.get("/readyz").status, 200)
        self.assertEqual(server.metric("eventhorn_store_failures_total"), 0)
        self.assertNotIn("reopened", server.stderr())

    def test_ids(self):
        """Whoever sends an id whose place is damaged hears so; all others are served, also of the same moment."""
        server, domain, events = self.with_damage("ids")
        other = self.new_domain(server)
        statuses = set()
        for start in range(0, len(events), 100):
            answer = server.ingest(domain, events[start:start + 100])
            statuses.add(answer.status)
            if answer.status == 503:
                self.assertRegex(answer.json["message"], "cannot read whether it has it already")
            else:
                self.assertEqual((answer.status, answer.json["duplicates"]), (200, 100), answer)
            self.ingest(other, event(), server=server)
        self.assertIn(503, statuses)
        self.assertGreater(server.metric("eventhorn_store_unreadable_total"), 0)
        self.assertIn("cannot read an event id", server.stderr())
        self.assert_well(server)

    def test_running_counts(self):
        """The indexer goes on, and memory does not grow."""
        server, domain, _ = self.with_damage("classes")
        self.ingest_many(domain, 2000, server=server)
        self.await_indexed(server, 2000)
        self.assert_well(server)

    def test_pages(self):
        """A page is right, or refused."""
        server, domain, events = self.with_damage("times")
        ids = [one["id"] for one in sorted(events, key=lambda one: (one["timestamp"], one["id"]))]
        refused = 0
        for query, expected in (("begin=1000000000&ascending=yes", ids[:300]), ("ascending=no", ids[:-301:-1])):
            answer = server.get(f"/v3/{domain}/events?limit=300&pretty=no&{query}")
            if answer.status == 200:
                self.assertEqual([item["id"] for item in answer.json["items"]], expected)
            else:
                self.assertIn(answer.status, (500, 503), answer)
                refused += 1
        self.assertGreater(refused, 0)
        other = self.new_domain(server)
        ids = self.ingest_many(other, 10, server=server)
        self.assertEqual({item["id"] for item in server.poll(other)}, set(ids))
        self.assert_well(server)

    def test_records(self):
        """A poller gets past events whose records are damaged, and is told how many each page leaves out."""
        server, domain, events = self.with_damage("log")
        seen, left_out = set(), 0
        url = f"/v3/{domain}/events?begin=1000000000&ascending=yes&limit=300"
        while True:
            page = server.get(url)
            self.assertEqual(page.status, 200, page)
            left_out += int(page.headers.get("X-Eventhorn-Damaged", "0"))
            if not page.json["items"]:
                break
            seen.update(item["id"] for item in page.json["items"])
            url = page.json["paging"]["next"]
        self.assertGreater(left_out, 0)
        self.assertGreater(len(seen), 1000)
        self.assertEqual(len(seen) + left_out, len(events))
        told = [one["event"] for one in server.get("/eventhorn/v1/notices?limit=1000").json["items"]
                if one["kind"] == "event.damaged"]
        self.assertEqual(set(told), {one["id"] for one in events} - seen)
        self.assertEqual(server.metric("eventhorn_events_damaged_total"), left_out)
        self.assert_well(server)


class Reads(Disk):
    """C14: a disk that refuses reads while the store is reopened."""

    def test_no_lane_skips_what_could_not_be_read(self):
        """C14: one that is behind goes on where it was, once its events can be read again."""
        server, port, domain = self.with_disk("delivery.rate_limit=200")
        self.ingest_many(domain, 3000, server=server)
        self.shim_says(fsync_errno=errno.EIO, read_errno=errno.EIO, folder=str(server.data))
        self.await_ingest(server, domain, 503)
        self.eventually(lambda: "reopening failed" in server.stderr(), "reopening to fail")
        self.assertEqual(server.get(f"/v3/{domain}/events").status, 503)
        self.shim_says()
        self.await_ingest(server, domain, 200)
        self.assert_balance(server, port, domain)
        self.assertEqual(port.duplicates, 0)


class Gone(Disk):
    """C15: the store is moved away under a server that reopens it."""

    def test_no_new_store_is_made(self):
        server, port, domain = self.with_disk()
        self.ingest_many(domain, 200, server=server)
        self.await_all(port, domain)
        self.break_disk(server, "EIO")
        self.await_ingest(server, domain, 503)
        self.eventually(lambda: "reopening failed" in server.stderr(), "reopening to fail")
        store, aside = server.data / "store", server.data / "aside"
        os.rename(store, aside)
        self.shim_says()
        self.eventually(lambda: "is gone" in server.stderr(), "the server to say so")
        self.assertFalse(store.exists())
        self.assert_refused(server.get("/readyz"), "cannot write")
        names = [one["name"] for one in server.get("/v3/domains").json["items"]]
        self.assertIn(domain, names)
        os.rename(aside, store)
        self.await_ready(server, 200)
        self.ingest_many(domain, 100, server=server)
        self.assert_balance(server, port, domain)


class Rest(Disk):
    """C5: who cannot save waits, and does not spin."""

    def processor_seconds(self, server, thread):
        for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == thread:
                numbers = (task / "stat").read_text().rsplit(")", 1)[1].split()
                return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
        raise AssertionError(f"no thread {thread}")

    def test_the_saving_thread_waits(self):
        """With something written that is not synced yet, and nothing more to save, beside a disk that stays broken."""
        server, port, domain = self.with_disk()
        self.ingest_many(domain, 10, server=server)
        self.await_all(port, domain)
        self.break_disk(server, "EIO on fsync")
        self.await_ready(server, 503)
        start, before = time.monotonic(), self.processor_seconds(server, "progress")
        for _ in range(3):  # three seconds and more of a server that tries
            tries = server.stderr().count("reopening failed")
            self.eventually(lambda t=tries: server.stderr().count("reopening failed") > t, "a try to reopen")
        share = (self.processor_seconds(server, "progress") - before) / (time.monotonic() - start)
        self.assertLess(share, 0.2)
        self.shim_says()
        self.await_ready(server, 200)
