"""Rotating the webhook signing key: routes, what signs meanwhile, restarts and kills."""
import datetime
import hashlib
import hmac
import http.client
import random
import stat
import threading

from harness import LOOPBACK, SIGNING_KEY, Case, basic, event
from receiver import Receiver

OURS = "/eventhorn/v1/signing-key"
MAILGUNS = "/v5/accounts/http_signing_key"
SECOND = "Eventhorn-Previous-Signature"


def key_id(key):
    return hashlib.sha256(key.encode()).hexdigest()[:16]


class Signing(Case):
    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def start_with_hook(self, **options):
        server = self.start(LOOPBACK, **options)
        self.domain = self.new_domain(server)
        server.hook(self.domain, "opened", self.receiver.url())
        return server

    def step(self, server, name, status=200):
        answer = server.call("POST", f"{OURS}/{name}")
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def signed_with(self, server):
        """The key's text that the next delivery's body is signed with, of those in self.texts; its Delivery."""
        count = len(self.receiver.on("/hook"))
        server.ingest(self.domain, event("opened"))
        delivery = self.receiver.wait(count + 1)[count]
        text = (delivery.timestamp + delivery.token).encode()
        signature = delivery.body.split(b'"signature":"', 1)[1][:64].decode()
        found = [key for key in set(self.texts) if hmac.new(key.encode(), text, hashlib.sha256).hexdigest() == signature]
        self.assertEqual(len(found), 1, "the body is signed with a known key")
        return found[0], delivery


