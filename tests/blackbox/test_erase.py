"""Erasing recipients: what is left of them, on every way out and on the disk; kills in the middle, and work beside it."""
import json
import os
import pathlib
import secrets
import subprocess
import threading
import time

from harness import API_KEY, LOOPBACK, SECONDS, Case, event, eventually
from receiver import Receiver

DANA = "dana@inbox.example"
QUICK = (LOOPBACK, "delivery.timeout=1s")


class Erase(Case):
    seconds = 30

    def path(self, domain, address=DANA):
        return f"/eventhorn/v1/{domain}/recipients/{address.replace('@', '%40')}"

    def command(self, server, *arguments, stdin=b""):
        env = {**server.environment(), "EVENTHORN_URL": server.base or ""}
        return subprocess.run([os.environ["EVENTHORN_BINARY"], *arguments], input=stdin, capture_output=True, timeout=2 * SECONDS,
                              env=env, cwd=server.folder)

    def find(self, server, text):
        """The files of a stopped server that have the text."""
        done = self.command(server, "repair", "--find", text, "--data", str(server.data))
        self.assertIn(done.returncode, (0, 1), done)
        lines = done.stdout.decode().splitlines()
        return [] if done.returncode == 0 else lines

    def erase(self, server, domain, address=DANA):
        done = self.command(server, "erase", "--domain", domain, "--json", address)
        self.assertEqual(done.returncode, 0, done)
        return json.loads(done.stdout)

    def wait(self, server, domain):
        def done():
            answer = server.get(self.path(domain)).json
            return answer["state"] == "done" and answer
        return eventually(done, "the end of an erasure")

    def ids(self, server, domain):
        return {json.loads(line)["id"] for line in server.get(f"/eventhorn/v1/{domain}/export").body.splitlines()}

    def receiver(self, answer=None):
        receiver = Receiver(answer)
        self.addCleanup(receiver.close)
        return receiver

    def test_nothing_is_left(self):
        server = self.start(*QUICK, "delivery.retry_schedule=1h")
        domain = server.add_domain()
        # One that repeats in its answer what it got, a bin, and one that gets nothing while it is parked.
        echo = self.receiver(lambda delivery: (500, (), delivery.body[:1000]))
        bin_id = server.call("POST", "/eventhorn/v1/bins").json["id"]
        server.hook(domain, "delivered", echo.url(), f"{server.base}/bin/{bin_id}")
        events = [event(id=f"e{i}", recipient=DANA if i % 3 == 0 else f"r{i}@inbox.example") for i in range(90)]
        events[1]["message"]["headers"]["to"] = f"Dana <{DANA}>, b@c.d"
        events[2]["user-variables"] = {"link": "https://a.b/?e=dana%40inbox.example"}
        self.assertEqual(server.ingest(domain, events).json["stored"], 90)
        eventually(lambda: server.get(f"/eventhorn/v1/bins/{bin_id}/requests").json["total"] == 90, "all in the bin")
        self.assertGreaterEqual(len(echo.wait(30)), 30)
        server.stop()
        self.assertTrue(self.find(server, DANA))
        self.assertTrue(self.find(server, "dana%40inbox.example"))
        server.start()

        done = self.erase(server, domain)
        self.assertEqual((done["removed"], done["redacted"], done["damaged"]), (30, 2, 0), done)
        self.assertGreaterEqual(done["bin_requests"], 30)
        self.assertGreater(done["attempts"], 0)
        self.assertEqual(done["not_touched"], ["backups"])
        self.assertEqual(self.ids(server, domain), {f"e{i}" for i in range(90) if i % 3})
        said = [server.get(f"/eventhorn/v1/{domain}/export").body, server.get(f"/v3/{domain}/events?limit=300").body,
                server.get(f"/eventhorn/v1/bins/{bin_id}/requests").body, server.get("/eventhorn/v1/missed").body]
        for endpoint in server.get("/eventhorn/v1/endpoints").json["items"]:
            said.append(server.get(f"/eventhorn/v1/endpoints/{endpoint['id']}/attempts?limit=300").body)
        for body in said:
            self.assertNotIn(b"dana@", body.lower())
            self.assertNotIn(b"dana%40", body.lower())
        self.assertEqual(server.page(domain, f"?recipient={DANA}")["items"], [])
        self.assertEqual(len(server.page(domain, "?to=erased&limit=300")["items"]), 1)
        server.stop()
        self.assertEqual(self.find(server, DANA), [])
        self.assertEqual(self.find(server, "dana%40inbox.example"), [])
        self.assertTrue(self.find(server, "r1@inbox.example"))

    def test_redacted_events_say_what_happened(self):
        server = self.start(*QUICK, "events.erase=redact")
        domain = server.add_domain()
        server.ingest(domain, event("failed", id="e1", recipient=DANA, tags=["x"], ip="1.2.3.4", **{"user_variables": {"a": DANA}}))
        server.ingest(domain, event(id=f"m/{DANA}", recipient="a@b.c"))
        done = self.erase(server, domain)
        self.assertEqual((done["removed"], done["redacted"]), (0, 2), done)
        (one,) = server.page(domain, "?event=failed")["items"]
        self.assertEqual((one["id"], one["recipient"], one["tags"], one["reason"]), ("e1", "erased@erased.invalid", ["x"], "bounce"))
        self.assertNotIn("ip", one)
        self.assertEqual(len(self.ids(server, domain) - {"e1"}), 1)
        server.stop()
        server.start()  # the list of files, which names keys, is written anew
        server.stop()
        self.assertEqual(self.find(server, DANA), [])
        self.assertEqual(self.find(server, "1.2.3.4"), [])

    def test_what_is_older_does_not_come_back(self):
        server = self.start(*QUICK)
        domain = server.add_domain()
        old = [event(id=f"e{i}", recipient=DANA if i else "a@b.c", timestamp=time.time() - 100 + i) for i in range(3)]
        server.ingest(domain, old)
        lines = server.get(f"/eventhorn/v1/{domain}/export").body
        self.erase(server, domain)
        for _ in range(2):
            done = self.command(server, "import", "--domain", domain, "--json", stdin=lines)
            counts = json.loads(done.stdout)
            self.assertEqual((done.returncode, counts["stored"], counts["duplicates"]), (1, 0, 1), counts)
            self.assertEqual([r["line"] for r in counts["rejections"]], [2, 3])
            self.assertIn("an address of this event was erased at", counts["rejections"][0]["message"])
            server.stop()
            server.start()
        eventually(lambda: server.ingest(domain, event(id="new", recipient=DANA)).json.get("stored"), "a later event")
        self.assertEqual([e["id"] for e in server.page(domain, f"?recipient={DANA}")["items"]], ["new"])

    def test_kills_in_the_middle(self):
        server = self.start(*QUICK)
        domain = server.add_domain()
        kept = set()
        for first in range(0, 12_000, 1000):
            batch = [event(id=f"e{i}", recipient=DANA if i % 2 else f"r{i}@b.c") for i in range(first, first + 1000)]
            self.assertEqual(server.ingest(domain, batch, "?deliver=no").json["stored"], 1000)
            kept |= {e["id"] for e in batch if e["recipient"] != DANA}
        self.assertEqual(server.call("DELETE", self.path(domain)).status, 202)
        for number in range(4):
            server.stop() if number == 2 else server.kill()
            server.start()
            self.assertIn(server.get(self.path(domain)).json["state"], ("running", "done"))
            self.assertLessEqual(kept, self.ids(server, domain))
            self.assertEqual(server.ingest(domain, event(recipient=DANA, timestamp=time.time() - 100)).status, 400)
        self.wait(server, domain)
        self.assertEqual(self.ids(server, domain), kept)
        server.stop()
        self.assertEqual(self.find(server, DANA), [])

    def test_beside_ingest_and_deliveries(self):
        server = self.start(*QUICK, "delivery.retry_schedule=1s")
        domain = server.add_domain()
        receiver = self.receiver()
        server.hook(domain, "delivered", receiver.url())
        server.ingest(domain, [event(id=f"d{i}", recipient=DANA) for i in range(1000)])
        sent, refused, stop = set(), [0], threading.Event()

        def produce(number):
            batch = 0
            while not stop.is_set():
                events = [event(id=f"p{number}-{batch}-{i}", recipient=f"r{i}@b.c") for i in range(20)]
                events.append(event(recipient=DANA, timestamp=time.time() - 50))
                answer = server.ingest(domain, events).json
                refused[0] += len(answer["rejected"])
                sent.update(e["id"] for e in events[:20])
                batch += 1

        threads = [threading.Thread(target=produce, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(sent) > 200, "some events")
        server.call("DELETE", self.path(domain))
        begun = len(receiver.deliveries)
        self.wait(server, domain)
        done_at = len(receiver.deliveries)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertGreater(refused[0], 0)
        eventually(lambda: sent <= {d.event["id"] for d in receiver.on("/hook")}, "everything of others")
        self.assertGreater(done_at, begun, "deliveries went on")
        self.assertEqual([d.event["id"] for d in receiver.deliveries[done_at:] if d.event["recipient"] == DANA], [])
        self.assertEqual(receiver.faults, [])
        self.assertEqual(server.page(domain, f"?recipient={DANA}")["items"], [])
        self.assertLessEqual(sent, self.ids(server, domain))

    def test_pending_deliveries_are_dropped(self):
        """Of a URL that is not sent to for the time being, and of a retry."""
        server = self.start(*QUICK, "delivery.retry_schedule=1h")
        domain = server.add_domain()
        receiver = self.receiver()
        receiver.script("/hook", 500)
        server.hook(domain, "delivered", receiver.url())
        server.ingest(domain, [event(id=f"w{i}", recipient=DANA if i % 2 else "a@b.c") for i in range(10)])
        receiver.wait(10)
        endpoint = server.get("/eventhorn/v1/endpoints").json["items"][0]["id"]
        self.assertEqual(server.call("POST", f"/eventhorn/v1/endpoints/{endpoint}/pause").status, 200)
        server.ingest(domain, [event(id=f"p{i}", recipient=DANA if i % 2 else "a@b.c") for i in range(10)])
        self.erase(server, domain)
        receiver.script("/hook", 200)
        before = len(receiver.deliveries)
        self.assertEqual(server.call("POST", f"/eventhorn/v1/endpoints/{endpoint}/resume").status, 200)
        wanted = {f"{kind}{i}" for kind in "wp" for i in range(0, 10, 2)}
        eventually(lambda: wanted <= {d.event["id"] for d in receiver.deliveries[before:]}, "what is left")
        eventually(lambda: not server.get("/eventhorn/v1/endpoints").json["items"][0]["backlog"]["events"], "no backlog")
        self.assertEqual({d.event["recipient"] for d in receiver.deliveries[before:]}, {"a@b.c"})

    def test_refusals(self):
        server = self.start(*QUICK)
        domain = server.add_domain()
        self.assertEqual(server.call("DELETE", f"/eventhorn/v1/{domain}/recipients/dana").status, 400)
        self.assertEqual(server.call("DELETE", self.path("none.org")).status, 404)
        self.assertEqual(server.get(self.path(domain)).status, 404)
        self.assertEqual(server.call("DELETE", self.path(domain), key=None).status, 401)
        done = self.command(server, "erase", "--domain", domain, "dana")
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (4, 1), done)
