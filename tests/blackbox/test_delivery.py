"""Signed deliveries: their form, outcomes and retries, changes of webhooks, and where they may go."""
import json
import socket
import time

from harness import LOOPBACK, Case, Server, event, eventually
from receiver import HANG, RESET, Receiver

QUICK = 'delivery.retry_schedule=["1s","1s"]'
CROSSED = ["accepted", "delivered", "opened", "clicked", "unsubscribed", "complained"]


class Deliveries(Case):
    """A domain and a receiver for each test; at its end no delivery may have had a fault."""

    settings = ()

    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.domain = self.new_domain() if self.server else None

    def tearDown(self):
        self.assertEqual(self.receiver.faults, [])

    def ingest(self, *events, server=None, domain=None):
        answer = (server or self.server).ingest(domain or self.domain, list(events))
        self.assertEqual(answer.json.get("stored"), len(events), answer)

    def hook(self, name, *urls):
        self.server.hook(self.domain, name, *urls)

    def delete(self, path):
        answer = self.server.call("DELETE", path)
        self.assertEqual(answer.status, 200, answer)

    def settle(self, path="/hook"):
        """Waits until all that was there for the path has been attempted: a new event has come through after it."""
        before = len(self.receiver.on(path))
        marker = event("delivered")
        self.ingest(marker)
        eventually(lambda: marker["id"] in self.receiver.ids(path), f"{before} and a marker for {path}")
        return [i for i in self.receiver.ids(path) if i != marker["id"]]


    def wait_out_the_schedule(self):
        """Until retries of what has failed by now would have come: another event fails as often as QUICK allows."""
        domain = self.new_domain()
        self.receiver.script("/clock", 500)
        self.server.hook(domain, "complained", self.receiver.url("/clock"))
        before = len(self.receiver.on("/clock"))
        self.ingest(event("complained"), domain=domain)
        self.receiver.wait(before + 3, "/clock")


class Form(Deliveries):
    settings = (LOOPBACK,)

    def test_body_and_headers(self):
        """The body is the signature and the very bytes of the Events API; A4: the signature proves it."""
        self.hook("clicked", self.receiver.url("/hook?a=b&c=%20"))
        sent = event("clicked", url="https://example.org/?q=ü&x=\"\\", user_variables={"n": 1, "deep": [{"é": None}]},
                     tags=["a"])
        self.ingest(sent)
        (delivery,) = self.receiver.wait(1)
        page = self.server.get(f"/v3/{self.domain}/events?pretty=no").body
        item = page[len(b'{"items":['):page.index(b'],"paging":')]
        self.assertEqual(delivery.event_bytes, item)
        self.assertEqual((delivery.method, delivery.target), ("POST", "/hook?a=b&c=%20"))
        self.assertEqual(delivery.field("Content-Type"), "application/json")
        self.assertEqual(delivery.field("Content-Length"), str(len(delivery.body)))
        self.assertEqual(delivery.field("Host"), f"127.0.0.1:{self.receiver.port}")
        self.assertTrue(delivery.field("User-Agent").startswith("mailgun/"))
        self.assertEqual(delivery.event["user-variables"], sent["user-variables"])
        self.assertEqual(delivery.event["domain"]["name"], self.domain)

    def test_every_name_and_no_other(self):
        """Names map to events as Mailgun's do; rejected, stored and list events have no webhook."""
        for name in [*CROSSED, "temporary_fail", "permanent_fail"]:
            self.hook(name, self.receiver.url(f"/{name}"))
        silent = [event(kind) for kind in ("rejected", "stored", "list_uploaded", "list_member_uploaded",
                                           "list_member_upload_error")]
        loud = {kind: event(kind) for kind in CROSSED}
        loud["temporary_fail"] = event("failed", severity="temporary")
        loud["permanent_fail"] = event("failed", severity="permanent")
        self.ingest(*silent, *loud.values())
        for name, sent in loud.items():
            self.receiver.wait(1, f"/{name}")
        self.settle("/delivered")
        for name, sent in loud.items():
            self.assertEqual(self.receiver.ids(f"/{name}")[:1], [sent["id"]])
        self.assertEqual(len(self.receiver.deliveries), len(loud) + 1)

    def test_three_urls(self):
        """Each URL gets the event under the same id with a token of its own."""
        self.hook("opened", *(self.receiver.url(f"/{n}") for n in range(3)))
        sent = event("opened")
        self.ingest(sent)
        deliveries = [self.receiver.wait(1, f"/{n}")[0] for n in range(3)]
        self.assertEqual([d.event["id"] for d in deliveries], [sent["id"]] * 3)
        self.assertEqual(len({d.token for d in deliveries}), 3)

    def test_a_url_under_several_names_gets_each_event_once(self):
        self.hook("opened", self.receiver.url())
        self.hook("delivered", self.receiver.url())
        first, second = event("opened"), event("delivered")
        self.ingest(first, second)
        self.receiver.wait(2)
        self.assertEqual(sorted(self.settle()), sorted([first["id"], second["id"]]))

    def test_duplicates_are_not_pushed(self):
        self.hook("delivered", self.receiver.url())
        sent = event("delivered")
        self.ingest(sent)
        self.server.ingest(self.domain, [sent, sent])
        self.assertEqual(self.settle(), [sent["id"]])

    def test_events_before_the_webhook_are_not_pushed(self):
        self.ingest(event("delivered"))
        self.hook("delivered", self.receiver.url())
        self.assertEqual(self.settle(), [])

    def test_credentials_of_the_url(self):
        """S10: sent as Basic, shown nowhere."""
        self.hook("opened", f"http://user:hunter2@127.0.0.1:{self.receiver.port}/hook")
        self.ingest(event("opened"))
        (delivery,) = self.receiver.wait(1)
        self.assertEqual(delivery.field("Authorization"), "Basic dXNlcjpodW50ZXIy")
        self.assertNotIn("hunter2", self.server.stderr())

    def test_connections_are_kept(self):
        self.hook("delivered", self.receiver.url())
        for _ in range(20):
            self.settle()
        self.assertLess(len(self.receiver.sockets), 5)

    def test_order_of_one_message_and_recipient(self):
        """First attempts for one message and recipient follow the order of arrival."""
        self.hook("opened", self.receiver.url())
        message = {"headers": {"message-id": "one@mg.example.org"}}
        sent = [event("opened", message=message) for _ in range(50)]
        self.ingest(*sent)
        self.receiver.wait(50)
        self.assertEqual(self.receiver.ids(), [e["id"] for e in sent])


