"""POST /v3/{domain}/events: forms of the body, what is refused and alone, ids, and the bytes that come out again."""
import gzip
import json
import threading
import time

from harness import Case, event, eventually, head
from receiver import Receiver

GOOD = '{"event":"opened","id":"good-%d"}'


class Ingest(Case):
    settings = ()

    def setUp(self):
        self.domain = self.new_domain()

    def post(self, body, query="", **headers):
        """`body`: str or bytes, sent as they are. Header names: underscores for hyphens."""
        headers = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        body = body.encode() if isinstance(body, str) else body
        return self.server.call("POST", f"/v3/{self.domain}/events{query}", body=body, headers=headers)

    def stored_ids(self):
        return {item["id"] for item in self.server.poll(self.domain, "?limit=300")}

    def assert_stored(self, answer, *ids):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json, {"stored": len(ids), "duplicates": 0, "conflicts": 0, "not_pushed": 0,
                                       "rejected": [], "ids": list(ids)})
        self.assertLessEqual(set(ids), self.stored_ids())

    def test_one_object(self):
        self.assert_stored(self.post('{"event":"opened","id":"a"}'), "a")

    def test_array(self):
        self.assert_stored(self.post(' [ {"event":"opened","id":"a"} ,\n{"event":"clicked","id":"b"} ] '), "a", "b")

    def test_ndjson(self):
        lines = '{"event":"opened","id":"a"}\r\n\n{"event":"clicked","id":"b"}\n'
        self.assert_stored(self.post(lines, Content_Type="application/x-ndjson"), "a", "b")

    def test_ndjson_needs_no_content_type(self):
        self.assert_stored(self.post('{"event":"opened","id":"a"}\n{"event":"clicked","id":"b"}'), "a", "b")

    def test_gzip(self):
        body = gzip.compress(b'[{"event":"opened","id":"a"}]')
        self.assert_stored(self.post(body, Content_Encoding="gzip"), "a")

    def test_nothing_to_store(self):
        self.assert_stored(self.post("[]"))

    def test_nothing_that_could_be_read(self):
        for body in ("", "   ", "hello", "42", "null", '"text"', "\xff\xfe", "]"):
            with self.subTest(body):
                answer = self.post(body)
                self.assertEqual(answer.status, 400, answer)
                self.assertIn("message", answer.json)

    def test_missing_id_and_timestamp_are_filled_in(self):
        before = time.time()
        answer = self.post('{"event":"opened"}')
        self.assertEqual(answer.status, 200, answer)
        (item,) = self.server.poll(self.domain)
        self.assertEqual([item["id"]], answer.json["ids"])
        self.assertRegex(item["id"], r"^[A-Za-z0-9_-]{22}$")
        self.assertTrue(before - 1 <= item["timestamp"] <= time.time() + 1, item)

    def test_same_id_again_is_a_duplicate(self):
        item = json.dumps(event(id="same"))
        self.assert_stored(self.post(item), "same")
        again = self.post(f"[{item},{item}]")
        self.assertEqual(again.status, 200)
        self.assertEqual((again.json["stored"], again.json["duplicates"], again.json["conflicts"]), (0, 2, 0))
        self.assertEqual(len(self.server.poll(self.domain)), 1)

    def test_same_id_within_a_batch_and_in_another_domain(self):
        item = json.dumps(event(id="same"))
        answer = self.post(f"[{item},{item}]")
        self.assertEqual((answer.json["stored"], answer.json["duplicates"]), (1, 1))
        other = self.new_domain()
        self.assertEqual(self.server.ingest(other, event(id="same")).json["stored"], 1)

    def test_conflicting_duplicate_changes_nothing(self):
        stamp = round(time.time(), 6)
        self.assert_stored(self.post(json.dumps(event(id="same", timestamp=stamp, recipient="first@inbox.example"))),
                           "same")
        before = self.server.metric("eventhorn_conflicting_total")
        answer = self.post(json.dumps(event(id="same", timestamp=stamp, recipient="second@inbox.example")))
        self.assertEqual((answer.status, answer.json["stored"], answer.json["duplicates"], answer.json["conflicts"]),
                         (200, 0, 1, 1))
        self.assertEqual(self.server.metric("eventhorn_conflicting_total"), before + 1)
        self.assertEqual(self.server.poll(self.domain)[0]["recipient"], "first@inbox.example")

    def test_one_id_for_all_events_of_a_message(self):
        """As KumoMTA's log records have it: the answer tells that two events are not stored."""
        life = [event(kind, id="message-1") for kind in ("accepted", "failed", "delivered")]
        answer = self.post(json.dumps(life)).json
        self.assertEqual((answer["stored"], answer["duplicates"], answer["conflicts"]), (1, 2, 2))

    def test_the_same_event_a_hundred_times_at_once(self):
        """L8: one is stored, the others are duplicates."""
        item = event(id="same")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.server.ingest(self.domain, item).json))
                   for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), 100)
        self.assertEqual(sum(a["stored"] for a in answers), 1)
        self.assertEqual(sum(a["duplicates"] for a in answers), 99)
        self.assertEqual(len(self.server.poll(self.domain)), 1)

    def refused_items(self):
        """(what is wrong, the item's bytes)."""
        now = time.time()
        deep = b'{"event":"opened","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
        yield "depth 10 000", deep
        yield "invalid UTF-8", b'{"event":"opened","x":"\xff"}'
        yield "overlong UTF-8", b'{"event":"opened","x":"\xc0\xaf"}'
        yield "UTF-8 surrogate", b'{"event":"opened","x":"\xed\xa0\x80"}'
        yield "lone surrogate", b'{"event":"opened","x":"\\ud800"}'
        yield "lone low surrogate", b'{"event":"opened","x":"\\udc00x"}'
        yield "NaN", b'{"event":"opened","x":NaN}'
        yield "Infinity", b'{"event":"opened","x":-Infinity}'
        yield "not finite", b'{"event":"opened","x":1e999}'
        yield "not finite inside", b'{"event":"opened","x":{"y":[1e999]}}'
        yield "integer over a double", b'{"event":"opened","x":' + b"9" * 310 + b"}"
        yield "integer over int64 in a number's place", (b'{"event":"delivered","delivery-status":'
                                                         b'{"session-seconds":18446744073709551615}}')
        yield "severity that is none", b'{"event":"delivered","severity":"none"}'
        yield "duplicate key", b'{"event":"opened","id":"a1","x":1,"x":1}'
        yield "duplicate key, escaped", b'{"event":"opened","\\u0065vent":"opened"}'
        yield "control character", b'{"event":"opened","x":"\x01"}'
        yield "trailing comma", b'{"event":"opened",}'
        yield "leading zero", b'{"event":"opened","x":01}'
        yield "no quotes", b"{event:opened}"
        yield "comment", b'{"event":"opened"/**/}'
        yield "number", b"17"
        yield "null", b"null"
        yield "no event", b'{"id":"b1"}'
        yield "unknown event", b'{"event":"blown-up"}'
        yield "event in capitals", b'{"event":"Opened"}'
        yield "event is a number", b'{"event":4}'
        yield "failed without severity", b'{"event":"failed"}'
        yield "severity unknown", b'{"event":"failed","severity":"fatal"}'
        yield "id is a number", b'{"event":"opened","id":5}'
        yield "id empty", b'{"event":"opened","id":""}'
        yield "id over 128 bytes", b'{"event":"opened","id":"' + b"x" * 129 + b'"}'
        yield "id not printable", b'{"event":"opened","id":"a\\n"}'
        yield "id not ASCII", '{"event":"opened","id":"é"}'.encode()
        yield "timestamp text", b'{"event":"opened","timestamp":"now"}'
        yield "before 2000", b'{"event":"opened","timestamp":946684799.9}'
        yield "negative", b'{"event":"opened","timestamp":-1}'
        yield "milliseconds", b'{"event":"opened","timestamp":%d}' % (now * 1000)
        yield "over five minutes ahead", b'{"event":"opened","timestamp":%d}' % (now + 330)
        yield "recipient is a number", b'{"event":"opened","recipient":7}'
        yield "tags is text", b'{"event":"opened","tags":"news"}'
        yield "tags holds numbers", b'{"event":"opened","tags":[1]}'
        yield "code is text", b'{"event":"delivered","delivery-status":{"code":"250"}}'
        yield "code with a fraction", b'{"event":"delivered","delivery-status":{"code":250.5}}'
        yield "size negative zero point", b'{"event":"accepted","message":{"size":1.5}}'
        yield "message is a list", b'{"event":"opened","message":[1]}'
        yield "too large", b'{"event":"opened","x":"' + b"x" * (1 << 20) + b'"}'

    def test_refused_alone(self):
        """L7: a poison event is refused once, named with its rule."""
        for what, item in self.refused_items():
            with self.subTest(what):
                answer = self.post(item)
                self.assertIn(answer.status, (400, 413), answer)
                self.assertTrue(answer.json["message"])
        self.assertEqual(self.stored_ids(), set())

    def test_batch_mates_of_what_is_refused_are_stored(self):
        """L7: it never blocks its batch-mates."""
        for n, (what, item) in enumerate(self.refused_items()):
            with self.subTest(what):
                mates = [(GOOD % (3 * n + k)).encode() for k in range(3)]
                answer = self.post(b"[" + b",".join([mates[0], item, mates[1], mates[2]]) + b"]")
                self.assertEqual(answer.status, 200, answer)
                self.assertEqual(answer.json["stored"], 3, answer)
                (rejected,) = answer.json["rejected"]
                self.assertEqual(rejected["index"], 1)
                self.assertEqual(set(rejected), {"index", "id", "message"})
                self.assertRegex(rejected["message"], r"^[^\n]+$")

    def test_broken_lines_of_ndjson_are_refused_alone(self):
        """L7."""
        for broken in ('{"event":"opened"', '{"event":"opened","x":"', "}", "]", '{"a":[}'):
            with self.subTest(broken):
                answer = self.post('{"event":"opened"}\n' + broken + '\n{"event":"clicked"}\n',
                                   Content_Type="application/x-ndjson")
                self.assertEqual((answer.status, answer.json["stored"]), (200, 2), answer)
                self.assertEqual([r["index"] for r in answer.json["rejected"]], [1])

    def test_the_refusal_names_the_id(self):
        answer = self.post('[{"event":"opened"},{"id":"bad-one","event":"blown-up"}]')
        self.assertEqual([r["id"] for r in answer.json["rejected"]], ["bad-one"])

    def test_all_refused(self):
        answer = self.post('[{"event":"blown-up"},{"event":7}]')
        self.assertEqual(answer.status, 400, answer)
        self.assertEqual([r["index"] for r in answer.json["rejected"]], [0, 1])
        self.assertEqual((answer.json["stored"], answer.json["ids"]), (0, []))

    def test_25_megabytes(self):
        """L7."""
        body = b'[{"event":"opened","id":"mate"},{"event":"opened","x":"' + b"x" * (25 << 20) + b'"}]'
        received = self.server.raw(head(self.server, "POST", f"/v3/{self.domain}/events",
                                        f"Content-Length: {len(body)}") + body)
        self.assertTrue(received.startswith(b"HTTP/1.1 413 "), received[:300])
        body = b'[{"event":"opened","id":"mate"},{"event":"opened","x":"' + b"x" * (24 << 20) + b'"}]'
        answer = self.post(body)
        self.assertEqual((answer.status, answer.json["stored"]), (200, 1), answer)

    def test_too_many_items(self):
        answer = self.post("[" + ",".join(['{"event":"opened"}'] * 10_001) + "]")
        self.assertEqual(answer.status, 413, answer)
        self.assertEqual(self.stored_ids(), set())

    def test_domains(self):
        for name, statuses in (("unknown.example.org", {404}), ("nodots", {400, 404}), ("-x.example.org", {400, 404}),
                               ("a..b", {400, 404}), ("x" * 64 + ".example.org", {400, 404}),
                               ("%00.example.org", {400, 404})):
            answer = self.server.ingest(name, event())
            self.assertIn(answer.status, statuses, name)
            self.assertIn("message", answer.json)
        self.assert_message(self.server.ingest("unknown.example.org", event()), 404, "Domain not found")

    def test_domain_names_have_no_case(self):
        self.assertEqual(self.server.ingest(self.domain.upper(), event(id="upper")).json["ids"], ["upper"])
        self.assertEqual(self.stored_ids(), {"upper"})

    def test_forms_are_no_events(self):
        answer = self.server.call("POST", f"/v3/{self.domain}/events", fields=[("event", "opened")])
        self.assertIn(answer.status, (400, 415), answer)

    def test_what_comes_out(self):
        """The ten rules that break clients: normalised once, unknown fields as they came."""
        item = ('{ "event" : "delivered", "id":"out", "timestamp": 1773222314,'
                ' "future-field": {"a": [1.50, 1e2, "\\u00e9"]},'
                ' "user-variables": [], "tags": null, "delivery-status": {"code": 250.0, "attempt-no": 1},'
                ' "message": {"headers": {"message-id": "<m@x>"}, "size": 10}, "account": {"id": "forged"},'
                ' "domain": {"name": "forged.example.org"}}')
        self.assertEqual(self.post(item, "?deliver=no").json["stored"], 1)
        body = self.server.get(f"/v3/{self.domain}/events?pretty=no").body.decode()
        (out,) = json.loads(body)["items"]
        self.assertRegex(body, r'"timestamp":1773222314\.(?!000000)[0-9]{6}[,}]')
        self.assertEqual(out["domain"], {"name": self.domain})
        self.assertRegex(out["account"]["id"], r"^[0-9a-f]{24}$")
        self.assertEqual((out["tags"], out["campaigns"], out["user-variables"]), ([], [], {}))
        self.assertEqual(out["message"]["headers"]["message-id"], "m@x")
        self.assertIn('"code":250,', body)
        self.assertIn('"future-field":{"a":[1.50,1e2,"\\u00e9"]}', body)
        self.assertEqual(out["log-level"], "info")

    def test_large_numbers_keep_their_digits(self):
        variables = '{"order":18446744073709551615,"n":[-123456789012345678901234567890]}'
        answer = self.post('{"event":"opened","id":"large","user-variables":%s}' % variables)
        self.assertEqual(answer.json["stored"], 1, answer)
        self.assertIn(f'"user-variables":{variables}', self.server.get(f"/v3/{self.domain}/events?pretty=no").body.decode())

    def test_fields_that_clients_type_each_in_its_own_way(self):
        items = [event(id="a", campaigns=["spring"]), event(id="b", campaigns=[{"id": "x"}]),
                 event("list_member_uploaded", id="c", member={"address": "a@b.c", "vars": {"k": "v"}})]
        self.assertEqual(self.server.ingest(self.domain, items).json["stored"], 3)
        out = {item["id"]: item for item in self.server.poll(self.domain)}
        self.assertEqual([out[name]["campaigns"] for name in "abc"], [[], [], []])
        self.assertEqual(out["c"]["member"], {"address": "a@b.c", "vars": None})

    def test_normalising_twice_changes_nothing(self):
        self.post(json.dumps(event(id="twice")))
        out = self.server.get(f"/v3/{self.domain}/events?pretty=no").body.decode()
        item = out[len('{"items":['):out.index('],"paging"')]
        before = self.server.metric("eventhorn_conflicting_total")
        self.assertEqual(self.post(item).json["duplicates"], 1)
        self.assertEqual(self.server.metric("eventhorn_conflicting_total"), before)

    def test_unauthenticated(self):
        answer = self.server.call("POST", f"/v3/{self.domain}/events", data=event(), key=None)
        self.assertEqual((answer.status, answer.body.strip()), (401, b"Forbidden"))

    def test_concurrent_producers(self):
        """Every acknowledged event is visible at once to the producer that was answered."""
        problems = []

        def produce(n):
            for k in range(20):
                item = event(id=f"p{n}-{k}", recipient=f"p{n}-{k}@inbox.example")
                if self.server.ingest(self.domain, item).json["stored"] != 1:
                    problems.append(item)
                if not self.server.page(self.domain, f"?recipient={item['recipient']}")["items"]:
                    problems.append(("not visible", item))

        threads = [threading.Thread(target=produce, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        self.assertEqual(len(self.stored_ids()), 160)


class OldEvents(Case):
    settings = ("delivery.allow_networks=127.0.0.0/8",)

    def test_old_events_are_stored_and_pushed_only_when_asked(self):
        """Reading an old log again never re-sends (C10)."""
        receiver = Receiver()
        self.addCleanup(receiver.close)
        domain = self.new_domain()
        self.server.hook(domain, "delivered", receiver.url())
        old = time.time() - 60 * 86400
        quiet = event(id="quiet", timestamp=old)
        for n, items in enumerate(([quiet, event(id="first")], [quiet])):
            answer = self.server.ingest(domain, items).json
            self.assertEqual((answer["not_pushed"], answer["duplicates"]), (1 - n, n), answer)
        for flag in ("yes", "TRUE", "1", "On"):
            answer = self.server.ingest(domain, event(id=f"asked-{flag}", timestamp=old), f"?deliver={flag}").json
            self.assertEqual((answer["stored"], answer["not_pushed"]), (1, 0), answer)
        for bad in ("deliver=maybe", "deliver=%zz"):
            answer = self.server.ingest(domain, event(id="bad", timestamp=old), f"?{bad}")
            self.assertEqual(answer.status, 400, answer)
        self.assertEqual(self.server.ingest(domain, event(id="new")).json["stored"], 1)
        receiver.wait(6)
        eventually(lambda: self.server.metric("eventhorn_deliveries_in_flight") == 0, "no delivery under way")
        pushed = {"first", "new", "asked-yes", "asked-TRUE", "asked-1", "asked-On"}
        self.assertEqual(set(receiver.ids()), pushed)
        self.assertEqual(receiver.faults, [])
        self.assertEqual({item["id"] for item in self.server.poll(domain)}, pushed | {"quiet"})


class Ahead(Case):
    settings = ("events.max_ahead=2h",)

    def test_how_far_ahead_is_a_setting(self):
        domain = self.new_domain()
        self.assertEqual(self.server.ingest(domain, event(timestamp=time.time() + 7000)).json["stored"], 1)
        answer = self.server.ingest(domain, event(timestamp=time.time() + 7300))
        self.assert_message(answer, 400, "no item could be accepted: "
                            "timestamp: further in the future than events.max_ahead allows")


class AutoCreate(Case):
    settings = ("domains.auto_create=true",)

    def test_unknown_domains_are_created(self):
        self.assertEqual(self.server.ingest("fresh.example.org", event()).status, 200)
        self.assertEqual(self.server.get("/v3/domains/fresh.example.org").status, 200)

    def test_names_that_are_no_domains_are_refused(self):
        for body in (b"garbage", b"[", b'[{"event":"blown-up"}]', b""):
            answer = self.server.call("POST", "/v3/typo.example.org/events", body=body)
            self.assertIn(answer.status, (400, 404), body)
        self.assertEqual(self.server.ingest("typo.example.org", event(), "?deliver=maybe").status, 400)
        for name in ("nodots", "-x.example.org", "a..b", "x" * 64 + ".example.org", "under_score!.example.org"):
            self.assertIn(self.server.ingest(name, event()).status, (400, 404), name)
        self.assertEqual(self.server.get("/v3/domains").json["total_count"], 0)
