"""POST /v1/analytics/logs."""
import email.utils
import json
import time

from harness import Case, event

NOW = int(time.time())
LOGS = "/v1/analytics/logs"


def is_one_of(attribute, *values, comparator="="):
    return {"attribute": attribute, "comparator": comparator, "values": [{"label": v, "value": v} for v in values]}


class Logs(Case):
    def ask(self, server, **body):
        answer = server.call("POST", LOGS, data=body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def walk(self, server, **body):
        """(domain, id) of every item of the pages; the body comes again with each token, as clients do it."""
        page, found = self.ask(server, **body), []
        while page["items"]:
            found += [(item["domain"]["name"], item["id"]) for item in page["items"]]
            pagination = {**body.get("pagination", {}), "token": page["pagination"]["next"]}
            page = self.ask(server, **{**body, "pagination": pagination})
        self.assertEqual(page["pagination"]["next"], "")
        return found

    def test_pages_filters_and_totals(self):
        server = self.start()
        domains = [self.new_domain(server) for _ in range(3)]
        sent = []
        for number in range(30):
            failed = number % 5 == 0
            one = event("failed" if failed else "delivered", id=f"e{number % 10}", timestamp=NOW - 60 + number // 3 + 0.5,
                        recipient=f"r{number % 4}@example.org", tags=[f"t{number % 2}"],
                        **({"severity": "permanent"} if failed else {}))
            domain = domains[number // 10]
            self.assertEqual(server.ingest(domain, one).json["stored"], 1)
            sent.append((domain, one))
        everything = [(domain, one["id"]) for domain, one in sent]

        def those(wanted):
            return [(domain, one["id"]) for domain, one in sent if wanted(domain, one)]

        for again in (False, True):
            if again:
                server.kill()
                server.start()
            up = {"pagination": {"sort": "timestamp:asc", "limit": 7}}
            self.assertEqual(self.walk(server, **up), everything)
            self.assertEqual(self.walk(server, pagination={"limit": 7}), everything[::-1])
            self.assertEqual(self.walk(server, events=["failed"], **up), those(lambda _, one: one["event"] == "failed"))
            self.assertEqual(self.walk(server, filter={"AND": [is_one_of("recipient", "R1@example.org", "r2@example.org"),
                                                               is_one_of("domain", domains[1])]}, **up),
                             those(lambda domain, one: domain == domains[1] and one["recipient"][1] in "12"))
            self.assertEqual(self.walk(server, metric_events=["permanent_failed"],
                                       filter={"AND": [is_one_of("tag", "t1", comparator="!=")]}, **up),
                             those(lambda _, one: one["event"] == "failed" and one["tags"] == ["t0"]))
        page = self.ask(server, include_totals=True)
        self.assertEqual(page["pagination"]["total"], 30)
        self.assertEqual(page["aggregates"], {"all": 30, "metrics": {"delivered": 24, "failed": 6}})
        page = self.ask(server, include_totals=True, pagination={"limit": 7})
        self.assertNotIn("total", page["pagination"])
        self.assertEqual(page["aggregates"], {})


class Calls(Case):
    settings = ()

    def test_an_item(self):
        domain = self.new_domain()
        self.server.ingest(domain, event(id="a", timestamp=NOW - 5 + 0.33, **{"user-variables": {"k": "v"}},
                                         storage={"key": "k", "url": "https://s.example/1"}))
        start, end = (email.utils.formatdate(when) for when in (NOW - 60, NOW))
        page = self.server.call("POST", LOGS, data={"start": start, "end": end,
                                                    "filter": {"AND": [is_one_of("domain", domain)]}}).json
        item, = page["items"]
        self.assertNotIn("timestamp", item)
        self.assertRegex(item["@timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.330Z$")
        self.assertEqual(json.loads(item["user-variables"]), {"k": "v"})
        self.assertEqual(item["storage"]["url"], ["https://s.example/1"])
        self.assertEqual(item["account"]["parent-id"], "")
        self.assertEqual(item["domain"]["name"], domain)
        self.assertFalse(item["flags"]["is-test-mode"])
        self.assertEqual(email.utils.parsedate_to_datetime(page["start"]).timestamp(), NOW - 60)

    def test_bad_input(self):
        for body, message in (
                (b"[", "invalid json"),
                (b'{"starts":""}', "starts: is not known here"),
                (b'{"start":"2026-03-11"}', "start: must be an RFC 2822 date"),
                (b'{"duration":"1m"}', "duration: must be a number of hours or days"),
                (b'{"events":["unique_opened"]}', 'events: "unique_opened" needs counts'),
                (b'{"metric_events":["unique_opened"]}', 'metric_events: "unique_opened" cannot be told'),
                (b'{"filter":{"AND":[{"attribute":"tag","values":[]}]}}', "filter.AND[0].comparator: is missing"),
                (b'{"pagination":{"token":"x"}}', "Invalid page token")):
            answer = self.server.call("POST", LOGS, body=body, headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status, 400, answer)
            self.assertTrue(answer.json["message"].startswith(message), answer.json)
        self.assertEqual(self.server.call("GET", LOGS).status, 405)

    def test_strangers(self):
        for key in ("wrong", None):
            self.assertEqual(self.server.call("POST", LOGS, data={}, key=key).status, 401)