class Outcomes(Deliveries):
    seconds = 25
    settings = (LOOPBACK, QUICK, "delivery.timeout=1s", "delivery.connect_timeout=1s")

    def outcome(self, *script, attempts, kind="opened"):
        """An event whose attempts get the answers of `script`; the deliveries, once there are `attempts`."""
        self.receiver.script("/hook", *script)
        self.hook(kind, self.receiver.url())
        sent = event(kind)
        self.ingest(sent)
        deliveries = self.receiver.wait(attempts)
        self.assertEqual({d.event["id"] for d in deliveries}, {sent["id"]})
        return deliveries

    def assert_settled(self, count):
        """No attempt follows the `count` that were made."""
        self.wait_out_the_schedule()
        self.assertEqual(len(self.receiver.on("/hook")), count)

    def test_2xx_settles(self):
        """R10, R18: a status alone decides, whatever the body says."""
        for n, answer in enumerate((200, 201, 204, (202, [], b'{"error":"no"}'),
                                    (200, ["Content-Encoding: gzip"], b"no gzip"))):
            self.receiver.script(f"/{n}", answer)
        names = CROSSED[:5]
        for n, name in enumerate(names):
            self.hook(name, self.receiver.url(f"/{n}"))
        self.ingest(*(event(name) for name in names))
        for n in range(5):
            self.receiver.wait(1, f"/{n}")
        self.assert_settled(0)
        self.assertEqual([len(self.receiver.on(f"/{n}")) for n in range(5)], [1] * 5)

    def test_406_settles(self):
        """R14."""
        rejected = self.server.metric("eventhorn_deliveries_total", outcome="rejected")
        self.outcome(406, attempts=1)
        self.assert_settled(1)
        self.assertEqual(self.server.metric("eventhorn_deliveries_total", outcome="rejected"), rejected + 1)

    def test_500_then_200(self):
        """A4: every attempt has a fresh timestamp, token and signature; the id and the bytes stay."""
        first, second = self.outcome(500, 200, attempts=2)
        self.assertNotEqual(first.token, second.token)
        self.assertEqual(first.event_bytes, second.event_bytes)
        self.assertGreaterEqual(second.time - first.time, 0.85)
        self.assertGreaterEqual(int(second.timestamp), int(first.timestamp))
        self.assert_settled(2)

    def test_delivered_events_are_retried_too(self):
        self.outcome(500, 200, attempts=2, kind="delivered")

    def test_everything_else_is_retried(self):
        """R1, R7, R9, R10, R13, R26: redirects, protocol errors, resets and silence fail the attempt alone."""
        answers = [301, 302, 307, 304, 400, 401, 403, 404, 429, 500, 503, HANG, RESET, b"",
                   b"220 smtp.example.org ESMTP\r\n",
                   b"HTTP/1.1 200", b"HTTP/1.1 99 Low\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n",
                   b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                   b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000000]
        urls = []
        for n, answer in enumerate(answers):
            self.receiver.script(f"/{n}", answer, 200)
            urls.append(self.receiver.url(f"/{n}"))
        domains = [self.new_domain() for _ in urls]
        for domain, url in zip(domains, urls):
            self.server.hook(domain, "opened", url)
            self.ingest(event("opened"), domain=domain)
        for n, answer in enumerate(answers):
            with self.subTest(answer if isinstance(answer, (int, str)) else answer[:60]):
                first, second = self.receiver.wait(2, f"/{n}")[:2]
                self.assertEqual(first.event["id"], second.event["id"])

    def test_success_is_the_status_alone(self):
        """R3, R4, R6, R10: reset, endless or missing bodies after a 200 do not undo it."""
        answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nx",
                   b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n",
                   b"HTTP/1.0 200 OK\r\n\r\nold",
                   b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"]
        for n, answer in enumerate(answers):
            self.receiver.script(f"/{n}", answer, 500)
            domain = self.new_domain()
            self.server.hook(domain, "opened", self.receiver.url(f"/{n}"))
            self.ingest(event("opened"), domain=domain)
        for n in range(len(answers)):
            self.receiver.wait(1, f"/{n}")
        self.assert_settled(0)
        self.assertEqual([len(self.receiver.on(f"/{n}")) for n in range(len(answers))], [1] * len(answers))

    def test_redirects_are_not_followed(self):
        """R13, S8."""
        self.outcome((302, [f"Location: {self.receiver.url('/elsewhere')}"], b""), 200, attempts=2)
        self.assertEqual(self.receiver.on("/elsewhere"), [])

    def test_missed_after_the_last_attempt(self):
        """Never silent: counted, and still to be polled."""
        missed = self.server.metric("eventhorn_missed_total")
        deliveries = self.outcome(500, attempts=3)
        eventually(lambda: self.server.metric("eventhorn_missed_total") == missed + 1, "a missed event")
        self.assertEqual(len({d.token for d in deliveries}), 3)
        self.assert_settled(3)
        self.assertIn(deliveries[0].event["id"], [item["id"] for item in self.server.poll(self.domain)])

    def test_a_receiver_that_comes_back(self):
        """Connection refused, then somebody listens."""
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        retried = self.server.metric("eventhorn_deliveries_total", outcome="retry")
        self.hook("opened", f"http://127.0.0.1:{port}/hook")
        sent = event("opened")
        self.ingest(sent)
        eventually(lambda: self.server.metric("eventhorn_deliveries_total", outcome="retry") > retried,
                   "a refused attempt")
        late = Receiver(port=port)
        self.addCleanup(late.close)
        (delivery,) = late.wait(1)
        self.assertEqual((delivery.event["id"], late.faults), (sent["id"], []))

    def test_urls_fail_on_their_own(self):
        """R1, L1: a silent URL slows down no other."""
        self.receiver.script("/silent", HANG)
        self.hook("opened", self.receiver.url("/silent"), self.receiver.url())
        sent = [event("opened") for _ in range(200)]
        self.ingest(*sent)
        self.receiver.wait(200)
        self.assertEqual(set(self.receiver.ids()), {e["id"] for e in sent})

    def test_gone(self):
        """R15: 410 stops the endpoint; nothing is sent until its URL is set again, and then nothing was lost."""
        self.outcome(410, 200, attempts=1)
        eventually(lambda: "gone" in self.server.stderr(), "the notice")
        waiting = [event("opened") for _ in range(5)]
        self.ingest(*waiting)
        self.assert_settled(1)
        # The URL is set again in another domain: the endpoint is back, with what waited here.
        other = self.new_domain()
        self.server.hook(other, "opened", self.receiver.url())
        self.receiver.wait(7)
        self.assertLessEqual({e["id"] for e in waiting}, set(self.receiver.ids()))

    def test_retry_after_slows_the_endpoint(self):
        """R16: the URL rests, not only the event."""
        self.receiver.script("/hook", (503, ["Retry-After: 3"], b""), 200)
        self.hook("delivered", self.receiver.url())
        self.ingest(event("delivered"))
        (first,) = self.receiver.wait(1)
        eventually(lambda: self.server.metric("eventhorn_deliveries_in_flight") == 0, "the answer to be read")
        self.ingest(event("delivered"))
        deliveries = self.receiver.wait(3)
        self.assertGreaterEqual(min(d.time for d in deliveries[1:]) - first.time, 2.5)


