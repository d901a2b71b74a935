"""DNS that lies, stalls and changes its mind, and addresses that may not be dialled whatever name they hide behind."""
import time

from harness import LOOPBACK, event
from names import NXDOMAIN, SERVFAIL, STALL, Names
from suite import NO_PARKING, Hostile, percentile

ALLOW_BOTH = "delivery.allow_networks=127.0.0.0/8,::1/128"


class Resolving(Hostile):
    def setUp(self):
        super().setUp()
        self.names = Names(self.farm)

    def serve(self, *settings):
        self.ours = self.start(*(settings or NO_PARKING), self.names.setting, "dns.timeout=1s")
        return self.ours

    def send(self, port, host, count=1):
        """A new domain whose hook is the port by that name, after `count` events for it."""
        domain = self.domain_for(port.url(host=host), server=self.ours)
        self.ingest_many(domain, count, server=self.ours)
        return domain

    def test_answers_of_every_kind(self):
        """R23: NXDOMAIN, SERVFAIL, loops, noise and silence fail the one host; good names beside them work, and are
        asked for once while they are fresh."""
        server = self.serve()
        self.names.ttl = 60
        port = self.farm.start("answers", 200)
        self.names.zone.update({
            "good.example.org": ["127.0.0.1"], "alias.example.org": ["CNAME good.example.org"],
            "nothing.example.org": NXDOMAIN, "broken.example.org": SERVFAIL, "empty.example.org": [],
            "silent.example.org": STALL, "noise.example.org": b"\x81\x80\0\1\0\7\0\0\0\0\xc0\x0c",
            "loop.example.org": ["CNAME pool.example.org"], "pool.example.org": ["CNAME loop.example.org"],
        })
        bad = [name for name in self.names.zone if name.split(".")[0] not in ("good", "alias")]
        calm = self.send(port, "good.example.org", 30)
        self.await_all(port, calm)
        for name in bad:
            self.send(port, name, 20)
        domain, other = self.send(port, "good.example.org", 30), self.send(port, "alias.example.org", 30)
        self.await_all(port, calm, domain, other)
        before, after = (percentile(self.ledger.latencies(port, d), 0.99) for d in (calm, domain))
        self.assertLess(after, max(3 * before, before + 0.5), "R23: others are not held up")
        self.eventually(lambda: self.missed_total(server) == 20 * len(bad), "the bad to be missed")
        self.assertLessEqual(self.names.queries["good.example.org"], 4)
        for name in ("nothing.example.org", "empty.example.org"):
            self.assertLess(self.names.queries[name], 20, "negative answers are kept for a while")

    def test_more_addresses_than_a_datagram_holds(self):
        """R23: a hundred addresses, truncated over UDP and fetched over TCP; only a few are tried."""
        self.serve()
        port = self.farm.start("answers", 200)
        self.names.zone["many.example.org"] = ["127.0.0.1"] * 3 + [f"127.0.1.{n}" for n in range(100)]
        domain = self.send(port, "many.example.org", 5)
        self.await_all(port, domain)
        self.assertGreater(self.names.tcp_queries, 0)

    def test_a_host_that_moves(self):
        """R21: after the TTL new requests go to the new address, though the old one still answers."""
        self.serve()
        old = self.farm.start("answers", 200)
        new = self.farm.start("answers", 200, number=old.number, host="127.0.0.2")
        self.names.zone["moving.example.org"] = ["127.0.0.1"]
        domain = self.send(old, "moving.example.org", 5)
        self.await_all(old, domain)
        self.names.zone["moving.example.org"] = ["127.0.0.2"]
        producer = self.produce([domain], 20, server=self.ours)
        self.eventually(lambda: new.confirmed, "the new address to be used")
        moved = self.ingest_many(domain, 50, server=self.ours)
        producer.stop()
        self.eventually(lambda: set(moved) <= set(new.confirmed), "everything to go there")

    def test_a_black_hole_over_ipv6(self):
        """R22: the good IPv4 address is used although the IPv6 one swallows every SYN."""
        self.serve(ALLOW_BOTH, *NO_PARKING[1:])
        port = self.farm.start("answers", 200)
        hole = self.farm.start_full("::1", port.number)
        self.addCleanup(hole.listener.close)
        self.names.zone["both.example.org"] = ["::1", "127.0.0.1"]
        domain = self.send(port, "both.example.org", 20)
        self.await_all(port, domain)
        self.assertEqual(self.outcomes("retry", self.ours), 0)

    def test_a_dead_resolver_is_a_matter_of_names(self):
        """R23: when DNS says nothing at all, addresses still work, and so do names that were known."""
        server = self.serve()
        self.names.ttl = 60
        port = self.farm.start("answers", 200)
        self.names.zone["known.example.org"] = ["127.0.0.1"]
        known = self.send(port, "known.example.org")
        self.await_all(port, known)
        for name in [f"lost{n}.example.org" for n in range(50)]:
            self.names.zone[name] = STALL
            self.send(port, name, 4)
        literal = self.send(port, "127.0.0.1", 20)
        self.ingest_many(known, 20, server=server)
        start = time.monotonic()
        self.await_all(port, known, literal)
        self.assertLess(time.monotonic() - start, 1, "dns.timeout holds nobody else")


