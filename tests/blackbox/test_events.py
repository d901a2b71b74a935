"""The Events API: pages to the end both ways, ranges and directions, filters, tokens, polling."""
import concurrent.futures
import email.utils
import time
import urllib.parse

from harness import Case, event

NOW = int(time.time())
PAGING = ("next", "previous", "first", "last")


def query(**parameters):
    """?name=value&...; underscores in names stand for hyphens."""
    return "?" + urllib.parse.urlencode({name.rstrip("_").replace("_", "-"): v for name, v in parameters.items()},
                                        doseq=True)


class Events(Case):
    settings = ("server.allowed_hosts=events.example.org",)

    def setUp(self):
        self.domain = self.new_domain()

    def fill(self, count, **fields):
        """`count` events e000, e001, ... a second apart, the newest 60 s old."""
        events = [event("delivered", id=f"e{n:03}", timestamp=NOW - 60 - count + n + 0.5, **fields)
                  for n in range(count)]
        self.assertEqual(self.server.ingest(self.domain, events).json["stored"], count)
        return [e["id"] for e in events]

    def ids(self, text=""):
        return [item["id"] for item in self.server.poll(self.domain, text)]

    def follow(self, page, name):
        return self.server.get(page["paging"][name]).json

    @staticmethod
    def ids_of(page):
        return [item["id"] for item in page["items"]]


