"""Mailgun's v3 webhook configuration, word for word, and the test call."""
import socket
import urllib.parse

from harness import API_KEY, LOOPBACK, Case, curl
from receiver import RESET, Receiver

A, B, C, D = (f"https://hooks.example.com/{letter}" for letter in "abcd")
NAMES = ["accepted", "delivered", "opened", "clicked", "unsubscribed", "complained", "temporary_fail", "permanent_fail"]


class Hooks(Case):
    """A domain of its own for each test, and the calls on its webhooks."""

    settings = ()

    def setUp(self):
        self.domain = self.new_domain()
        self.path = f"/v3/domains/{self.domain}/webhooks"

    def create(self, name, *urls, **options):
        return self.server.call("POST", self.path, form=[("id", name), *(("url", url) for url in urls)], **options)

    def update(self, name, *urls):
        return self.server.call("PUT", f"{self.path}/{name}", form=[("url", url) for url in urls])

    def listed(self):
        return self.server.get(self.path).json["webhooks"]

    def urls(self, name):
        answer = self.server.get(f"{self.path}/{name}")
        return answer.json["webhook"]["urls"] if answer.status == 200 else None

    def assert_refused(self, answer, message):
        """400 with the message for JavaScript and PHP, and the Reason of Mailgun's documentation."""
        self.assert_message(answer, 400, message)
        self.assertEqual(answer.json["Reason"], message)

    def try_out(self, name, url):
        return self.server.call("PUT", f"{self.path}/{name}/test", form={"url": url})


