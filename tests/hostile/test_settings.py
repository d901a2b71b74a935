"""Settings of domains and URLs, as deliveries obey them: retry schedules, rates and client certificates."""
import time

from certificates import Certificates
from harness import LOOPBACK, event
from suite import NO_PARKING, Hostile, endpoint_id

FOR_EVER = "1h"  # a delay that no test lives to see


class Settings(Hostile):
    settings = NO_PARKING

    def put(self, path, server=None, **values):
        return (server or self.server).call("PUT", f"/eventhorn/v1/{path}", data=values)

    def set_domain(self, domain, *schedule, server=None):
        answer = self.put(f"domains/{domain}/settings", server, retry_schedule=list(schedule))
        self.assertEqual(answer.status, 200, answer)

    def set_url(self, url, server=None, **values):
        answer = self.put(f"endpoints/settings?url={url}", server, **values)
        self.assertEqual(answer.status, 200, answer)

    def attempts_listed(self, domain, server=None):
        """Attempts by id, of the domain's missed events."""
        return {item["id"]: item["attempts"] for item in self.items("missed", server, domain=domain)}


class Schedules(Settings):
    def failing(self, server=None):
        """(receiver, domain) that nothing is delivered to."""
        port = self.farm.start("answers", 500)
        return port, self.domain_for(port.url(), server=server)

    def assert_missed_after(self, attempts, port, domain, server=None):
        """A new event is missed after so many attempts, no more and no fewer, and is listed so."""
        (one,) = self.ingest(domain, event(), server=server)
        self.eventually(lambda: one in self.attempts_listed(domain, server), f"to be missed after {attempts} attempts")
        self.assertEqual(self.attempts_listed(domain, server)[one], attempts)
        self.assertEqual([i for _, i in port.attempts].count(one), attempts)

    def assert_waits(self, port, domain):
        """A new event is tried once and waits, while another's has all of the installation's attempts."""
        (one,) = self.ingest(domain, event())
        self.assert_missed_after(3, *self.failing())
        self.assertEqual([i for _, i in port.attempts].count(one), 1)
        self.assertNotIn(one, self.attempts_listed(domain))

    def test_the_domain_has_its_own(self):
        """In place of the installation's, from the next failure on, until it is given back."""
        port, domain = self.failing()
        self.assert_missed_after(3, port, domain)
        self.set_domain(domain, "100ms")
        self.assert_missed_after(2, port, domain)
        self.set_domain(domain, *["100ms"] * 4)
        self.assert_missed_after(5, port, domain)
        self.set_domain(domain)
        self.assert_missed_after(3, port, domain)

    def test_the_urls_wins(self):
        """Over the domain's, whichever is the longer; without it the domain's counts again."""
        port, domain = self.failing()
        self.set_domain(domain, *["100ms"] * 3)
        self.set_url(port.url(), retry_schedule=["100ms"])
        self.assert_missed_after(2, port, domain)
        self.set_url(port.url(), retry_schedule=["100ms"] * 5)
        self.assert_missed_after(6, port, domain)
        self.set_url(port.url(), retry_schedule=[])
        self.assert_missed_after(4, port, domain)

    def test_delays_are_its_own_too(self):
        port, domain = self.failing()
        self.set_domain(domain, FOR_EVER)
        self.assert_waits(port, domain)
        self.set_url(port.url(), retry_schedule=["100ms"])
        self.assert_missed_after(2, port, domain)
        self.set_domain(domain, "100ms")
        self.set_url(port.url(), retry_schedule=[FOR_EVER])
        self.assert_waits(port, domain)

    def test_domains_that_share_a_url(self):
        """Each by its own schedule, at one endpoint."""
        port = self.farm.start("answers", 500)
        short, long, plain = (self.domain_for(port.url()) for _ in range(3))
        self.set_domain(short, "100ms")
        self.set_domain(long, *["100ms"] * 4)
        for domain, attempts in ((short, 2), (long, 5), (plain, 3)):
            self.assert_missed_after(attempts, port, domain)

    def test_they_outlive_a_kill(self):
        server = self.server = self.start(*NO_PARKING)
        (port, domain), (other, of_url) = self.failing(), self.failing()
        self.set_domain(domain, "100ms")
        self.set_url(other.url(), retry_schedule=["100ms"] * 4)
        server.kill()
        server.start()
        self.assert_missed_after(2, port, domain)
        self.assert_missed_after(5, other, of_url)