class Paging(Events):
    def test_an_empty_domain(self):
        """Always 200, always four absolute URLs."""
        page = self.server.page(self.domain)
        self.assertEqual(page["items"], [])
        for name in PAGING:
            self.assertTrue(page["paging"][name].startswith(f"{self.server.base}/v3/{self.domain}/events/"), page)
            self.assertEqual(self.follow(page, name)["items"], [])

    def test_without_parameters_the_newest_come_first(self):
        ids = self.fill(5)
        self.assertEqual(self.ids_of(self.server.page(self.domain)), ids[::-1])

    def test_a_hundred_by_default(self):
        ids = self.fill(120)
        self.assertEqual(self.ids_of(self.server.page(self.domain)), ids[:19:-1])

    def test_limits(self):
        self.fill(320)
        self.assertEqual(len(self.server.page(self.domain, "?limit=300")["items"]), 300)
        self.assertEqual(len(self.server.page(self.domain, "?limit=1000")["items"]), 300)
        self.assertEqual(len(self.server.page(self.domain, "?limit=1")["items"]), 1)
        for bad in ("0", "-1", "x"):
            self.assertEqual(self.server.get(f"/v3/{self.domain}/events?limit={bad}").status, 400, bad)

    def test_to_the_end_both_ways(self):
        ids = self.fill(25)
        for ascending, expected in (("yes", ids), ("no", ids[::-1])):
            text = query(begin=NOW - 3600 if ascending == "yes" else NOW, ascending=ascending, limit=7)
            self.assertEqual(self.ids(text), expected)

    def test_there_and_back(self):
        ids = self.fill(25)
        page = self.server.page(self.domain, query(begin=NOW - 3600, ascending="yes", limit=10))
        self.assertEqual(self.ids_of(page), ids[:10])
        second = self.follow(page, "next")
        self.assertEqual(self.ids_of(second), ids[10:20])
        third = self.follow(second, "next")
        self.assertEqual(self.ids_of(third), ids[20:])
        end = self.follow(third, "next")
        self.assertEqual(end["items"], [])
        self.assertEqual(self.ids_of(self.follow(end, "previous")), ids[15:])
        self.assertEqual(self.ids_of(self.follow(third, "previous")), ids[10:20])
        self.assertEqual(self.ids_of(self.follow(second, "previous")), ids[:10])
        self.assertEqual(self.follow(page, "previous")["items"], [])

    def test_first_and_last(self):
        ids = self.fill(25)
        page = self.follow(self.server.page(self.domain, query(begin=NOW - 3600, ascending="yes", limit=10)), "next")
        self.assertEqual(self.ids_of(self.follow(page, "first")), ids[:10])
        last = self.follow(page, "last")
        self.assertEqual(self.ids_of(last), ids[15:])
        self.assertEqual(self.ids_of(self.follow(last, "previous")), ids[5:15])
        self.assertEqual(self.follow(last, "next")["items"], [])

    def test_the_same_token_gives_the_same_page(self):
        """L12: stable URLs."""
        self.fill(25)
        url = self.server.page(self.domain, "?limit=10")["paging"]["next"]
        self.assertEqual(self.server.get(url).body, self.server.get(url).body)

    def test_the_token_decides(self):
        """JavaScript sends all parameters again beside the token."""
        ids = self.fill(25)
        url = self.server.page(self.domain, query(begin=NOW - 3600, ascending="yes", limit=5))["paging"]["next"]
        path = urllib.parse.urlsplit(url).path
        page = self.server.get(f"{path}?limit=300&ascending=no&event=opened&begin=0").json
        self.assertEqual(self.ids_of(page), ids[5:10])

    def test_token_in_the_query(self):
        """Python keeps only the query of `next`, Java sends the rest of the URL as one escaped segment."""
        ids = self.fill(25)
        url = self.server.page(self.domain, query(begin=NOW - 3600, ascending="yes", limit=5))["paging"]["next"]
        token = urllib.parse.urlsplit(url).path.rpartition("/")[2]
        self.assertRegex(token, r"^[A-Za-z0-9_-]+$")
        self.assertEqual(self.ids_of(self.server.page(self.domain, f"?page={token}&limit=2")), ids[5:10])
        rest = url.partition("/events/")[2]
        escaped = self.server.get(f"/v3/{self.domain}/events/{urllib.parse.quote(rest, safe='')}")
        self.assertEqual(self.ids_of(escaped.json), ids[5:10])

    def test_the_base_follows_the_host(self):
        self.fill(1)
        for host in (f"localhost:{self.server.port}", "events.example.org", "events.example.org:8480"):
            page = self.server.page(self.domain, headers={"Host": host})
            for name in PAGING:
                self.assertTrue(page["paging"][name].startswith(f"http://{host}/v3/{self.domain}/events/"),
                                page["paging"])

    def test_tampered_tokens(self):
        """A2: nobody writes a token of his own."""
        self.fill(3)
        url = self.server.page(self.domain)["paging"]["next"]
        token = urllib.parse.urlsplit(url).path.rpartition("/")[2]
        base = f"/v3/{self.domain}/events/"
        for n in range(0, len(token), max(1, len(token) // 20)):
            bad = token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1:]
            self.assertEqual(self.server.get(base + bad).status, 400, bad)
        for bad in (token[:-1], token + "A", token[1:], "x", "a" * 5000, "%ff", token + "%00"):
            answer = self.server.get(base + bad)
            self.assertIn(answer.status, (400, 404), bad)
            self.assertIn("message", answer.json)

    def test_tokens_of_another_domain(self):
        """A2."""
        self.fill(3)
        url = self.server.page(self.domain)["paging"]["next"]
        other = self.new_domain()
        self.assertEqual(self.server.get(url.replace(self.domain, other)).status, 400)

    def test_events_of_the_same_time(self):
        """Sorted by (timestamp, id)."""
        events = [event(id=f"same-{n:02}", timestamp=NOW - 100.25) for n in range(20)]
        self.server.ingest(self.domain, events[::-1])
        ids = [e["id"] for e in events]
        self.assertEqual(self.ids(query(begin=NOW - 3600, ascending="yes", limit=3)), ids)
        self.assertEqual(self.ids("?limit=3"), ids[::-1])

    def test_events_of_other_domains(self):
        self.fill(3)
        other = self.new_domain()
        self.server.ingest(other, event(id="foreign"))
        self.assertNotIn("foreign", self.ids())
        self.assertEqual([item["id"] for item in self.server.poll(other)], ["foreign"])


class Form(Events):
    def test_pretty(self):
        self.fill(1)
        for text in ("", "?pretty=yes", "?pretty=true"):
            body = self.server.get(f"/v3/{self.domain}/events{text}").body.decode()
            self.assertTrue(body.startswith('{\n  "items": [\n    {\n'), body[:100])
        for text in ("?pretty=no", "?pretty=False"):
            body = self.server.get(f"/v3/{self.domain}/events{text}").body.decode()
            self.assertTrue(body.startswith('{"items":[{"event":"delivered"'), body[:100])

    def test_pretty_goes_with_the_token(self):
        self.fill(3)
        page = self.server.page(self.domain, "?pretty=no&limit=1")
        self.assertNotIn(b"\n  ", self.server.get(page["paging"]["next"]).body)

    def test_both_forms_say_the_same(self):
        self.fill(3, subject="pretty { \"printing\" }, [of]: text")
        pretty = self.server.page(self.domain)
        self.assertEqual(pretty["items"], self.server.page(self.domain, "?pretty=no")["items"])

    def test_content_type(self):
        answer = self.server.get(f"/v3/{self.domain}/events")
        self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")

    def test_every_kind_of_event(self):
        kinds = ["accepted", "rejected", "delivered", "failed", "opened", "clicked", "unsubscribed", "complained",
                 "stored", "list_member_uploaded", "list_member_upload_error", "list_uploaded"]
        self.server.ingest(self.domain, [event(kind, id=kind) for kind in kinds])
        self.assertEqual(set(self.ids()), set(kinds))
        for kind in kinds:
            self.assertEqual(self.ids(f"?event={kind}"), [kind])

    def test_unknown_domain_and_no_key(self):
        self.assert_message(self.server.get("/v3/unknown.example.org/events"), 404, "Domain not found")
        answer = self.server.get(f"/v3/{self.domain}/events", key=None)
        self.assertEqual((answer.status, answer.body.strip()), (401, b"Forbidden"))


class Ranges(Events):
    def setUp(self):
        super().setUp()
        self.all = self.fill(10)
        self.first = NOW - 70 + 0.5  # the time of e000

    def test_directions(self):
        first, last = self.first, self.first + 9
        everything = self.all
        for parameters, expected in (
                ({"begin": last, "end": first - 1}, everything[::-1]),
                ({"begin": first, "end": last + 1}, everything),
                ({"begin": first, "end": last + 1, "ascending": "yes"}, everything),
                ({"begin": first, "ascending": "yes"}, everything),
                ({"begin": first, "ascending": "True"}, everything),
                ({"begin": last, "ascending": "no"}, everything[::-1]),
                ({"begin": last}, everything[::-1]),
                ({"end": first + 4}, everything[:4:-1]),
                ({"begin": first + 2, "end": first + 5}, everything[2:5]),  # [begin, end)
                ({"begin": first + 5, "end": first + 2}, everything[5:2:-1]),  # (end, begin]
                ({}, everything[::-1])):
            with self.subTest(parameters):
                self.assertEqual(self.ids(query(**parameters)), expected)

    def test_dates(self):
        second = int(self.first)  # e000 is half a second later
        for text in (str(second), f"{second}.0", f"{second}.000000", email.utils.formatdate(second),
                     email.utils.formatdate(second, usegmt=True),
                     email.utils.formatdate(second).replace("-0000", "UTC"),
                     time.strftime("%a, %-d %b %Y %H:%M:%S +0000", time.gmtime(second)),
                     time.strftime("%a, %d %b %Y %H:%M:%S +0200", time.gmtime(second + 7200)),
                     time.strftime("%d %b %Y %H:%M:%S -0130", time.gmtime(second - 5400))):
            with self.subTest(text):
                self.assertEqual(self.ids(query(begin=text, ascending="yes")), self.all)
                self.assertEqual(self.ids(query(begin=second - 5, end=text)), [])

    def test_bad_dates(self):
        for text in ("yesterday", "2015-11-13", "Fri, 32 Nov 2015 15:11:49 UTC", "1e400", "-1", "99999999999999", "NaN",
                     "12:00"):
            for name in ("begin", "end"):
                answer = self.server.get(f"/v3/{self.domain}/events{query(**{name: text})}")
                self.assertEqual(answer.status, 400, (text, answer))
                self.assertIn("Invalid date", answer.json["message"])

    def test_inconsistent_ranges(self):
        """The message of the real service, from a public report."""
        date = "Fri, 13 Nov 2015 15:11:49 UTC"
        answer = self.server.get(f"/v3/{self.domain}/events{query(begin=date, end=date, ascending='yes')}")
        self.assert_message(answer, 400,
                            "Inconsistent range: begin=2015-11-13 15:11:49+00:00, end=2015-11-13 15:11:49+00:00, "
                                         "ascending=True")
        for begin, end, ascending in ((NOW - 60, NOW, "no"), (NOW, NOW - 60, "yes"), (NOW, NOW, "no")):
            answer = self.server.get(f"/v3/{self.domain}/events{query(begin=begin, end=end, ascending=ascending)}")
            self.assertEqual(answer.status, 400, (begin, end, ascending))
            self.assertTrue(answer.json["message"].startswith("Inconsistent range: begin="), answer)

    def test_ascending_is_a_flag(self):
        self.assertEqual(self.server.get(f"/v3/{self.domain}/events?ascending=maybe").status, 400)

    def test_polling_sees_what_arrives_later(self):
        """The open end: the last `next` stays good, and a late event is inserted where it belongs."""
        page = self.server.page(self.domain, query(begin=self.first, ascending="yes", limit=300))
        self.assertEqual(self.ids_of(page), self.all)
        url = page["paging"]["next"]
        self.assertEqual(self.server.get(url).json["items"], [])
        self.server.ingest(self.domain, event(id="fresh", timestamp=time.time()))
        self.assertEqual(self.ids_of(self.server.get(url).json), ["fresh"])
        late = event(id="late", timestamp=self.first + 4.25)
        self.server.ingest(self.domain, late)
        self.assertEqual(self.ids(query(begin=self.first, ascending="yes")),
                         self.all[:5] + ["late"] + self.all[5:] + ["fresh"])
        self.assertEqual(self.ids_of(self.server.get(url).json), ["fresh"])

    def test_an_empty_page_shows_events_when_asked_again(self):
        """Go's poller asks for the same URL until there is something."""
        domain = self.new_domain()
        page = self.server.page(domain, query(begin=NOW - 1800, ascending="yes"))
        url = page["paging"]["next"]
        self.assertEqual(self.server.get(url).json["items"], [])
        self.server.ingest(domain, event(id="fresh", timestamp=time.time()))
        self.assertEqual(self.ids_of(self.server.get(url).json), ["fresh"])

    def test_a_page_with_room_takes_late_events(self):
        """Asked again, the same page has what arrived in its range."""
        url = self.server.page(self.domain, query(begin=self.first, end=self.first + 60, limit=3))["paging"]["first"]
        self.assertEqual(self.ids_of(self.server.get(url).json), self.all[:3])
        self.server.ingest(self.domain, event(id="late", timestamp=self.first + 0.25))
        self.assertEqual(self.ids_of(self.server.get(url).json), [self.all[0], "late", self.all[1]])


class Filters(Events):
    """All tests look at one set of events."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = cls.server.add_domain("filters.example.org")

        def message(sender, subject, size=5000, files=()):
            return {"headers": {"from": sender, "to": "Ann <ann@a.example>", "subject": subject,
                                "message-id": "id-1@a.example"},
                    "attachments": [{"filename": f, "content-type": "x/y", "size": 1} for f in files], "size": size,
                    "recipients": ["ann@a.example", "bo@b.example"]}

        bob, carol = "Bob <bob@b.example>", "Carol <carol@c.example>"
        cls.events = [
            event("accepted", id="a", message=message(bob, "Hello Monica"), recipient="ann@a.example",
                  tags=["news", "welcome"]),
            event("delivered", id="b", message=message(carol, "Hello Rachel", 15000), recipient="bo@b.example",
                  tags=["news"]),
            event("failed", id="c", message=message(bob, "Farewell Monica", 25000), recipient="ann@a.example",
                  severity="permanent"),
            event("failed", id="d", message=message(carol, "Farewell Rachel"), recipient="ann@a.example",
                  severity="temporary"),
            event("rejected", id="e", message=message(bob, "Big deal", files=["report.pdf"]), tags=["welcome back"],
                  recipient="cy@c.example"),
            event("stored", id="f", message={**message(bob, "Stored"), "headers": {"message-id": "id-2@a.example"}},
                  mailing_list={"address": "list@l.example"}, recipient="cy@c.example"),
        ]
        assert cls.server.ingest(cls.shared, cls.events).json["stored"] == 6

    def assert_found(self, expected, **parameters):
        found = self.server.poll(self.shared, query(**parameters))
        self.assertEqual("".join(sorted(item["id"] for item in found)), expected, parameters)

    def test_one_field(self):
        for expected, parameters in (
                ("cd", {"event": "failed"}), ("c", {"severity": "permanent"}),
                ("acd", {"recipient": "ann@a.example"}), ("acd", {"recipient": '"ann@a.example"'}),
                ("ab", {"tags": "news"}),
                ("a", {"tags": "news AND welcome"}), ("a", {"tags": "welcome"}), ("e", {"attachment": "report.pdf"}),
                ("f", {"list": "list@l.example"}), ("abcde", {"message_id": "id-1@a.example"}),
                ("f", {"message_id": "<id-2@a.example>"}),
                ("abcdef", {"recipients": "bo@b.example"}), ("abcde", {"to": "ann"})):
            with self.subTest(parameters):
                self.assert_found(expected, **parameters)

    def test_operators(self):
        for expected, parameters in (
                ("cde", {"event": "rejected OR failed"}), ("ab", {"subject": "Hello"}),
                ("a", {"subject": "Hello Monica"}), ("a", {"subject": "Hello AND Monica"}),
                ("ac", {"subject": "(Hello AND NOT Rachel) OR (Farewell AND Monica)"}),
                ("abef", {"event": "NOT failed"}), ("abce", {"subject": "NOT rachel OR hello", "event": "NOT stored"}),
                ("d", {"subject": "Rachel AND NOT Hello"}), ("e", {"subject": '"Big deal"'}),
                ("", {"subject": '"deal Big"'}),
                ("abcde", {"from_": "bob OR carol"}), ("bd", {"from_": "carol@c.example"}), ("ace", {"from_": "Bob"})):
            with self.subTest(parameters):
                self.assert_found(expected, **parameters)

    def test_sizes(self):
        for expected, text in (("bc", ">10000"), ("adef", "<10000"), ("b", ">10000 <20000"), ("c", ">=25000"),
                               ("adef", "<=5000"), ("b", "15000"), ("c", "NOT <20000")):
            with self.subTest(text):
                self.assert_found(expected, size=text)

    def test_plus_is_a_space(self):
        found = self.server.poll(self.shared, "?event=rejected+OR+failed&limit=1")
        self.assertEqual(sorted(item["id"] for item in found), ["c", "d", "e"])

    def test_all_fields_must_match(self):
        self.assert_found("c", event="failed", severity="permanent", recipient="ann@a.example")
        self.assert_found("", event="delivered", severity="permanent")
        self.assert_found("a", tags=["news", "welcome"])

    def test_case_and_whole_words(self):
        self.assert_found("ab", subject="hELLO")
        self.assert_found("", subject="Hell")
        self.assert_found("", from_="bo")
        self.assert_found("", recipient="ann")
        self.assert_found("", tags="back")
        self.assert_found("", subject="hello or farewell")
        self.assert_found("cd", event="FAILED")

    def test_any_script(self):
        domain = self.new_domain()
        subjects = {"city": "Grüße aus MÜNCHEN", "sale": "“Spring Sale” – 50 % off… 東京", "plain": "Nothing special"}
        for name, subject in subjects.items():
            item = event(id=name, recipient="josé@inbox.example" if name == "city" else "ann@a.example",
                         message={"headers": {"subject": subject, "from": "a@a.example"}})
            self.assertEqual(self.server.ingest(domain, item).json["stored"], 1)
        for expected, parameters in (
                ({"city"}, {"recipient": "JOSÉ@inbox.example"}), ({"city"}, {"recipient": "jose\u0301@INBOX.example"}),
                ({"city"}, {"subject": "münchen"}), ({"city"}, {"subject": "GRÜSSE"}), (set(), {"subject": "munchen"}),
                ({"sale"}, {"subject": "sale"}), ({"sale"}, {"subject": '"spring sale"'}), ({"sale"}, {"subject": "東京"}),
                ({"sale"}, {"subject": "%"}), ({"sale"}, {"subject": "“"}), (set(), {"subject": "*"}),
                ({"city", "plain"}, {"subject": "NOT –"}), (set(), {"subject": "50 - off"})):
            with self.subTest(parameters):
                found = self.server.poll(domain, query(**parameters))
                self.assertEqual({item["id"] for item in found}, expected)

    def test_lists_may_be_numbered(self):
        """As PHP's http_build_query writes them."""
        for text in ("tags%5B0%5D=news&tags%5B1%5D=welcome", "tags[]=news&tags[]=welcome", "tags=news&tags[3]=welcome"):
            self.assertEqual([item["id"] for item in self.server.poll(self.shared, "?" + text)], ["a"], text)
        for text in ("tags%5Ba%5D=news", "tags[0][0]=news", "recipient[=a", "begin[x]=1"):
            answer = self.server.get(f"/v3/{self.shared}/events?{text}")
            self.assertEqual(answer.status, 400, text)
            self.assertIn("brackets", answer.json["message"])

    def test_events_and_severities_that_do_not_exist_are_named(self):
        for text, part in ((query(event="opened,clicked"), '"opened,clicked" is not one of accepted, rejected, '),
                           (query(event="bounced"), '"bounced" is not one of accepted, '),
                           (query(severity="hard OR permanent"), '"hard" is not one of temporary, permanent')):
            answer = self.server.get(f"/v3/{self.shared}/events{text}")
            self.assertEqual(answer.status, 400, text)
            self.assertIn(part, answer.json["message"])

    def test_empty_and_unknown_parameters_are_ignored(self):
        self.assert_found("abcdef", subject="", nothing="x", domain="other.example.org")

    def test_syntax_errors(self):
        for text in ("(", ")", "a OR", "AND b", '"open', "NOT", "a AND AND b", "((a)", "()", '""'):
            answer = self.server.get(f"/v3/{self.shared}/events{query(subject=text)}")
            self.assertEqual(answer.status, 400, text)
            self.assertIn("message", answer.json)

    def test_bounds(self):
        """L11: an expression can't grow without end."""
        for text in ("(" * 5000 + "a" + ")" * 5000, " OR ".join("a" * 3 for _ in range(3000)), "NOT " * 5000 + "a"):
            answer = self.server.raw(f"GET /v3/{self.shared}/events{query(subject=text)} HTTP/1.1\r\n"
                                     "Host: localhost\r\nConnection: close\r\n\r\n".encode())
            self.assertRegex(answer[:12], rb"HTTP/1.1 4..")
        text = " OR ".join(f"w{n}" for n in range(200))
        self.assertEqual(self.server.get(f"/v3/{self.shared}/events{query(subject=text)}").status, 400)
        text = "(" * 40 + "a" + ")" * 40
        self.assertEqual(self.server.get(f"/v3/{self.shared}/events{query(subject=text)}").status, 400)

    def test_filters_go_with_the_token(self):
        page = self.server.page(self.shared, query(event="failed", limit=1))
        seen = [page["items"][0]["id"]]
        while (page := self.follow(page, "next"))["items"]:
            seen += self.ids_of(page)
        self.assertEqual(sorted(seen), ["c", "d"])


class UnderLoad(Events):
    def test_pages_have_no_gap_and_no_duplicate_while_events_arrive(self):
        """L12: a walk in ascending order sees everything that was there when it began, once."""
        ids = self.fill(2000)
        stop = time.monotonic() + 2

        def produce(n):
            count = 0
            while time.monotonic() < stop:
                batch = [event(id=f"new-{n}-{count + k}", timestamp=time.time()) for k in range(50)]
                assert self.server.ingest(self.domain, batch).json["stored"] == 50
                count += 50
            return count

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            producers = [pool.submit(produce, n) for n in range(2)]
            while not all(p.done() for p in producers):
                walked = self.ids(query(begin=NOW - 3600, end=NOW - 60, limit=300))
                self.assertEqual(walked, ids[:len(walked)])
                self.assertEqual(len(walked), 2000)
            total = sum(p.result() for p in producers)
        self.assertEqual(len(set(self.ids("?limit=300"))), 2000 + total)
