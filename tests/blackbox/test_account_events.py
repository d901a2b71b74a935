"""The events of all domains as one list: GET /v3/events."""
import time
import urllib.parse

from harness import Case, event

NOW = int(time.time())


class Account(Case):
    def list(self, server, **parameters):
        """(domain, id) of every event that the pages from the first one on show."""
        page = server.call("GET", f"/v3/events?{urllib.parse.urlencode(parameters)}").json
        found = []
        while page["items"]:
            found += [(item["domain"]["name"], item["id"]) for item in page["items"]]
            page = server.get(page["paging"]["next"]).json
        return found

    def test_pages_have_every_event_once(self):
        """Of domains with the same ids and timestamps, in both directions, over a restart."""
        server = self.start()
        domains = [self.new_domain(server) for _ in range(3)]
        expected = []
        for number in range(20):
            for domain in domains:
                one = event(id=f"e{number:02}", timestamp=NOW - 60 + number // 2 + 0.5, tags=[f"t{number % 4}"])
                self.assertEqual(server.ingest(domain, one).json["stored"], 1)
                expected.append((domain, one["id"], number % 4))
        everything = [(domain, id) for domain, id, _ in expected]
        tagged = [(domain, id) for domain, id, tag in expected if tag == 1]
        for again in (False, True):
            if again:
                server.kill()
                server.start()
            up = {"begin": NOW - 3600, "ascending": "yes", "limit": 7}
            self.assertEqual(self.list(server, **up), everything)
            self.assertEqual(self.list(server, limit=7), everything[::-1])
            self.assertEqual(self.list(server, tags="t1", **up), tagged)
        server.call("DELETE", f"/v3/domains/{domains[1]}")
        self.assertEqual(self.list(server), [one for one in everything[::-1] if one[0] != domains[1]])

    def test_a_poller_sees_what_arrives(self):
        server = self.start()
        domains = [self.new_domain(server) for _ in range(2)]
        url = f"/v3/events?begin={NOW - 60}&ascending=yes"
        for number, domain in enumerate(domains * 2):
            server.ingest(domain, event(id=f"e{number}", timestamp=NOW + number + 0.5))
            page = server.get(url).json
            self.assertEqual([item["id"] for item in page["items"]], [f"e{number}"])
            url = page["paging"]["next"]
        self.assertEqual(server.get(url).json["items"], [])


class Calls(Case):
    settings = ()

    def test_strangers_and_tokens_of_domains(self):
        domain = self.new_domain()
        self.server.ingest(domain, event())
        self.assertEqual(self.server.get("/v3/events", key="wrong").status, 401)
        self.assertEqual(self.server.get("/v3/events", key=None).status, 401)
        token = self.server.page(domain)["paging"]["next"].partition("page=")[2]
        for path in (f"/v3/events/{token}", f"/v3/events?page={token}"):
            answer = self.server.get(path)
            self.assertEqual((answer.status, answer.json["message"]), (400, "Invalid page token"))
        self.assertEqual(self.server.get("/v3/events?limit=none").status, 400)
        self.assertEqual(self.server.call("POST", "/v3/events").status, 405)