class Guarded(Hostile):
    """S1, S5, S6, S7, S17: what counts is the address that is dialled. Only 127.0.0.2 may be reached."""

    ALLOWED = "delivery.allow_networks=127.0.0.2/32"

    def setUp(self):
        super().setUp()
        self.names = Names(self.farm)
        self.names.ttl = 0
        self.ours = self.start(self.ALLOWED, *NO_PARKING[1:], self.names.setting)
        self.inner = self.farm.start("answers", 200)
        self.outer = self.farm.start("answers", 200, number=self.inner.number, host="127.0.0.2")

    def blocked(self, host):
        """The domain of an event that is given up without a connection to anybody."""
        missed = self.missed_total(self.ours)
        domain = self.domain_for(self.inner.url(host=host), server=self.ours)
        (one,) = self.ingest(domain, event(), server=self.ours)
        self.eventually(lambda: self.missed_total(self.ours) == missed + 1, f"{host} to be given up")
        self.assertEqual((self.inner.connections, self.outer.connections), (0, 0))
        return domain, one

    def test_names_of_inner_addresses(self):
        """S5, S17: no name is exempt, whatever it is called; S16: the reason is the same for all of them."""
        reasons = set()
        for host, addresses in {"private.example.org": ["10.0.0.1"], "loop.example.org": ["127.0.0.1"],
                                "mapped.example.org": ["::ffff:127.0.0.1"], "six.example.org": ["::1"],
                                "nat64.example.org": ["64:ff9b::7f00:1"], "metadata.internal": ["169.254.169.254"],
                                "hooks.mailgun.net": ["169.254.169.254"]}.items():
            self.names.zone[host] = addresses
            _, one = self.blocked(host)
            (line,) = [line for line in self.ours.stderr().splitlines() if one in line and "missed" in line]
            reasons.add(line.partition("error=")[2])
        self.assertEqual(len(reasons), 1, reasons)

    def test_names_that_need_no_look_up(self):
        """S1: what stands for an inner address everywhere is refused when it is set."""
        domain = self.new_domain(self.ours)
        for host in ("metadata.google.internal", "metadata.goog", "[::1]", "169.254.169.254"):
            answer = self.ours.call("POST", f"/v3/domains/{domain}/webhooks",
                                    form={"id": "opened", "url": f"http://{host}/latest/meta-data/"})
            self.assertEqual(answer.status, 400, answer)
            self.assertIn("target address is not allowed", answer.body.decode())
        # 127.0.0.2 is allowed, 127.0.0.1 is not: "localhost" is the latter.
        answer = self.ours.call("POST", f"/v3/domains/{domain}/webhooks",
                                form={"id": "opened", "url": self.inner.url(host="localhost")})
        self.assertEqual(answer.status, 400, answer)

    def test_rebinding(self):
        """S6, S7: allowed when it was set and at the first delivery; another address later is judged anew."""
        self.names.zone["turns.example.org"] = ["127.0.0.2"]
        domain = self.domain_for(self.inner.url(host="turns.example.org"), server=self.ours)
        self.ingest(domain, event(), server=self.ours)
        self.await_all(self.outer, domain)
        self.names.zone["turns.example.org"] = ["127.0.0.1"]
        self.outer.behave("keeps_one_request")  # the kept connection is no way around the guard either
        missed = lambda: self.missed_total(self.ours)

        def later():  # the old address may be kept for a moment
            self.ingest(domain, event(), server=self.ours)
            return missed()

        self.eventually(later, "later events to be given up")
        sent = len(self.ledger.ids(domain))
        self.eventually(lambda: len(self.outer.confirmed) + missed() == sent, "all to be settled")
        self.assertEqual(self.inner.connections, 0)

    def test_two_answers_one_inner(self):
        """S6: the inner address is never dialled; what is allowed may be."""
        self.names.zone["mixed.example.org"] = ["127.0.0.1", "10.0.0.1", "127.0.0.2"]
        domain = self.domain_for(self.inner.url(host="mixed.example.org"), server=self.ours)
        self.ingest_many(domain, 20, server=self.ours)
        self.await_all(self.outer, domain)
        self.assertEqual(self.inner.connections, 0)

    def test_the_test_call_is_no_way_around(self):
        """S13, S16: same guard, same words for a port that is open and one that is closed."""
        self.names.zone["private.example.org"] = ["127.0.0.1"]
        domain = self.new_domain(self.ours)
        answers = []
        closed = self.farm.start("answers", 200)
        self.farm.stop(closed)
        for port in (self.inner, closed):
            answer = self.ours.call("PUT", f"/v3/domains/{domain}/webhooks/opened/test",
                                    form={"url": port.url(host="private.example.org")})
            answers.append((answer.status, answer.json))
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(self.inner.connections, 0)
