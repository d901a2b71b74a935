"""S15: an egress proxy is no way around the guard, and its faults are not those of the receivers."""
from harness import event
from names import Names
from suite import NO_PARKING, Hostile


class Proxy(Hostile):
    def setUp(self):
        super().setUp()
        self.proxy = self.farm.start("connect_proxy")
        self.ours = self.start(*NO_PARKING, f"delivery.proxy=http://127.0.0.1:{self.proxy.number}")

    def report(self, url):
        domain = self.new_domain(self.ours)
        answer = self.ours.call("PUT", f"/v3/domains/{domain}/webhooks/opened/test", form={"url": url})
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_everything_goes_through_it(self):
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url(), server=self.ours)
        self.ingest_many(domain, 20, server=self.ours)
        self.await_all(port, domain)
        self.assertEqual(set(self.proxy.tunnels), {f"CONNECT 127.0.0.1:{port.number}"})

    def test_its_faults_are_named(self):
        """Refused by the proxy, no proxy at all, and a receiver that fails behind it are told apart."""
        port = self.farm.start("answers", 500)
        self.assertEqual(self.report(port.url())["code"], 500)
        self.proxy.behave("connect_proxy", 403)
        refused = self.report(port.url())
        self.assertEqual(refused["code"], 502)
        self.assertIn("proxy", refused["message"])
        self.proxy.behave("reads_nothing")
        self.assertIn("proxy", self.report(port.url())["message"])
        self.farm.stop(self.proxy)
        self.assertIn("proxy", self.report(port.url())["message"])

    def test_the_guard_still_holds(self):
        """An inner name is refused before the proxy hears of it."""
        names = Names(self.farm)
        names.zone["inner.example.org"] = ["10.0.0.1"]
        server = self.start(*NO_PARKING, names.setting, f"delivery.proxy=http://127.0.0.1:{self.proxy.number}")
        domain = self.domain_for("http://inner.example.org/hook", server=server)
        self.ingest(domain, event(), server=server)
        self.eventually(lambda: self.missed_total(server) == 1, "the event to be given up")
        self.assertEqual(self.proxy.connections, 0)