class MailgunsRule(Deliveries):
    settings = (LOOPBACK, QUICK, "delivery.retry_delivered=false", "delivery.success=200")

    def test_delivered_is_not_retried_and_201_is(self):
        self.receiver.script("/delivered", 500)
        self.receiver.script("/opened", 201, 200)
        for name in ("delivered", "opened"):
            self.hook(name, self.receiver.url(f"/{name}"))
        self.ingest(event("delivered"), event("opened"))
        self.receiver.wait(2, "/opened")
        self.wait_out_the_schedule()
        self.assertEqual(len(self.receiver.on("/delivered")), 1)


class Changes(Deliveries):
    """C10 and the design's subscriptions: an event is strictly before or after a change."""

    seconds = 6
    settings = (LOOPBACK, QUICK)

    def setUp(self):
        super().setUp()
        self.path = f"/v3/domains/{self.domain}/webhooks"

    def update(self, name, *urls):
        answer = self.server.call("PUT", f"{self.path}/{name}", form=[("url", url) for url in urls])
        self.assertEqual(answer.status, 200, answer)

    def test_update_keeps_the_progress_of_a_url_that_stays(self):
        self.receiver.script("/hook", 500, 200)
        self.hook("opened", self.receiver.url())
        sent = event("opened")
        self.ingest(sent)
        self.receiver.wait(1)
        self.update("opened", self.receiver.url("/other"), self.receiver.url())
        self.receiver.wait(2)
        self.assertEqual(self.receiver.ids(), [sent["id"]] * 2)
        self.assertEqual(self.receiver.on("/other"), [])

    def test_update_to_another_url(self):
        self.hook("delivered", self.receiver.url())
        self.settle()
        self.update("delivered", self.receiver.url("/other"))
        sent = event("delivered")
        self.ingest(sent)
        self.receiver.wait(1, "/other")
        self.assertEqual(self.settle("/other"), [sent["id"]])
        self.assertNotIn(sent["id"], self.receiver.ids())

    def test_remove_and_add_again_starts_anew(self):
        """What was pending is dropped."""
        self.receiver.script("/hook", 500, 200)
        self.hook("delivered", self.receiver.url())
        pending = event("delivered")
        self.ingest(pending)
        self.receiver.wait(1)
        self.delete(f"{self.path}/delivered")
        self.hook("delivered", self.receiver.url())
        self.settle()
        self.wait_out_the_schedule()
        self.assertEqual(self.receiver.ids().count(pending["id"]), 1)

    def test_removed(self):
        self.hook("opened", self.receiver.url("/opened"))
        self.hook("delivered", self.receiver.url())
        self.delete(f"{self.path}/opened")
        self.ingest(event("opened"))
        self.settle()
        self.assertEqual(self.receiver.on("/opened"), [])

    def test_a_domain_made_again_shows_nothing_of_the_old_one(self):
        self.receiver.script("/hook", 500, 200)
        self.hook("delivered", self.receiver.url())
        pending = event("delivered")
        self.ingest(pending)
        self.receiver.wait(1)
        self.delete(f"/v3/domains/{self.domain}")
        self.assertEqual(self.server.get(f"/v3/{self.domain}/events").status, 404)
        self.server.add_domain(self.domain)
        self.assertEqual(self.server.get(self.path).json, {"webhooks": {}})
        self.assertEqual(self.server.poll(self.domain), [])
        self.assertEqual(self.server.ingest(self.domain, pending).json["stored"], 1)
        self.hook("delivered", self.receiver.url())
        self.settle()
        self.wait_out_the_schedule()
        self.assertEqual(self.receiver.ids().count(pending["id"]), 1)

    def test_changes_during_load(self):
        """L9: of every event exactly the URLs that were set when it was stored get it."""
        urls = [self.receiver.url(f"/{n}") for n in range(2)]
        self.hook("opened", urls[0])
        expected = {"/0": [], "/1": []}
        for n in range(40):
            self.update("opened", urls[n % 2])
            batch = [event("opened") for _ in range(5)]
            self.ingest(*batch)
            expected[f"/{n % 2}"] += [e["id"] for e in batch]
        # Updating drops what is pending for the other URL, so only what arrived may be compared; nothing comes twice.
        self.hook("delivered", self.receiver.url())
        self.settle()
        for path, ids in expected.items():
            arrived = self.receiver.ids(path)
            self.assertEqual(len(arrived), len(set(arrived)))
            self.assertLessEqual(set(arrived), set(ids))
        self.assertLessEqual(set(expected["/1"][-5:]), {d.event["id"] for d in self.receiver.wait(5, "/1")})


