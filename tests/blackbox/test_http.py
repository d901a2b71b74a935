"""The server's HTTP: authentication, methods, framing, limits, and what browsers could be tricked into."""
import gzip
import json

from harness import API_KEY, Case, basic, curl, head, multipart

EVENTS = "/v3/mg.example.org/events"


class Http(Case):
    settings = ("server.max_body_bytes=1MiB", "domains.auto_create=true", "server.allowed_hosts=events.example.org")

    def test_no_key_is_forbidden(self):
        """Mailgun's 401: the bare text, and a challenge."""
        answer = self.server.get("/v3/domains", key=None)
        self.assertEqual((answer.status, answer.body.strip()), (401, b"Forbidden"))
        self.assertEqual(answer.headers["WWW-Authenticate"], 'Basic realm="MG API"')
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))

    def test_wrong_keys_are_forbidden(self):
        for value in (basic("wrong"), basic(""), basic(API_KEY, user="root"), basic(API_KEY[:-1]), f"Bearer {API_KEY}",
                      "Basic %%%", "Basic"):
            answer = self.server.get("/v3/domains", headers={"Authorization": value}, key=None)
            self.assertEqual((answer.status, answer.body.strip()), (401, b"Forbidden"), value)

    def test_the_answer_names_the_key(self):
        answer = self.server.get("/v3/domains")
        self.assertEqual(answer.headers["X-Mailgun-Key-Id"], "01234567-89abcdef")

    def test_conventions_of_answers(self):
        answer = self.server.get("/v3/domains")
        self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertIsNone(answer.headers["Access-Control-Allow-Origin"])

    def test_the_root_says_what_clients_look_for(self):
        answer = self.server.get("/", key=None)
        self.assertEqual((answer.status, answer.body.strip()), (200, b"Mailgun Magnificent API"))

    def test_health_needs_no_key(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.server.get(path, key=None).status, 200)

    def test_unknown_paths(self):
        for path in ("/nothing", "/v3", "/v3/domains/x/y/z", "/v9/domains"):
            answer = self.server.get(path)
            self.assertEqual(answer.status, 404, path)
            self.assertIn("message", answer.json)

    def test_other_methods(self):
        answer = self.server.call("PATCH", "/v3/domains")
        self.assertEqual(answer.status, 405)
        self.assertIn("message", answer.json)
        allowed = {method.strip() for method in answer.headers["Allow"].split(",")}
        self.assertLessEqual({"GET", "POST"}, allowed)
        self.assertNotIn("PATCH", allowed)

    def test_head(self):
        got = self.server.get("/v3/domains")
        answer = self.server.call("HEAD", "/v3/domains")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(answer.headers["Content-Length"], str(len(got.body)))

    def test_requests_that_two_parsers_read_differently(self):
        """A7: no request can be smuggled in the body of another."""
        for lines in (["Content-Length: 2", "Content-Length: 3"], ["Content-Length: 2", "Content-Length: 2"],
                      ["Content-Length: 2, 2"], ["Content-Length: 2", "Transfer-Encoding: chunked"],
                      ["Transfer-Encoding: chunked, chunked"], ["Transfer-Encoding: xchunked"], ["Content-Length: +2"],
                      ["Content-Length: -1"], ["X: 1", " folded", "Content-Length: 2"], ["Content-Length : 2"],
                      ["Host: other.example.org", "Content-Length: 2"]):
            with self.subTest(lines):
                smuggled = b"{}GET /v3/domains HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                received = self.server.raw(head(self.server, "POST", EVENTS, *lines) + smuggled)
                self.assertTrue(received.startswith(b"HTTP/1.1 400 "), received[:200])
                self.assertEqual(received.count(b"HTTP/1.1 "), 1, "the connection must end with the refusal")

    def test_broken_chunks(self):
        """A7."""
        for chunks in (b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"2\n{}\r\n0\r\n\r\n",
                       b"ffffffffffffffffff\r\n{}\r\n"):
            with self.subTest(chunks):
                received = self.server.raw(head(self.server, "POST", EVENTS, "Transfer-Encoding: chunked") + chunks)
                self.assertTrue(received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")), received[:200])

    def test_chunked_body(self):
        item = json.dumps({"event": "opened"}).encode()
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in item) + b"0\r\n\r\n"
        received = self.server.raw(head(self.server, "POST", EVENTS, "Transfer-Encoding: chunked",
                                        "Connection: close") + chunks)
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received[:200])
        self.assertIn(b'"stored":1', received)

    def test_pipelined_requests_are_answered_in_order(self):
        first = head(self.server, "GET", "/healthz")
        last = head(self.server, "GET", "/nothing", "Connection: close")
        received = self.server.raw(first + last)
        self.assertRegex(received, rb"(?s)^HTTP/1.1 200 .*HTTP/1.1 404 ")

    def test_garbage_is_refused(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/3.0\r\n\r\n", b"GET\r\n\r\n",
                     b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n"):
            with self.subTest(data):
                self.assertTrue(self.server.raw(data, shut=True).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 421 ")))

    def test_huge_head(self):
        received = self.server.raw(head(self.server, "GET", "/v3/domains", "X-Filler: " + "x" * 100_000))
        self.assertTrue(received.startswith(b"HTTP/1.1 431 "), received[:200])

    def test_expect_continue(self):
        item = json.dumps({"event": "opened"}).encode()
        request = head(self.server, "POST", EVENTS, "Expect: 100-continue", f"Content-Length: {len(item)}")
        received = self.server.raw(request, until=lambda got: got.endswith(b"\r\n\r\n"))
        self.assertTrue(received.startswith(b"HTTP/1.1 100 "), received)
        body = curl("--user", f"api:{API_KEY}", self.server.base + EVENTS, "-H", "Expect: 100-continue",
                    "-H", "Content-Type: application/json", "--data-binary", item.decode())
        self.assertEqual(json.loads(body)["stored"], 1)

    def test_refusals_come_in_place_of_the_invitation(self):
        """A11."""
        request = head(self.server, "POST", EVENTS, "Expect: 100-continue", "Content-Length: 1000", key="wrong")
        received = self.server.raw(request)
        self.assertTrue(received.startswith(b"HTTP/1.1 401 "), received[:200])
        self.assertEqual(received.count(b"HTTP/1.1 "), 1)

    def test_an_upload_that_is_refused_gets_its_answer(self):
        """A11: clients that send all before they read see 401, and no reset."""
        for _ in range(5):
            answer = self.server.call("POST", EVENTS, body=b"x" * 20_000_000, key="wrong")
            self.assertEqual((answer.status, answer.body), (401, b"Forbidden"))

    def test_calls_on_behalf_of_a_subaccount(self):
        """A13: without the subaccount they would reach the account itself."""
        domain = self.new_domain()
        for method, path in (("DELETE", f"/v3/domains/{domain}"), ("GET", "/v3/domains"), ("POST", f"/v3/{domain}/events"),
                             ("GET", "/healthz")):
            answer = self.server.call(method, path, headers={"X-Mailgun-On-Behalf-Of": "646d00a1b32c35364a2ad34f"})
            self.assert_message(answer, 403, "Subaccount not found")
        self.assertEqual(self.server.get(f"/v3/domains/{domain}").status, 200)

    def test_what_would_narrow_a_call_is_not_passed_over(self):
        """A13."""
        domain = self.new_domain()
        self.server.hook(domain, "opened", "https://a.example.com/", "https://b.example.com/")
        hook = f"/v3/domains/{domain}/webhooks/opened"
        before = self.server.get(hook).json
        for method, path, options in (("DELETE", hook + "?url=https://a.example.com/", {}),
                                      ("DELETE", hook, {"form": {"url": "https://a.example.com/"}}),
                                      ("PUT", hook, {"form": {"url": "https://c.example.com/", "event_types": "opened"}}),
                                      ("DELETE", f"/v3/domains/{domain}?only=webhooks", {}),
                                      ("POST", f"/v3/{domain}/events?dry_run=yes", {"data": {"event": "opened"}})):
            answer = self.server.call(method, path, **options)
            self.assertEqual(answer.status, 400, (method, path, answer))
            self.assertIn("is not known here", answer.json["message"])
        for name in ("If-Match", "If-Unmodified-Since"):
            answer = self.server.call("DELETE", f"/v3/domains/{domain}", headers={name: '"x"'})
            self.assertEqual(answer.status, 412, answer)
        self.assertEqual(self.server.get(hook).json, before)
        self.assertEqual(self.server.page(domain)["items"], [])

    def test_no_invitation_for_a_body_that_is_too_large(self):
        request = head(self.server, "POST", EVENTS, "Expect: 100-continue", "Content-Length: 99999999999")
        received = self.server.raw(request)
        self.assertTrue(received.startswith(b"HTTP/1.1 413 "), received[:200])

    def test_body_over_the_limit(self):
        answer = self.server.raw(head(self.server, "POST", EVENTS, "Content-Length: 1048577") + b"x" * 1048577)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer[:200])

    def test_gzip_bomb(self):
        """A8."""
        bomb = gzip.compress(b" " * (50 << 20), 9)
        self.assertLess(len(bomb), 60_000)
        answer = self.server.call("POST", EVENTS, body=bomb, headers={"Content-Encoding": "gzip"})
        self.assertEqual(answer.status, 413, answer)

    def test_broken_and_unknown_encodings(self):
        """A8."""
        whole = gzip.compress(b'{"event":"opened"}')
        for body in (whole[:-4], b"no gzip at all", whole[:8]):
            self.assertEqual(self.server.call("POST", EVENTS, body=body, headers={"Content-Encoding": "gzip"}).status,
                             400)
        for encoding in ("br", "deflate", "gzip, gzip"):
            answer = self.server.call("POST", EVENTS, body=whole, headers={"Content-Encoding": encoding})
            self.assertEqual(answer.status, 415, encoding)

    def test_broken_forms(self):
        path = "/v3/domains/forms.example.org/webhooks"
        content_type, whole = multipart([("id", "clicked"), ("url", "https://example.com/")])
        for kind, body in ((content_type, whole[:-20]), ("multipart/form-data", whole),
                           (content_type, b"--other\r\n\r\n"),
                           ("multipart/form-data; boundary=", whole), (content_type, b"garbage"),
                           ("application/x-www-form-urlencoded", b"id=%zz&url=x")):
            with self.subTest((kind, body)):
                answer = self.server.call("POST", path, body=body, headers={"Content-Type": kind})
                self.assertEqual(answer.status, 400, answer)
                self.assertIn("message", answer.json)

    def test_unknown_hosts(self):
        """DNS rebinding: a page of a foreign name that resolves to us gets nothing."""
        for host, status in (("evil.example.com", 421), ("127.0.0.1.evil.example.com", 421), ("localhost", 200),
                             (f"localhost:{self.server.port}", 200), ("[::1]:1", 200), ("events.example.org", 200),
                             ("Events.Example.Org:8480", 200), ("10.0.0.1", 421)):
            with self.subTest(host):
                answer = self.server.get("/v3/domains", headers={"Host": host})
                self.assertEqual(answer.status, status, answer)

    def test_foreign_pages_change_nothing(self):
        """A5: no forged request from a browser that remembers the credentials."""
        own = f"http://127.0.0.1:{self.server.port}"
        for headers, status in (({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
                                ({"Origin": "https://evil.example.com"}, 403), ({"Origin": "null"}, 403),
                                ({"Origin": own, "Sec-Fetch-Site": "same-origin"}, 200),
                                ({"Sec-Fetch-Site": "none"}, 200)):
            with self.subTest(headers):
                answer = self.server.call("POST", EVENTS, data={"event": "opened"}, headers=headers)
                self.assertEqual(answer.status, status, answer)

    def test_foreign_pages_may_look(self):
        self.assertEqual(self.server.get("/healthz", headers={"Sec-Fetch-Site": "cross-site"}).status, 200)

    def test_whole_urls_as_targets(self):
        """As programs send them that believe in a proxy; and an SDK that puts a paging URL behind its base path."""
        def status(target, host="events.example.org"):
            received = self.server.raw(head(self.server, "GET", target, "Connection: close").replace(
                f"Host: 127.0.0.1:{self.server.port}".encode(), f"Host: {host}".encode()))
            return int(received.split()[1])
        own = f"127.0.0.1:{self.server.port}"
        for target, expected in ((f"http://{own}/v3/domains?limit=1", 200), (f"HTTP://{own}/v3/domains", 200),
                                 ("https://events.example.org/v3/domains", 200), (f"http://{own}", 200),
                                 ("http://evil.example.com/v3/domains", 421), ("http://me@localhost/v3/domains", 400),
                                 ("ftp://localhost/v3/domains", 400), (f"/v3http://{own}/v3/domains", 200),
                                 ("/v3https://events.example.org/v3/domains?limit=1", 200),
                                 ("/v3http://evil.example.com/v3/domains", 404)):
            self.assertEqual(status(target), expected, target)
        self.assertEqual(status(f"http://{own}/v3/domains", host="evil.example.com"), 200, "the target's host counts")

    def test_paging_urls_behind_a_base_path(self):
        """mailgun-js."""
        domain = self.new_domain()
        self.server.ingest(domain, {"event": "opened"})
        url = self.server.page(domain)["paging"]["next"]
        received = self.server.raw(head(self.server, "GET", "/v3" + url, "Connection: close"))
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received[:200])

    def test_percent_encoded_domain(self):
        self.server.add_domain("encoded.example.org")
        self.assertEqual(self.server.get("/v3/domains/encoded%2Eexample.org").status, 200)
        self.assertEqual(self.server.get("/v3/domains/%zz").status, 400)

    def test_metrics_have_no_domains(self):
        """Tenants: /metrics shows nobody's names."""
        domain = self.new_domain()
        self.server.ingest(domain, {"event": "opened"})
        text = self.server.get("/metrics").body.decode()
        self.assertIn("eventhorn_appends_total", text)
        self.assertNotIn(domain, text)


class BehindProxies(Case):
    settings = ("server.trusted_proxies=127.0.0.0/8,10.0.0.0/8", "server.allowed_hosts=events.example.org",
                "domains.auto_create=true")

    def base(self, **fields):
        """The beginning of the paging URLs in an answer."""
        domain = self.new_domain()
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        answer = self.server.get(f"/v3/{domain}/events", headers=headers)
        return answer.json["paging"]["next"].partition("/v3/")[0] if answer.status == 200 else answer.status

    def test_one_proxy(self):
        self.assertEqual(self.base(Host="events.example.org", X_Forwarded_Proto="https"), "https://events.example.org")
        self.assertEqual(self.base(X_Forwarded_Host="events.example.org", X_Forwarded_Proto="https",
                                   X_Forwarded_Port="8443", X_Forwarded_For="203.0.113.9"),
                         "https://events.example.org:8443")
        self.assertEqual(self.base(X_Forwarded_Host="evil.example.com"), 421)

    def test_proxies_in_a_row(self):
        """The view of the first one counts."""
        self.assertEqual(self.base(X_Forwarded_For="203.0.113.9, 10.0.0.7", X_Forwarded_Proto="https, http",
                                   X_Forwarded_Host="events.example.org, inner", X_Forwarded_Port="443, 80"),
                         "https://events.example.org")
        self.assertEqual(self.base(X_Forwarded_Host="events.example.org, inner"), "http://events.example.org")

    def test_wrong_keys_count_by_client(self):
        """A12: behind the same proxy too."""
        def status(client):
            return self.server.get("/v3/domains", key="guess", headers={"X-Forwarded-For": client}).status
        self.assertEqual([status("203.0.113.1") for _ in range(21)], [401] * 20 + [429])
        self.assertEqual(status("203.0.113.2"), 401)


class FailedAuthentication(Case):
    settings = ()

    def test_wrong_keys_wait_and_right_ones_never(self):
        """A12: guessing is slowed, and nobody is locked out by the guesses of others behind the same address."""
        answers = [self.server.get("/v3/domains", key="guess") for _ in range(30)]
        self.assertEqual([answer.status for answer in answers], [401] * 20 + [429] * 10)
        self.assertIn(int(answers[-1].headers["Retry-After"]), range(1, 61))
        self.assertEqual(self.server.get("/v3/domains").status, 200)