class Rotation(Signing):
    def test_stage_promote_retire(self):
        """A3: the body is signed with the current key throughout, and changes with promote, no sooner; until the old
        key is retired it signs a field of its own."""
        server = self.start_with_hook()
        self.texts = [SIGNING_KEY]
        self.assertEqual(server.get(OURS).json,
                         {"current": {"id": key_id(SIGNING_KEY), "key": SIGNING_KEY, "created_at": None}})
        staged = self.step(server, "stage")["staged"]
        self.assertEqual(staged["id"], key_id(staged["key"]))
        datetime.datetime.strptime(staged["created_at"], "%Y-%m-%dT%H:%M:%S.%fZ")
        self.texts.append(staged["key"])
        self.assertEqual(self.signed_with(server)[0], SIGNING_KEY)
        promoted = self.step(server, "promote")
        self.assertEqual(promoted["current"], staged)
        self.assertEqual(promoted["previous"],
                         {"id": key_id(SIGNING_KEY), "created_at": None, "retires_at": None})
        key, delivery = self.signed_with(server)
        self.assertEqual(key, staged["key"])
        text = (delivery.timestamp + delivery.token).encode()
        self.assertEqual([value for name, value in delivery.fields if name.lower() == SECOND.lower()],
                         [hmac.new(SIGNING_KEY.encode(), text, hashlib.sha256).hexdigest()])
        self.assertEqual(self.step(server, "retire"), {"current": staged})
        key, delivery = self.signed_with(server)
        self.assertEqual(key, staged["key"])
        self.assertNotIn(SECOND.lower(), [name.lower() for name, _ in delivery.fields])

    def test_regenerate_switches_at_once(self):
        server = self.start_with_hook()
        self.assertEqual(server.get(MAILGUNS).json, {"message": "success", "http_signing_key": SIGNING_KEY})
        answer = server.call("POST", MAILGUNS, body=b"--b--\r\n",
                             headers={"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual((answer.status, answer.json["message"]), (200, "regenerated HTTP signing key for account"))
        self.texts = [SIGNING_KEY, answer.json["http_signing_key"]]
        self.assertEqual(self.signed_with(server)[0], self.texts[1])
        self.assertEqual(server.get(MAILGUNS).json["http_signing_key"], self.texts[1])
        self.assertIsNotNone(server.get(OURS).json["previous"]["retires_at"])

    def test_steps_out_of_turn(self):
        server = self.start(LOOPBACK)
        for name, message in (("promote", "there is no staged signing key"),
                              ("retire", "there is no previous signing key")):
            self.assert_message(server.call("POST", f"{OURS}/{name}"), 409, message)
        self.step(server, "stage")
        self.assert_message(server.call("POST", f"{OURS}/stage"), 409, "there is a staged signing key already")

    def test_only_with_the_key(self):
        server = self.start(LOOPBACK)
        for method, path in (("GET", OURS), ("POST", f"{OURS}/stage"), ("POST", f"{OURS}/promote"),
                             ("POST", f"{OURS}/retire"), ("GET", MAILGUNS), ("POST", MAILGUNS)):
            answer = server.call(method, path, key=None)
            self.assertEqual((answer.status, answer.body), (401, b"Forbidden"), path)
            self.assertEqual(server.call(method, path, key="wrong").status, 401, path)
        foreign = {"Authorization": basic(server.key), "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
        self.assertEqual(server.call("POST", MAILGUNS, headers=foreign).status, 403)
        self.assertEqual(server.get(MAILGUNS).json["http_signing_key"], SIGNING_KEY)


class Kept(Signing):
    seconds = 6

    def test_every_step_outlives_a_kill(self):
        """C1, A3: what was answered is there after kill -9."""
        server = self.start_with_hook()
        for name in ("stage", "promote", "stage", "promote", "retire"):
            after = self.step(server, name)
            server.kill()
            server.start()
            self.assertEqual(server.get(OURS).json, after, name)
            self.texts = [after["current"]["key"], SIGNING_KEY]
            self.assertEqual(self.signed_with(server)[0], after["current"]["key"], name)

    def test_kills_at_any_moment(self):
        """C1, A3: a kill in the middle of a step leaves the states before it or after it, and never a key that nobody
        was shown to sign with."""
        server = self.start_with_hook()
        rng = random.Random(20260311)
        states = server.get(OURS).json
        for _ in range(12):
            current, staged = states["current"]["key"], states.get("staged", {}).get("key")
            name = "promote" if staged else "stage"
            timer = threading.Timer(rng.uniform(0, 0.004), server.process.kill)
            timer.start()
            try:
                server.call("POST", f"{OURS}/{name}")
            except (OSError, http.client.HTTPException):
                pass  # killed before the answer
            timer.join()
            server.wait()
            server.start()
            states = server.get(OURS).json
            before = (current, staged)
            now = (states["current"]["key"], states.get("staged", {}).get("key"))
            after = (staged, None) if staged else (current, now[1])
            self.assertIn(now, (before, after), name)
            self.texts = [now[0]]
            self.signed_with(server)

    def test_the_environment_gives_way(self):
        """Once rotated by API the key stays, with a warning; no key is in the log, files are private (A10)."""
        server = self.start_with_hook()
        made = server.call("POST", MAILGUNS).json["http_signing_key"]
        staged = self.step(server, "stage")["staged"]["key"]
        server.stop()
        self.assertNotIn("EVENTHORN_SIGNING_KEY", server.stderr())
        server.start()
        self.assertEqual(server.get(MAILGUNS).json["http_signing_key"], made)
        self.assertIn("EVENTHORN_SIGNING_KEY is not used", server.stderr())
        for secret in (SIGNING_KEY, made, staged, server.key):
            self.assertNotIn(secret, server.stderr())
        for name in ("signing_key", "signing_keys"):
            self.assertEqual(stat.S_IMODE((server.data / name).stat().st_mode), 0o600, name)
        self.assertEqual((server.data / "signing_key").read_text().strip(), made)
        self.assertNotIn(made, server.get("/metrics").body.decode())

    def test_a_damaged_file_refuses_to_start(self):
        server = self.start(LOOPBACK)
        self.step(server, "stage")
        server.stop()
        (server.data / "signing_keys").write_text("{")
        server.spawn()
        self.assertEqual(server.wait(), 1)
        self.assertIn(str(server.data / "signing_keys"), server.stderr())
