"""API keys with roles: made, used, told of, revoked; over restarts, and for streams that are open."""
import base64
import json
import socket

from harness import SECONDS, Case


class Keys(Case):
    settings = ()

    def make(self, role, **fields):
        answer = self.server.call("POST", "/v1/keys", fields=[("role", role), *fields.items()])
        self.assertEqual(answer.status, 200, answer)
        return answer.json["key"]

    def delete(self, key):
        self.assertEqual(self.server.call("DELETE", f"/v1/keys/{key['id']}").json, {"message": "key deleted"})

    def status(self, key, method, path, **options):
        return self.server.call(method, path, key=key["secret"], **options).status

    def test_as_mailguns_clients_see_them(self):
        key = self.make("basic", description="reads", expiration="60")
        self.assertRegex(key["id"], "^[0-9a-f]{8}-[0-9a-f]{8}$")
        self.assertRegex(key["secret"], "^[0-9a-f]{32}-" + key["id"] + "$")
        self.assertRegex(key["created_at"], "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}$")
        listed = self.server.get("/v1/keys").json
        mine = [item for item in listed["items"] if item["id"] == key["id"]]
        self.assertEqual(mine, [{name: value for name, value in key.items() if name != "secret"}])
        self.assertEqual(listed["total_count"], len(listed["items"]))
        self.delete(key)

    def test_producers_need_no_more(self):
        domain, other = self.new_domain(), self.new_domain()
        key = self.make("ingest", domain_name=domain)
        event = {"event": "delivered", "id": "a"}
        self.assertEqual(self.status(key, "POST", f"/v3/{domain}/events", data=event), 200)
        for method, path in (("POST", f"/v3/{other}/events"), ("GET", f"/v3/{domain}/events"), ("GET", "/v1/keys"),
                             ("DELETE", f"/v3/domains/{domain}"), ("GET", f"/v3/domains/{domain}/webhooks")):
            answer = self.server.call(method, path, key=key["secret"], data=event if method == "POST" else None)
            self.assert_message(answer, 401, "Invalid private key")
        self.assertEqual(self.server.page(other)["items"], [])
        self.delete(key)

    def test_revoked_at_once(self):
        domain = self.new_domain()
        key = self.make("admin")
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=SECONDS) as stream:
            credentials = base64.b64encode(f"api:{key['secret']}".encode()).decode()
            stream.sendall(f"GET /eventhorn/v1/{domain}/stream HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\n"
                           f"Authorization: Basic {credentials}\r\n\r\n".encode())
            self.assertIn(b" 200 ", stream.recv(4096))
            self.delete(key)
            self.assertEqual(self.status(key, "GET", "/v3/domains"), 401)
            while stream.recv(4096):
                pass  # to the end, which comes within a second

    def test_over_a_restart(self):
        kept, gone = self.make("developer"), self.make("developer")
        self.delete(gone)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.status(kept, "GET", "/v3/domains"), 200)
        self.assertEqual(self.status(kept, "GET", "/v1/keys"), 403)
        self.assertEqual(self.status(gone, "GET", "/v3/domains"), 401)
        self.delete(kept)

    def test_no_key_is_logged_or_kept(self):
        key = self.make("admin")
        self.assertEqual(self.status(key, "GET", "/v3/domains"), 200)
        self.assertNotIn(key["secret"], self.server.stderr())
        self.assertNotIn(key["secret"], json.dumps(self.server.get("/v1/keys").json))
        self.delete(key)
