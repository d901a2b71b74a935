"""Request bins: what they keep, what they answer, and that they are harmless."""
import json
import threading
import time

from harness import Case, event, eventually, head

THANKS = {"message": "Post received. Thanks!"}


class Bins(Case):
    seconds = 12
    settings = ("bins.max_requests=5", "bins.max_body_bytes=1KiB", "delivery.timeout=2s")

    def setUp(self):
        answer = self.server.call("POST", "/eventhorn/v1/bins")
        self.assertEqual(answer.status, 200, answer)
        self.id, self.url = answer.json["id"], answer.json["url"]
        self.path = f"/bin/{self.id}"

    def listing(self):
        answer = self.server.get(f"/eventhorn/v1/bins/{self.id}/requests")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_the_url_follows_the_host(self):
        self.assertEqual(self.url, f"{self.server.base}{self.path}")
        made = self.server.call("POST", "/eventhorn/v1/bins", headers={"Host": "localhost:99"}).json
        self.assertEqual(made["url"], f"http://localhost:99/bin/{made['id']}")

    def test_a_url_that_we_hand_out_is_one_that_we_reach(self):
        """Whatever the port under which users see us, as through a container's or a proxy's."""
        for host in ("localhost:9999", "127.0.0.1:18480", "[::1]:8443"):
            made = self.server.call("POST", "/eventhorn/v1/bins", headers={"Host": host}).json
            domain = "bins-" + made["id"][:8] + ".example.org"
            self.server.add_domain(domain)
            self.server.hook(domain, "opened", made["url"])
            report = self.server.call("PUT", f"/v3/domains/{domain}/webhooks/opened/test", form={"url": made["url"]})
            self.assertEqual(report.json["code"], None, report)
            sent = event("opened")
            self.server.ingest(domain, [sent])
            listing = f"/eventhorn/v1/bins/{made['id']}/requests"
            eventually(lambda at=listing, one=sent["id"]: any(one in item["body"] for item in self.server.get(at).json["items"]),
                       f"the event in the bin of {host}")

    def test_they_outlive_the_process(self):
        """A stop loses nothing, a kill what came within the last second at most."""
        second, patience = 1, 1
        for end in ("stop", "kill"):
            with self.subTest(end):
                server = self.start("bins.max_requests=1000")
                made = server.call("POST", "/eventhorn/v1/bins").json
                path, listing = f"/bin/{made['id']}", f"/eventhorn/v1/bins/{made['id']}/requests"
                answered = []
                begin = time.monotonic()
                while time.monotonic() - begin < 2 * (second + patience):
                    server.call("POST", path, body=str(len(answered)).encode(), key=None)
                    answered.append(time.monotonic())
                    threading.Event().wait(0.02)
                before = server.get(listing).json
                getattr(server, end)()
                safe = len(answered) if end == "stop" else sum(at < time.monotonic() - second - patience for at in answered)
                server.start()
                after = server.get(listing).json
                self.assertGreaterEqual(len(after["items"]), safe)
                self.assertEqual(after["items"], before["items"][:len(after["items"])])
                self.assertEqual(server.call("POST", path, key=None).status, 200)
                self.assertEqual(server.get(listing).json["total"], len(after["items"]) + 1)

    def test_ids_cannot_be_guessed(self):
        """A6."""
        ids = {self.server.call("POST", "/eventhorn/v1/bins").json["id"] for _ in range(20)}
        self.assertEqual(len(ids), 20)
        for one in ids:
            self.assertRegex(one, r"^[0-9a-f]{32}$")

    def test_captures_whatever_comes(self):
        for method in ("POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = self.server.call(method, f"{self.path}/sub/path?a=b", body=b"text", headers={"X-Mine": "yes"},
                                      key=None)
            self.assertEqual((answer.status, answer.json), (200, THANKS), method)
        listing = self.listing()
        self.assertEqual(listing["total"], 6)
        self.assertEqual([item["method"] for item in listing["items"]], ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
        item = listing["items"][-1]
        self.assertEqual((item["path"], item["body"], item["truncated"]), (f"{self.path}/sub/path?a=b", "text", False))
        self.assertEqual(item["remote_address"], "127.0.0.1")
        self.assertIn(["X-Mine", "yes"], item["headers"])

    def test_bodies_are_cut_and_may_be_binary(self):
        self.server.call("POST", self.path, body=b"x" * 5000, key=None)
        self.server.call("POST", self.path, body=b"\xff\x00", key=None)
        cut, binary = self.listing()["items"]
        self.assertEqual((len(cut["body"]), cut["truncated"]), (1024, True))
        self.assertEqual(binary["body_base64"], "/wA=")

    def test_no_secrets_are_kept(self):
        """A6, A10."""
        self.server.call("POST", self.path, headers={"Cookie": "session=hunter2", "Authorization": "Bearer hunter2"},
                         key=None)
        self.assertNotIn("hunter2", json.dumps(self.listing()))

    def test_answers_are_harmless(self):
        """A6: a bin lives under the dashboard's origin."""
        answers = [self.server.call("POST", self.path + "/<script>", body=b"<script>", key=None,
                                    headers={"Accept": "text/html", "Content-Type": "text/html"}),
                   self.server.get(f"/eventhorn/v1/bins/{self.id}/requests"),
                   self.server.call("POST", "/bin/nothing", key=None)]
        for answer in answers:
            self.assertNotIn("html", answer.headers["Content-Type"])
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        for answer in (answers[0], answers[2]):
            self.assertIn("sandbox", answer.headers["Content-Security-Policy"])
        self.assertNotIn(b"<script>", answers[0].body)

    def test_pages_may_post(self):
        answer = self.server.call("POST", self.path, headers={"Origin": "https://elsewhere.example",
                                                              "Sec-Fetch-Site": "cross-site"}, key=None)
        self.assertEqual(answer.status, 200)

    def test_listing_needs_the_key(self):
        for method, path in (("GET", f"/eventhorn/v1/bins/{self.id}/requests"), ("POST", "/eventhorn/v1/bins")):
            self.assertEqual(self.server.call(method, path, key=None).status, 401)

    def test_unknown_bins(self):
        for answer in (self.server.call("POST", "/bin/" + "0" * 32, key=None),
                       self.server.get("/eventhorn/v1/bins/x/requests")):
            self.assertEqual(answer.status, 404)
            self.assertIn("message", answer.json)

    def test_wishes(self):
        for query, statuses in (("?status=503", [503, 503]), ("?status=500&count=1", [500, 200]),
                                ("?status=204", [204, 204]), ("?delay=10ms", [200, 200]), ("?status=302", [302, 302])):
            found = [self.server.call("POST", self.path + query, key=None).status for _ in statuses]
            self.assertEqual(found, statuses, query)
        for query in ("?status=100", "?status=600", "?status=x", "?delay=31s", "?delay=x", "?count=-1"):
            self.assertEqual(self.server.call("POST", self.path + query, key=None).status, 400, query)

    def test_a_wish_for_a_redirect_leads_nowhere(self):
        answer = self.server.call("POST", self.path + "?status=302&location=https://evil.example", key=None)
        self.assertIsNone(answer.headers["Location"])

    def test_head(self):
        answer = self.server.call("HEAD", self.path, key=None)
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.listing()["items"][0]["method"], "HEAD")

    def test_a_receiver_for_the_test_call(self):
        domain = self.new_domain()
        for query, code in (("", None), ("?status=500", 500), ("?delay=10s", 502)):
            answer = self.server.call("PUT", f"/v3/domains/{domain}/webhooks/clicked/test",
                                      form={"url": self.url + query})
            self.assertEqual((answer.status, answer.json["code"]), (200, code), answer)
        self.assertEqual(self.listing()["total"], 3)

    def test_header_fields_of_attackers(self):
        """A5, A9: raw bytes come out as JSON strings, and not into the log."""
        request = head(self.server, "POST", self.path, "X-Evil: \xff\u001b[31m".encode().decode("latin-1"),
                       "Connection: close", key=None)
        self.server.raw(request)
        self.listing()
        self.assertNotIn("\x1b", self.server.stderr())


class Limited(Case):
    settings = ("bins.max=3",)

    def test_the_idlest_bin_is_replaced(self):
        ids = [self.server.call("POST", "/eventhorn/v1/bins").json["id"] for _ in range(3)]
        self.server.call("POST", f"/bin/{ids[0]}", key=None)
        self.server.call("POST", "/eventhorn/v1/bins")
        statuses = [self.server.get(f"/eventhorn/v1/bins/{one}/requests").status for one in ids]
        self.assertEqual(statuses, [200, 404, 200])


class Demo(Case):
    args = ("--dev",)
    settings = ()

    def test_dev_mode_needs_no_set_up(self):
        """A bin, a webhook on a domain that is not there yet, an event: three calls."""
        made = self.server.call("POST", "/eventhorn/v1/bins").json
        self.server.hook("fresh.example.org", "opened", made["url"])
        self.server.ingest("fresh.example.org", event("opened", id="first"))
        bins = f"/eventhorn/v1/bins/{made['id']}/requests"
        items = eventually(lambda: self.server.get(bins).json["items"], "the delivery")
        self.assertEqual(json.loads(items[0]["body"])["event-data"]["id"], "first")