class ByUrl(Hooks):
    """v4, and the same calls on the collection of v3, where mailgun-python sends them."""

    settings = (LOOPBACK,)

    def each_path(self):
        for version in ("v4", "v3"):
            with self.subTest(version):
                yield f"/{version}/domains/{self.domain}/webhooks"

    def call(self, method, path, url, *types):
        return self.server.call(method, path, form=[("url", url), *(("event_types", name) for name in types)])

    def delete(self, path, *urls):
        return self.server.call("DELETE", f"{path}?url={','.join(urllib.parse.quote(url, safe='') for url in urls)}")

    def test_add_set_and_remove(self):
        for path in self.each_path():
            self.assertEqual(self.call("POST", path, A, "clicked", "opened").json, {"webhooks": self.listed()})
            self.assertEqual(self.call("POST", path, B, "clicked").json["webhooks"]["clicked"], {"urls": [A, B]})
            self.assertEqual(self.call("PUT", path, A, "complained,clicked").status, 200)
            self.assertEqual(self.listed(), {"clicked": {"urls": [A, B]}, "complained": {"urls": [A]}})
            self.assertEqual(self.delete(path, A).json, {"webhooks": {"clicked": {"urls": [B]}}})
            self.assertEqual(self.delete(path, B).json, {"webhooks": {}})

    def test_all_or_nothing(self):
        for path in self.each_path():
            for url in (A, B, C):
                self.call("POST", path, url, "clicked")
            before = self.listed()
            self.assert_refused(self.call("POST", path, A, "opened", "clicked"),
                                f"Webhook for event type 'clicked' with URL '{A}' already exists")
            self.assert_refused(self.call("POST", path, D, "opened", "clicked"), "Maximum number of URLs (3) exceeded")
            self.assertEqual(self.delete(path, A, D).json["Description"], "Webhook not found")
            self.assertEqual(self.call("PUT", path, D, "opened").status, 404)
            self.assertEqual(self.listed(), before)
            self.assertEqual(self.delete(path, A, B, C).status, 200)

    def test_a_move_sends_what_comes_after_it(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        path = f"/v4/domains/{self.domain}/webhooks"
        self.call("POST", path, receiver.url(), "opened")
        self.call("PUT", path, receiver.url(), "clicked")
        self.server.ingest(self.domain, [{"event": "opened", "id": "no"}, {"event": "clicked", "id": "yes"}])
        receiver.wait(1)
        self.assertEqual(receiver.ids(), ["yes"])


class Configuration(Hooks):
    settings = ()

    def test_create_as_mailgun_shows_it(self):
        """The curl of Mailgun's announcement of several URLs for each event, and its answer byte for byte."""
        self.server.add_domain("example.org")
        answer = curl("--user", f"api:{API_KEY}", f"{self.server.base}/v3/domains/example.org/webhooks", "-X", "POST",
                      "-F", "id=clicked", "-F", "url=https://api.your.domain.com/v1/mg/clicked",
                      "-F", "url=https://api.your.domain.com/v2/mg/clicked", "-F",
                      "url=https://api.partner.com/v1/you/clicked")
        self.assertEqual(answer.strip(),
                         '{"message":"Webhook has been created","webhook":{"urls":['
                         '"https://api.your.domain.com/v1/mg/clicked",'
                         '"https://api.your.domain.com/v2/mg/clicked","https://api.partner.com/v1/you/clicked"]}}')

    def test_list_without_hooks_is_an_object(self):
        answer = self.server.get(self.path)
        self.assertEqual((answer.status, answer.json), (200, {"webhooks": {}}))

    def test_list(self):
        self.create("clicked", A, B)
        self.create("delivered", A)
        self.assertEqual(self.listed(), {"clicked": {"urls": [A, B]}, "delivered": {"urls": [A]}})

    def test_every_name(self):
        for name in NAMES:
            self.assertEqual(self.create(name, A).status, 200, name)
        self.assertEqual(set(self.listed()), set(NAMES))

    def test_get(self):
        self.create("opened", B, A)
        answer = self.server.get(f"{self.path}/opened")
        self.assertEqual((answer.status, answer.json), (200, {"webhook": {"urls": [B, A]}}))

    def test_update_replaces(self):
        self.create("opened", A, B)
        answer = self.update("opened", C)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json, {"message": "Webhook has been updated", "webhook": {"urls": [C]}})
        self.assertEqual(self.urls("opened"), [C])

    def test_update_ignores_the_id_that_ruby_sends(self):
        self.create("opened", A)
        answer = self.server.call("PUT", f"{self.path}/opened", form={"id": "clicked", "url": B})
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.listed(), {"opened": {"urls": [B]}})

    def test_delete_names_what_was_removed(self):
        self.create("opened", A, B)
        answer = self.server.call("DELETE", f"{self.path}/opened")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json, {"message": "Webhook has been deleted", "webhook": {"urls": [A, B]}})
        self.assertEqual(self.listed(), {})

    def test_hooks_of_domains_are_their_own(self):
        self.create("opened", A)
        other = self.new_domain()
        self.assertEqual(self.server.get(f"/v3/domains/{other}/webhooks").json, {"webhooks": {}})

    def test_forms_as_the_sdks_send_them(self):
        """multipart of curl, Java (charset first), PHP (quoted boundary); urlencoded of Go; keys spelled key[] or key[0]."""
        part = 'Content-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        body = "".join("--abc\r\n" + part % pair for pair in (("id", "%s"), ("url", A), ("url", B))) + "--abc--\r\n"
        for n, content_type in enumerate(("multipart/form-data; boundary=abc", 'multipart/form-data; boundary="abc"',
                                          "multipart/form-data; charset=UTF-8; boundary=abc",
                                          "Multipart/Form-Data; BOUNDARY=abc")):
            answer = self.server.call("POST", self.path, body=(body % NAMES[n]).encode(),
                                      headers={"Content-Type": content_type})
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(self.urls(NAMES[n]), [A, B], content_type)
        answer = self.server.call("POST", self.path, form=[("id", "complained"), ("url[]", A), ("url[]", B)])
        self.assertEqual(self.urls("complained"), [A, B], answer)
        answer = self.server.call("POST", self.path, form=[("id", "unsubscribed"), ("url[0]", A), ("url[1]", B)])
        self.assertEqual(self.urls("unsubscribed"), [A, B], answer)
        answer = self.server.call("POST", self.path, form=[("id", "temporary_fail"), ("url", A)],
                                  headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
        self.assertEqual(self.urls("temporary_fail"), [A], answer)

    def test_put_and_delete_as_the_sdks_send_them(self):
        self.create("opened", A)
        answer = self.server.call("PUT", f"{self.path}/opened", fields=[("url", B), ("url", C)])
        self.assertEqual((answer.status, self.urls("opened")), (200, [B, C]))
        # PHP: a multipart body without any part; JavaScript: a content type without a body
        answer = self.server.call("DELETE", f"{self.path}/opened", body=b"--abc--\r\n",
                                  headers={"Content-Type": 'multipart/form-data; boundary="abc"'})
        self.assertEqual(answer.status, 200, answer)
        self.create("opened", A)
        answer = self.server.call("DELETE", f"{self.path}/opened",
                                  headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(answer.status, 200, answer)

    def test_missing_parameters(self):
        answer = self.server.call("POST", self.path, form={"url": A})
        self.assert_message(answer, 400, "Missing parameter 'id'")
        answer = self.server.call("POST", self.path, form={"id": "clicked"})
        self.assert_message(answer, 400, "Missing parameter 'url'")
        self.create("clicked", A)
        self.assert_message(self.server.call("PUT", f"{self.path}/clicked"), 400, "Missing parameter 'url'")
        self.assertEqual(self.urls("clicked"), [A])

    def test_unknown_names(self):
        self.assert_refused(self.create("foo", A), "Invalid webhook id: foo")
        self.assert_refused(self.create("Clicked", A), "Invalid webhook id: Clicked")
        self.assert_refused(self.create("rejected", A), "Invalid webhook id: rejected")
        self.assert_refused(self.update("foo", A), "Invalid webhook id: foo")

    def test_a_name_that_is_set_is_not_merged(self):
        self.create("clicked", A)
        for url in (A, B):
            self.assert_refused(self.create("clicked", url), "Webhook for event type 'clicked' already exists")
        self.assertEqual(self.urls("clicked"), [A])

    def test_three_urls_at_most(self):
        self.assert_refused(self.create("clicked", A, B, C, D), "Maximum number of URLs (3) exceeded")
        self.assertEqual(self.create("clicked", A, B, C).status, 200)
        self.assert_refused(self.update("clicked", A, B, C, D), "Maximum number of URLs (3) exceeded")
        self.assertEqual(self.urls("clicked"), [A, B, C])

    def test_hooks_that_are_not_set(self):
        for answer in (self.server.get(f"{self.path}/opened"), self.update("opened", A),
                       self.server.call("DELETE", f"{self.path}/opened"), self.server.get(f"{self.path}/foo"),
                       self.server.call("DELETE", f"{self.path}/foo")):
            self.assert_message(answer, 404, "Webhook not found")

    def test_unknown_domains(self):
        path = "/v3/domains/unknown.example.org/webhooks"
        for method, path, form in (("GET", path, None), ("POST", path, {"id": "clicked", "url": A}),
                                   ("GET", path + "/clicked", None), ("PUT", path + "/clicked", {"url": A}),
                                   ("DELETE", path + "/clicked", None), ("PUT", path + "/clicked/test", {"url": A})):
            self.assert_message(self.server.call(method, path, form=form), 404, "Domain not found")

    def test_without_a_key(self):
        for method, path in (("GET", self.path), ("POST", self.path), ("PUT", self.path + "/clicked/test")):
            answer = self.server.call(method, path, form={"id": "clicked", "url": A}, key=None)
            self.assertEqual((answer.status, answer.body.strip()), (401, b"Forbidden"))

    def test_urls_that_are_refused(self):
        """S1, S2, S3, S4, S9, S11: nothing internal, nothing that two programs could read in two ways."""
        internal = ["http://127.0.0.1/", "http://[::1]/", "http://0.0.0.0/", "http://[::]/",
                    "http://169.254.169.254/latest",
                    "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://2130706433/", "http://0177.0.0.1/",
                    "http://0177.1/", "http://0x7f.1/", "http://127.1/", "http://[::ffff:127.0.0.1]/",
                    "http://[::ffff:7f00:1]/",
                    "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://10.0.0.1/",
                    "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/", "http://198.18.0.1/",
                    "http://240.0.0.1/",
                    "http://224.0.0.1/", "http://255.255.255.255/", "http://012.0.0.1/", "http://a@127.0.0.1/"]
        ambiguous = ["http://ok.example\\@127.0.0.1/", "http://[fe80::1%25eth0]/", "http://exa\tmple.org/",
                     "http://example.org/\r\nX: 1",
                     "http://example.org/a\nb", "http://example.org/\x00", "http://exam%00ple.org/",
                     "http://exam%2eple.org/",
                     "http://１２７.0.0.1/", "http://example。org/", "http://例え.example/", "http://example.org:0/",
                     "http://example.org:65536/", "http://example.org:22/", "http://example.org:25/",
                     "http://example.org:x/",
                     "http:///path", "http://", "//example.org/", "example.org", "unix:/tmp/socket",
                     "file:///etc/passwd",
                     "gopher://example.org/", "ftp://example.org/", "javascript:alert(1)", "http:example.org",
                     "https://example.org/" + "x" * 2048, "http://1.2.3.4.5/", "http://256.1.1.1/",
                     "http:// example.org/"]
        for url in internal + ambiguous:
            with self.subTest(url):
                answer = self.create("clicked", url)
                self.assertEqual(answer.status, 400, answer)
                self.assertEqual(answer.json["Reason"], answer.json["message"])
                self.assertIn("is not a valid url: ", answer.json["Reason"])
        self.assertEqual(self.listed(), {})

    def test_scheme_is_named(self):
        answer = self.create("clicked", "ftp://example.org/")
        self.assert_refused(answer, "ftp://example.org/ is not a valid url: invalid URL scheme")

    def test_one_bad_url_refuses_all(self):
        self.assertEqual(self.create("clicked", A, "http://127.0.0.1/").status, 400)
        self.assertEqual(self.listed(), {})
        self.create("clicked", A)
        self.assertEqual(self.update("clicked", B, "http://127.0.0.1/").status, 400)
        self.assertEqual(self.urls("clicked"), [A])

    def test_urls_that_are_fine(self):
        fine = ["https://user:p%40ss@hooks.example.com:8443/a/b?c=d&e=%20f", "http://1.1.1.1/",
                "http://hooks.example.com.:8080/", "https://xn--r8jz45g.example/", "https://example.org"]
        for name, url in zip(NAMES, fine):
            self.assertEqual(self.create(name, url).status, 200, url)
            self.assertEqual(self.urls(name), [url])

    def test_credentials_are_returned_but_not_logged(self):
        """S10, A10."""
        self.create("clicked", "https://user:hunter2secret@hooks.example.com/")
        answer = self.create("opened", "https://user:hunter2secret@127.0.0.1/")
        self.assertEqual(answer.status, 400)
        self.assertNotIn("hunter2secret", answer.body.decode())
        self.assertNotIn("hunter2secret", self.server.stderr())


class Limits(Hooks):
    settings = ("api.webhook_rate_limit=10",)

    def test_too_many_calls(self):
        answers = [self.server.get(self.path) for _ in range(11)]
        self.assertEqual([a.status for a in answers], [200] * 10 + [429])
        self.assertEqual(answers[-1].json["retry-seconds"], 60)
        self.assertEqual(self.server.get("/v3/domains").status, 200)


class Creation(Hooks):
    settings = ("domains.auto_create=true",)

    def test_a_webhook_creates_its_domain(self):
        answer = self.server.call("POST", "/v3/domains/fresh.example.org/webhooks", form={"id": "clicked", "url": A})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.server.get("/v3/domains/fresh.example.org").status, 200)

    def test_looking_creates_nothing(self):
        for method, path in (("GET", "/webhooks"), ("GET", "/webhooks/clicked"), ("DELETE", "/webhooks/clicked")):
            answer = self.server.call(method, "/v3/domains/looked.example.org" + path)
            self.assert_message(answer, 404, "Domain not found")

    def test_names_that_are_no_domains(self):
        for name in ("nodots", "a..b", "-a.example.org"):
            answer = self.server.call("POST", f"/v3/domains/{name}/webhooks", form={"id": "clicked", "url": A})
            self.assertIn(answer.status, (400, 404), name)


class TestCall(Hooks):
    """PUT .../webhooks/{name}/test."""

    settings = (LOOPBACK, "delivery.timeout=2s")

    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def assert_report(self, answer, code, message):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json, {"code": code, "message": message})

    def test_200_is_null(self):
        self.receiver.script("/hook", (200, ["Content-Type: application/json"],
                                       b'{"message":"Post received. Thanks!"}\n'))
        answer = self.try_out("clicked", self.receiver.url())
        self.assertEqual(answer.body.decode().strip(),
                         r'{"code":null,"message":"{\"message\":\"Post received. Thanks!\"}\n"}')

    def test_every_name_gets_a_sample_of_its_kind(self):
        for name in NAMES:
            self.assert_report(self.try_out(name, self.receiver.url(f"/{name}")), None, "")
            (delivery,) = self.receiver.on(f"/{name}")
            kind = "failed" if name.endswith("_fail") else name
            self.assertEqual(delivery.event["event"], kind)
            self.assertEqual(delivery.event.get("severity"), name.removesuffix("_fail") if kind == "failed" else None)
            self.assertEqual(delivery.event["domain"]["name"], self.domain)
            self.assertEqual(delivery.field("Content-Type"), "application/json")
        self.assertEqual(self.receiver.faults, [])

    def test_a_sample_is_no_event_of_the_domain(self):
        self.try_out("clicked", self.receiver.url())
        self.assertEqual(self.server.poll(self.domain), [])

    def test_500(self):
        self.receiver.script("/hook", (500, [], b"broken"))
        self.assert_report(self.try_out("opened", self.receiver.url()), 500, "broken")

    def test_201_is_reported(self):
        self.receiver.script("/hook", (201, [], b""))
        self.assert_report(self.try_out("opened", self.receiver.url()), 201, "")

    def test_redirects_are_not_followed(self):
        """R13."""
        self.receiver.script("/hook", (302, [f"Location: {self.receiver.url('/elsewhere')}"], b""))
        self.assert_report(self.try_out("opened", self.receiver.url()), 302, "")
        self.assertEqual(self.receiver.on("/elsewhere"), [])

    def test_connection_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        answer = self.try_out("opened", url)
        self.assertEqual((answer.status, answer.json["code"]), (200, 502), answer)
        self.assertIn("refused", answer.json["message"])

    def test_reset_and_silence(self):
        """R1, R7."""
        for script in (RESET, "hang"):
            self.receiver.script("/hook", script)
            answer = self.try_out("opened", self.receiver.url())
            self.assertEqual((answer.status, answer.json["code"]), (200, 502), answer)
            self.assertTrue(answer.json["message"])

    def test_long_answers_are_cut(self):
        """S13: the echo is bounded."""
        self.receiver.script("/hook", (200, [], b"x" * 1_000_000))
        answer = self.try_out("opened", self.receiver.url())
        self.assertEqual(answer.json["code"], None)
        self.assertLessEqual(len(answer.json["message"]), 16 << 10)

    def test_binary_answers_are_text(self):
        """A5: whatever a receiver says comes out as a JSON string."""
        self.receiver.script("/hook", (200, [], b'\xff\x00"\\<script>'))
        answer = self.try_out("opened", self.receiver.url())
        self.assertIsInstance(answer.json["message"], str)
        answer.body.decode()

    def test_url_is_needed_once(self):
        answer = self.server.call("PUT", f"{self.path}/clicked/test")
        self.assert_message(answer, 400, "Missing parameter 'url'")
        answer = self.server.call("PUT", f"{self.path}/clicked/test", form=[("url", A), ("url", B)])
        self.assertEqual(answer.status, 400, answer)

    def test_unknown_name(self):
        self.assert_refused(self.try_out("foo", self.receiver.url()), "Invalid webhook id: foo")

    def test_multipart(self):
        answer = self.server.call("PUT", f"{self.path}/clicked/test", fields=[("url", self.receiver.url())])
        self.assert_report(answer, None, "")

    def test_credentials_in_the_url(self):
        """S10: sent as Basic."""
        self.try_out("clicked", f"http://user:p%40ss@127.0.0.1:{self.receiver.port}/hook")
        (delivery,) = self.receiver.on("/hook")
        self.assertEqual(delivery.field("Authorization"), "Basic dXNlcjpwQHNz")


class GuardedTestCall(Hooks):
    settings = ()

    def test_internal_targets_are_refused(self):
        """S13: the test call reads nothing of the inside."""
        receiver = Receiver()
        self.addCleanup(receiver.close)
        for url in (receiver.url(), f"http://2130706433:{receiver.port}/", f"http://0177.1:{receiver.port}/",
                    f"http://[::ffff:127.0.0.1]:{receiver.port}/", "http://169.254.169.254/",
                    f"http://localhost:{receiver.port}/"):
            answer = self.try_out("opened", url)
            self.assertEqual(answer.status, 400, answer)
            self.assertIn("is not a valid url: ", answer.json["Reason"])
        self.assertEqual(receiver.deliveries, [])