class Guard(Deliveries):
    """Without delivery.allow_networks."""

    seconds = 4
    settings = (QUICK,)

    def test_addresses_are_refused_when_set(self):
        """S1, S14; a name that stands for them needs no look-up."""
        for url in (self.receiver.url(), f"http://localhost:{self.receiver.port}/hook",
                    "http://metadata.google.internal/"):
            answer = self.server.call("POST", f"/v3/domains/{self.domain}/webhooks", form={"id": "opened", "url": url})
            self.assertEqual(answer.status, 400, answer)
            self.assertIn("is not a valid url: ", answer.json["Reason"])

    def test_alerts_url_is_judged_at_the_start(self):
        """S1: what webhooks may not reach, notices may not."""
        for url in ("http://127.0.0.1:8000/", "http://localhost:8000/", "http://169.254.169.254/"):
            server = Server(f"alerts.url={url}")
            self.addCleanup(server.close)
            server.spawn()
            self.assertEqual(server.wait(), 1)
            self.assertIn("alerts.url: target address is not allowed", server.stderr())

    def test_own_bins_are_delivered_in_process(self):
        """A bin works behind the guard, through the same lanes."""
        made = self.server.call("POST", "/eventhorn/v1/bins").json
        self.assertTrue(made["url"].startswith(self.server.base + "/bin/"))
        self.hook("opened", made["url"])
        sent = event("opened")
        self.ingest(sent)
        listing = f"/eventhorn/v1/bins/{made['id']}/requests"
        items = eventually(lambda: self.server.get(listing).json["items"], "a request in the bin")
        payload = json.loads(items[0]["body"])
        self.assertEqual((items[0]["method"], payload["event-data"]["id"]), ("POST", sent["id"]))
        self.assertEqual(set(payload["signature"]), {"timestamp", "token", "signature"})

    def test_a_bin_can_ask_for_retries(self):
        made = self.server.call("POST", "/eventhorn/v1/bins").json
        self.hook("opened", made["url"] + "?status=503&count=2")
        self.ingest(event("opened"))
        listing = f"/eventhorn/v1/bins/{made['id']}/requests"
        items = eventually(lambda: (i := self.server.get(listing).json["items"]) and len(i) == 3 and i,
                           "three attempts")
        payloads = [json.loads(item["body"]) for item in items]
        self.assertEqual(len({p["event-data"]["id"] for p in payloads}), 1)
        self.assertEqual(len({p["signature"]["token"] for p in payloads}), 3)

    def test_other_own_addresses_stay_refused(self):
        for path in ("/metrics", "/v3/domains", "/bin/", "/bin"):
            url = self.server.base + path
            answer = self.server.call("POST", f"/v3/domains/{self.domain}/webhooks", form={"id": "clicked", "url": url})
            self.assertEqual(answer.status, 400, (url, answer))


class Backlog(Deliveries):
    settings = (LOOPBACK, QUICK)

    def test_a_backlog_drains_when_the_receiver_is_slow(self):
        """L4: everything arrives, live events beside the backlog."""
        answer = (200, [], b"")

        def slowly(_):
            time.sleep(0.002)
            return answer

        receiver = Receiver(answer=slowly)
        self.addCleanup(receiver.close)
        self.hook("delivered", receiver.url())
        sent = set()
        for _ in range(20):
            batch = [event("delivered") for _ in range(500)]
            sent |= {e["id"] for e in batch}
            self.ingest(*batch)
        deliveries = receiver.wait(10_000, seconds=60)
        self.assertEqual({d.event["id"] for d in deliveries}, sent)
        self.assertEqual((len(deliveries), receiver.faults), (10_000, []))