class Rates(Settings):
    settings = (*NO_PARKING, "delivery.retry_schedule=" + ",".join(["100ms"] * 30), "delivery.timeout=30s")
    RATE, BURST = 20, 3  # a second; at once, and one that begins when the clock of the test does

    def assert_rate(self, port, begin, rate=RATE):
        """At no time had there been more attempts than the rate allows since `begin`, before the first of them. A busy
        machine makes them later, never more."""
        for count, (at, _) in enumerate(port.attempts, 1):
            self.assertLessEqual(count, rate * (at - begin) + self.BURST)

    def test_attempts_are_spread(self):
        """Of all domains that share the URL together."""
        port = self.farm.start("answers", 200)
        self.set_url(port.url(), rate_limit=self.RATE)
        domains = [self.domain_for(port.url()) for _ in range(3)]
        begin = time.monotonic()
        for domain in domains:
            self.ingest_many(domain, 20)
        self.await_all(port, *domains)
        self.assert_rate(port, begin)
        self.assertEqual(port.duplicates, 0)

    def test_retries_count(self):
        """Attempts are limited, not events."""
        port = self.farm.start("answers", *[500] * 40, 200)
        self.set_url(port.url(), rate_limit=self.RATE)
        domain = self.domain_for(port.url())
        begin = time.monotonic()
        self.ingest_many(domain, 10)
        self.await_all(port, domain)
        self.assertEqual(port.requests, 50)
        self.assert_rate(port, begin)

    def test_a_limit_ends_when_it_is_lifted(self):
        """What a limit of one in a thousand seconds has held goes out at once; a URL beside it is never held."""
        port, beside = self.farm.start("answers", 200), self.farm.start("answers", 200)
        self.set_url(port.url(), rate_limit=0.001)
        domain = self.domain_for(port.url(), beside.url())
        self.ingest_many(domain, 50)
        self.await_all(beside, domain)
        self.eventually(lambda: port.requests, "the first attempt")
        self.ingest_many(domain, 50)
        self.await_all(beside, domain)
        self.assertEqual(port.requests, 1)
        self.set_url(port.url(), rate_limit=0)
        self.await_all(port, domain)
        self.assertEqual(port.duplicates, 0)

    def test_the_installations_limit(self):
        """Holds for each URL that has none of its own."""
        self.server = self.start(*self.settings, "delivery.rate_limit=1")
        held, other, own = (self.farm.start("answers", 200) for _ in range(3))
        self.set_url(own.url(), rate_limit=1_000_000)
        domain = self.domain_for(held.url(), other.url(), own.url())
        begin = time.monotonic()
        self.ingest_many(domain, 200)
        self.await_all(own, domain)
        self.eventually(lambda: held.requests > 1 and other.requests > 1, "second attempts")
        for port in (held, other):
            self.assert_rate(port, begin, 1)


