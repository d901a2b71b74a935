"""Domains, under /v3 and /v4 alike."""
import email.utils
import secrets

from harness import Case, event


class Domains(Case):
    settings = ()

    def test_create(self):
        for version in ("v3", "v4"):
            name = f"{version}-{secrets.token_hex(4)}.example.org"
            answer = self.server.call("POST", f"/{version}/domains",
                                      fields=[("name", name), ("spam_action", "disabled")])
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json["message"], "Domain DNS records have been created")
            self.assertEqual((answer.json["receiving_dns_records"], answer.json["sending_dns_records"]), ([], []))
            self.assert_domain(answer.json["domain"], name)

    def assert_domain(self, domain, name):
        """What the strictest clients check."""
        self.assertEqual(domain["name"], name)
        self.assertRegex(domain["id"], r"^[0-9a-f]{24}$")
        self.assertRegex(domain["created_at"], r"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertIsNotNone(email.utils.parsedate_to_datetime(domain["created_at"]))
        self.assertEqual(domain["smtp_login"], f"postmaster@{name}")
        for field, values in (("state", {"active", "unverified", "disabled"}), ("type", {"custom", "sandbox"}),
                              ("web_scheme", {"http", "https"}), ("spam_action", {"disabled", "block", "tag"}),
                              ("wildcard", {True, False}), ("is_disabled", {False}), ("require_tls", {True, False}),
                              ("skip_verification", {True, False})):
            self.assertIn(domain[field], values, field)

    def test_get_and_list(self):
        names = [self.new_domain() for _ in range(3)]
        for version in ("v3", "v4"):
            answer = self.server.get(f"/{version}/domains/{names[0]}")
            self.assertEqual(answer.status, 200)
            self.assert_domain(answer.json["domain"], names[0])
            listing = self.server.get(f"/{version}/domains?limit=1000").json
            self.assertEqual(listing["total_count"], len(listing["items"]))
            self.assertLessEqual(set(names), {item["name"] for item in listing["items"]})

    def test_limit_and_skip(self):
        for _ in range(3):
            self.new_domain()
        everything = [item["name"] for item in self.server.get("/v4/domains").json["items"]]
        page = self.server.get("/v4/domains?limit=2&skip=1").json
        self.assertEqual([item["name"] for item in page["items"]], everything[1:3])
        self.assertEqual(page["total_count"], len(everything))
        self.assertEqual(self.server.get("/v4/domains?skip=100000").json["items"], [])
        self.assertEqual(self.server.get("/v4/domains?limit=x").status, 400)

    def test_delete(self):
        name = self.new_domain()
        self.server.ingest(name, event())
        self.assert_message(self.server.call("DELETE", f"/v3/domains/{name}"), 200,
                            "Domain will be deleted in the background")
        for path in (f"/v3/domains/{name}", f"/v3/{name}/events", f"/v3/domains/{name}/webhooks"):
            self.assert_message(self.server.get(path), 404, "Domain not found")
        self.assert_message(self.server.call("DELETE", f"/v3/domains/{name}"), 404, "Domain not found")
        self.server.add_domain(name)
        self.assertEqual(self.server.poll(name), [])

    def test_names_have_no_case(self):
        name = self.new_domain()
        self.assertEqual(self.server.get(f"/v3/domains/{name.upper()}").json["domain"]["name"], name)
        self.assertEqual(self.server.call("POST", "/v3/domains", form={"name": name.upper()}).status, 400)

    def test_names_that_are_no_domains(self):
        for name in ("nodots", "", "a..b", ".a.b", "-a.example.org", "a-.example.org", "x" * 64 + ".example.org",
                     "a b.example.org",
                     "a_b!.example.org", "ä.example.org", "/../x.y", "a.b/c", "x." * 130 + "org", "a.b\n", "a.b\x00"):
            with self.subTest(name):
                answer = self.server.call("POST", "/v3/domains", form={"name": name})
                self.assertEqual(answer.status, 400, answer)
                self.assertIn("message", answer.json)

    def test_localhost_is_one(self):
        self.assertEqual(self.server.call("POST", "/v3/domains", form={"name": "localhost"}).status, 200)
        self.assertEqual(self.server.ingest("localhost", event()).status, 200)

    def test_taken(self):
        name = self.new_domain()
        answer = self.server.call("POST", "/v3/domains", form={"name": name})
        self.assertEqual(answer.status, 400)
        self.assertIn("message", answer.json)

    def test_without_a_name(self):
        self.assert_message(self.server.call("POST", "/v3/domains", form={}), 400, "Missing parameter 'name'")

    def test_without_a_key(self):
        for method, path in (("GET", "/v3/domains"), ("POST", "/v4/domains"), ("DELETE", "/v3/domains/x.example.org")):
            answer = self.server.call(method, path, key=None)
            self.assertEqual((answer.status, answer.body.strip()), (401, b"Forbidden"))
