"""Keys, signatures and fields that receivers see."""
import base64
import hashlib
import hmac
import threading

from harness import SIGNING_KEY, event
from suite import NO_PARKING, PASSWORD, Hostile, endpoint_id, token


class Rotation(Hostile):
    """A3."""

    def rotate(self, server, step):
        answer = server.call("POST", f"/eventhorn/v1/signing-key/{step}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_staged_key_learned_first(self):
        """Stage, promote, retire under load: a receiver that learns the staged key when it is staged, and forgets the
        old one when it is retired, never sees a bad signature (tearDown looks at the farm's faults)."""
        server = self.start(*NO_PARKING)
        port = self.farm.start("answers", 200, keep=True)
        domain = self.domain_for(port.url(), server=server)
        producer = self.produce([domain], 200, server=server, batch=2)
        for _ in range(3):
            staged = self.rotate(server, "stage")["staged"]["key"]
            self.farm.keys.append(staged)
            self.more(port)
            self.rotate(server, "promote")
            self.more(port)
            self.assertEqual(port.deliveries[-1].signed_by, self.farm.keys, "both sign while there are two")
            self.rotate(server, "retire")
            self.more(port)
            self.farm.keys.pop(0)
            self.more(port)
        producer.stop()
        self.await_all(port, domain)
        self.assertEqual(port.deliveries[-1].values("eventhorn-previous-signature"), [])

    def more(self, port):
        seen = port.requests
        self.eventually(lambda: port.requests > seen + 20, "deliveries under the keys of now")

    def test_mailguns_way_switches_at_once(self):
        """The body is signed by the new key from the answer on; the old one signs in a field of its own."""
        server = self.start(*NO_PARKING)
        port = self.farm.start("answers", 200, keep=True)
        domain = self.domain_for(port.url(), server=server)
        answer = server.call("POST", "/v5/accounts/http_signing_key")
        self.assertEqual(answer.status, 200, answer)
        fresh = answer.json["http_signing_key"]
        self.assertNotEqual(fresh, SIGNING_KEY)
        self.farm.keys = [fresh]
        self.ingest(domain, event(), server=server)
        self.await_all(port, domain)
        self.assertEqual(len(port.deliveries[0].values("eventhorn-previous-signature")), 1)
        self.assertNotIn(fresh, server.stderr())
        server.kill()
        server.start()
        self.ingest(domain, event(), server=server)  # signed by the fresh key still, though the environment has the old
        self.await_all(port, domain)

    def test_a_key_that_nobody_knows_is_noticed(self):
        """The farm's check can fail."""
        server = self.start(*NO_PARKING)
        self.farm.keys = ["key-of-somebody-else"]
        port = self.farm.start("answers", 200)
        self.ingest(self.domain_for(port.url(), server=server), event(), server=server)
        self.eventually(lambda: self.farm.faults, "a fault")
        self.assertIn("bad signature", self.farm.faults[0])
        self.farm.faults.clear()


class Fields(Hostile):
    """Custom header fields and Standard Webhooks, by settings of the URL."""

    settings = NO_PARKING

    def put(self, url, **values):
        return self.server.call("PUT", f"/eventhorn/v1/endpoints/settings?url={url}", data=values)

    def make_secret(self, port):
        made = self.server.call("POST", f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/secrets")
        self.assertEqual(made.status, 200, made)
        return made.json["secret"]

    def test_our_own_fields_win(self):
        """S12: what would change the request's framing, address or signatures is refused by name."""
        port = self.farm.start("answers", 200)
        for name in ("Host", "content-length", "Transfer-Encoding", "CONNECTION", "Upgrade", "Expect", "TE", "Trailer",
                     "webhook-signature", "webhook-id", "Eventhorn-Previous-Signature", "Content-Encoding"):
            answer = self.put(port.url(), headers={name: "x"})
            self.assertEqual(answer.status, 400, (name, answer))
            self.assertIn(f"headers: {name}:", answer.json["message"])

    def test_no_line_breaks(self):
        """S11: at the time of setting."""
        port = self.farm.start("answers", 200)
        for headers in ({"X-A": "b\r\nHost: evil"}, {"X-A\r\nX-B": "c"}, {"X-A": "b\nX: y"}, {"X A": "b"}, {"": "b"},
                        {"X-A": "b\0c"}, {"X:A": "b"}):
            self.assertEqual(self.put(port.url(), headers=headers).status, 400, headers)

    def test_event_derived_fields(self):
        """S11: an id with line breaks or beyond ASCII makes no field of its own."""
        port = self.farm.start("answers", 200, keep=True)
        domain = self.domain_for(port.url())
        self.make_secret(port)
        self.assertEqual(self.put(port.url(), standard_webhooks=True).status, 200)
        for one in (f"a\r\nX-Evil: 1{token()}", f"\u00fc{token()}", "x" * 200):
            answer = self.server.ingest(domain, [event(id=one)])
            if answer.status == 200:  # or refused at ingest, which is as good
                self.ledger.note(domain, answer.json["ids"])
        self.ingest(domain, event())
        self.await_all(port, domain)
        for request in port.deliveries:
            self.assertEqual(request.values("x-evil"), [])
            self.assertEqual(len(request.values("webhook-id")), 1)
            self.assertTrue(request.head.isascii())

    def test_custom_fields_and_bearer_are_sent_and_hidden(self):
        """A10: sent as given; never shown again, never logged."""
        port = self.farm.start("answers", 500, keep=True)
        answer = self.put(port.url(), headers={"X-Tenant": "seven"}, bearer=PASSWORD)
        self.assertEqual(answer.status, 200, answer)
        domain = self.domain_for(port.url())
        self.ingest(domain, event())
        self.eventually(lambda: port.deliveries, "an attempt")
        request = port.deliveries[0]
        self.assertEqual(request.values("x-tenant"), ["seven"])
        self.assertEqual(request.values("authorization"), [f"Bearer {PASSWORD}"])
        shown = self.server.get(f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/settings")
        self.assertEqual(shown.status, 200, shown)
        self.assertNotIn(PASSWORD.encode(), shown.body)

    def test_standard_webhooks(self):
        """The signature is over what is sent; after a rotation both secrets sign."""
        port = self.farm.start("answers", 200, keep=True)
        secrets = []
        domain = self.domain_for(port.url())
        for count in (1, 2):
            secrets.append(self.make_secret(port))
            self.assertEqual(self.put(port.url(), standard_webhooks=True).status, 200)
            self.ingest(domain, event())
            self.await_all(port, domain)
            request = port.deliveries[-1]
            (one,), (timestamp,), (given,) = (request.values(f"webhook-{f}") for f in ("id", "timestamp", "signature"))
            signed = f"{one}.{timestamp}.".encode() + request.body
            expected = {"v1," + base64.b64encode(hmac.new(base64.b64decode(s.removeprefix("whsec_")), signed,
                                                          hashlib.sha256).digest()).decode() for s in secrets}
            self.assertEqual(set(given.split(" ")), expected)
            self.assertEqual(len(expected), count)


class Tokens(Hostile):
    settings = NO_PARKING

    def test_no_token_comes_twice(self):
        """A4: over retries, several URLs and concurrent senders (tearDown looks at the farm's faults)."""
        ports = [self.farm.start("often_fails", 0.5, n) for n in range(3)]
        domain = self.domain_for(*(port.url() for port in ports))
        threads = [threading.Thread(target=self.ingest_many, args=(domain, 200)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        missed = lambda: self.missed_total()
        self.eventually(lambda: sum(len(port.confirmed) for port in ports) + missed() == 2400, "all to be settled")
        self.assertEqual(len(self.farm.tokens), sum(port.requests for port in ports))