class ClientCertificates(Settings):
    """mTLS: receivers that want to know who we are."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cls.addClassCleanup(cls.certificates.close)
        cls.settings = (LOOPBACK, "delivery.retry_schedule=" + ",".join(["500ms"] * 30),
                        "delivery.park_after_failures=1000000")
        cls.env = {"SSL_CERT_FILE": str(cls.certificates.ca)}
        cls.ours = cls.pair("ours")
        super().setUpClass()

    @classmethod
    def pair(cls, name, **options):
        """The two settings, in PEM."""
        certificate, key = cls.certificates.leaf(name, "DNS:sender.example.org", **options)
        return {"client_certificate": certificate.read_text(), "client_key": key.read_text()}

    def wanting(self, version, by_hand=False):
        """A receiver that wants a certificate of our authority. `by_hand`: it says why it refuses one."""
        context = self.certificates.context(f"client certificate {version}".strip())
        if not by_hand:
            return self.farm.start("answers", 200, tls=context)
        port = self.farm.start("tls_by_hand", context)
        port.scheme = "https"
        return port

    def errors(self, domain, one):
        return [item["error"] for item in self.items("attempts", domain=domain, event=one)]

    def test_it_is_shown_who_asks(self):
        """Without one nothing arrives; once it is set, the retry goes through, also after a kill. R20."""
        self.server = self.start(*self.settings, env=self.env)
        ports = [self.wanting("1.2"), self.wanting("")]
        domains = [self.domain_for(port.url()) for port in ports]
        for port, domain in zip(ports, domains):
            (one,) = self.ingest(domain, event())
            self.eventually(lambda d=domain, o=one: self.errors(d, o), "an attempt")
            self.assertEqual(port.requests, 0)
            self.set_url(port.url(), **self.ours)
            self.await_all(port, domain)
        self.server.kill()
        self.server.start()
        for port, domain in zip(ports, domains):
            self.ingest(domain, event())
            self.await_all(port, domain)

    def test_the_test_call_is_made_as_deliveries_are(self):
        """With the certificate and the header fields of its URL."""
        port = self.wanting("")
        port.keep = True
        domain = self.new_domain()
        call = lambda: self.server.call("PUT", f"/v3/domains/{domain}/webhooks/opened/test", form={"url": port.url()}).json
        self.assertEqual(call()["code"], 502)
        self.set_url(port.url(), headers="X-Team: mail", **self.ours)
        self.assertIsNone(call()["code"])
        self.assertEqual(port.deliveries[-1].values("x-team"), ["mail"])

    def test_each_url_has_its_own(self):
        """No URL is shown another's, though the host and port are the same."""
        port = self.wanting("")
        self.set_url(port.url("/with"), **self.ours)
        known, other = self.domain_for(port.url("/with")), self.domain_for(port.url("/without"))
        for _ in range(3):
            (one,) = self.ingest(other, event())
            self.ingest(known, event())
            self.await_all(port, known)
            self.eventually(lambda o=one: self.errors(other, o), "an attempt")
        self.assertEqual(set(port.confirmed), self.ledger.ids(known))

    def test_what_the_receiver_says_of_it(self):
        """None, of another authority, or expired: each attempt says so, and no byte of the event went out. R20."""
        pairs = {"none": None, "stranger": {"authority": "unknown"}, "old": {"days": "-1"}}
        for name, options in pairs.items():
            for version in ("1.2", ""):
                with self.subTest((name, version)):
                    port = self.wanting(version, by_hand=True)
                    if options:
                        self.set_url(port.url(), **self.pair(f"{name}{version}", **options))
                    domain = self.domain_for(port.url())
                    (one,) = self.ingest(domain, event())
                    self.eventually(lambda d=domain, o=one: self.errors(d, o), "an attempt")
                    self.assertIn(f"{'refused our' if options else 'wants a'} client certificate",
                                  self.errors(domain, one)[0])
                    self.assertEqual(port.requests, 0)

    def test_pairs_that_are_no_pair(self):
        """Refused when they are set, by the name of the field; what was set before stays; the key is never shown."""
        port = self.wanting("")
        domain = self.domain_for(port.url())
        self.set_url(port.url(), **self.ours)
        certificate, key = self.ours["client_certificate"], self.ours["client_key"]
        other = self.pair("other")
        for values, field in (
                ({"client_key": other["client_key"]}, "client_key"),
                ({"client_certificate": other["client_certificate"]}, "client_key"),
                ({"client_certificate": ""}, "client_certificate"),
                ({"client_key": ""}, "client_certificate"),
                ({"client_certificate": key, "client_key": certificate}, "client_certificate"),
                ({"client_certificate": certificate[:200] + certificate[300:]}, "client_certificate"),
                ({"client_key": key[:200] + key[300:]}, "client_key"),
                ({"client_key": "not PEM"}, "client_key")):
            answer = self.put(f"endpoints/settings?url={port.url()}", **values)
            self.assertEqual(answer.status, 400, (field, answer))
            self.assertTrue(answer.json["message"].startswith(field + ": "), (field, answer))
            self.assertNotIn(key[100:160].encode(), answer.body)
        shown = self.server.get(f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/settings").json
        self.assertEqual((shown["client_certificate"].strip(), shown["client_key"]), (certificate.strip(), "***"))
        self.set_url(port.url(), client_certificate=shown["client_certificate"], client_key="***")
        self.ingest(domain, event())
        self.await_all(port, domain)
