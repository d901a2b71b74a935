"""Start, stop and start again: readiness, draining, keys, and one process per data directory."""
import os
import pathlib
import resource
import signal
import socket
import stat
import subprocess
import threading

from harness import API_KEY, LOOPBACK, SECONDS, SIGNING_KEY, Case, Server, event, eventually, head
from receiver import HANG, Receiver

QUICK = 'delivery.retry_schedule=["1s","1s","1s","1s"]'


class Restart(Case):
    seconds = 8

    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def test_everything_is_there_after_a_stop(self):
        server = self.start(LOOPBACK)
        domain = self.new_domain(server)
        server.hook(domain, "opened", self.receiver.url())
        sent = [event("opened") for _ in range(50)]
        server.ingest(domain, sent)
        self.receiver.wait(50)
        page = server.page(domain, "?limit=10")
        server.stop()
        server.start()
        self.assertEqual(server.get(f"/v3/domains/{domain}/webhooks").json,
                         {"webhooks": {"opened": {"urls": [self.receiver.url()]}}})
        self.assertEqual({item["id"] for item in server.poll(domain)}, {e["id"] for e in sent})
        rest = server.get(page["paging"]["next"]).json
        self.assertEqual(len(rest["items"]), 10, "a page's token outlives the process")
        again = server.ingest(domain, [sent[0], event("opened", id="after")])
        self.assertEqual((again.json["stored"], again.json["duplicates"]), (1, 1))
        self.receiver.wait(51)
        self.assertEqual(self.receiver.ids()[-1], "after")
        self.assertEqual((len(self.receiver.ids()), self.receiver.faults), (51, []), "a clean stop sends nothing twice")

    def test_another_number_of_cores_sends_nothing_twice(self):
        """After a clean stop; each URL goes on where it was, whichever core has it now."""
        server = self.start(LOOPBACK, "server.threads=2")
        domain = self.new_domain(server)
        paths = [f"/hook{i}" for i in range(6)]
        server.hook(domain, "opened", *map(self.receiver.url, paths[:3]))
        server.hook(domain, "clicked", *map(self.receiver.url, paths[3:]))
        sent = {"opened": [], "clicked": []}
        for threads in (2, 3, 1, 4):
            server.command[-1] = f"server.threads={threads}"
            if not server.is_running():
                server.start()
            more = [event(name) for name in sent for _ in range(10)]
            server.ingest(domain, more)
            for e in more:
                sent[e["event"]].append(e["id"])
            wanted = [sent["opened" if i < 3 else "clicked"] for i in range(6)]
            for path, ids in zip(paths, wanted):
                self.receiver.wait(len(ids), path)
            server.stop()
            for path, ids in zip(paths, wanted):
                self.assertEqual(sorted(self.receiver.ids(path)), sorted(ids), f"{threads} threads")
        self.assertEqual(self.receiver.faults, [])

    def test_retries_go_on_after_a_stop(self):
        """C2, L5: what waits for an attempt is kept with its count."""
        server = self.start(LOOPBACK, QUICK)
        domain = self.new_domain(server)
        self.receiver.script("/hook", 500, 200)
        server.hook(domain, "opened", self.receiver.url())
        sent = event("opened")
        server.ingest(domain, sent)
        self.receiver.wait(1)
        eventually(lambda: server.metric("eventhorn_deliveries_in_flight") == 0, "the answer to be read")
        server.stop()
        server.start()
        self.receiver.wait(2)
        self.assertEqual((self.receiver.ids(), self.receiver.faults), ([sent["id"]] * 2, []))

    def test_a_backlog_goes_on_after_a_kill(self):
        """C1: nothing acknowledged is lost."""
        server = self.start(LOOPBACK, QUICK)
        domain = self.new_domain(server)
        self.receiver.script("/hook", HANG)
        server.hook(domain, "opened", self.receiver.url())
        sent = [event("opened") for _ in range(500)]
        server.ingest(domain, sent)
        self.receiver.wait(1)
        server.kill()
        self.receiver.script("/hook", 200)
        server.start()
        eventually(lambda: {e["id"] for e in sent} <= set(self.receiver.ids()), "all events to be delivered")
        self.assertEqual(self.receiver.faults, [])

    def test_sigterm_drains(self):
        """C2: attempts under way are finished, their outcome is saved, and the exit status is 0."""
        release = threading.Event()

        def slowly(_):
            release.wait(SECONDS)
            return 200

        receiver = Receiver(answer=slowly)
        self.addCleanup(receiver.close)
        server = self.start(LOOPBACK)
        domain = self.new_domain(server)
        server.hook(domain, "opened", receiver.url())
        server.ingest(domain, event("opened"))
        receiver.wait(1)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: "shutting down" in server.stderr(), "the notice")
        self.assertTrue(server.is_running())
        release.set()
        self.assertEqual(server.wait(), 0)
        server.start()
        server.ingest(domain, event("opened", id="marker"))
        eventually(lambda: "marker" in receiver.ids(), "the marker")
        self.assertEqual(len(receiver.ids()), 2, "the finished attempt was not made again")

    def test_a_request_under_way_is_answered(self):
        """C2."""
        server = self.start()
        domain = self.new_domain(server)
        body = b'{"event":"opened","id":"slow"}'
        request = head(server, "POST", f"/v3/{domain}/events", f"Content-Length: {len(body)}", "Expect: 100-continue")
        with socket.create_connection((server.host, server.port), timeout=SECONDS) as connection:
            connection.sendall(request)
            received = connection.recv(65536)
            self.assertTrue(received.startswith(b"HTTP/1.1 100 "), received)
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: "shutting down" in server.stderr(), "the notice")
            connection.sendall(body)
            while chunk := connection.recv(65536):
                received += chunk
        self.assertIn(b'"stored":1', received)
        self.assertEqual(server.wait(), 0)

    def test_it_is_not_ready_while_it_ends(self):
        server = self.start()
        asked = head(server, "GET", "/readyz")
        with socket.create_connection((server.host, server.port), timeout=SECONDS) as connection:
            connection.sendall(asked + asked[:-2])
            received = connection.recv(65536)
            self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received)
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: "shutting down" in server.stderr(), "the notice")
            eventually(lambda: self.is_refused(server), "the port to be closed")
            connection.sendall(asked[-2:])
            self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 503 "))
        self.assertEqual(server.wait(), 0)

    @staticmethod
    def is_refused(server):
        try:
            socket.create_connection((server.host, server.port), timeout=SECONDS).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_a_second_signal_exits_at_once(self):
        server = self.start(LOOPBACK, "delivery.drain_timeout=10m", "delivery.timeout=10m")
        domain = self.new_domain(server)
        self.receiver.script("/hook", HANG)
        server.hook(domain, "opened", self.receiver.url())
        server.ingest(domain, event("opened"))
        self.receiver.wait(1)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: "shutting down" in server.stderr(), "the notice")
        server.process.send_signal(signal.SIGTERM)
        self.assertNotEqual(server.wait(), 0)

    def test_a_hanging_receiver_does_not_hold_the_stop(self):
        """C2: within delivery.drain_timeout; the attempt is made again after the start."""
        server = self.start(LOOPBACK, "delivery.drain_timeout=1s", "delivery.timeout=10m")
        domain = self.new_domain(server)
        self.receiver.script("/hook", HANG, 200)
        server.hook(domain, "opened", self.receiver.url())
        sent = event("opened")
        server.ingest(domain, sent)
        self.receiver.wait(1)
        server.stop()
        server.start()
        self.receiver.wait(2)
        self.assertEqual(self.receiver.ids(), [sent["id"]] * 2)

    def test_a_second_process_is_refused(self):
        """C8."""
        server = self.start()
        second = Server(data=server.data).spawn()
        self.addCleanup(second.close)
        self.assertNotEqual(second.wait(), 0)
        self.assertIn(str(server.data), second.stderr())
        self.assertRegex(second.stderr(), r"(?i)lock|in use|another process")
        self.assertEqual(server.get("/readyz").status, 200)

    def test_file_descriptors(self):
        """C6: as many as it may have; when those may be too few it says so."""
        for hard, warns in ((20000, False), (3000, True)):
            server = Server()
            self.addCleanup(server.close)
            server.command = ["prlimit", f"--nofile=256:{hard}", *server.command]
            server.start()
            self.assertEqual(resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE), (hard, hard))
            self.assertEqual(f"file descriptors are limited to {hard}" in server.stderr(), warns)

    def test_a_port_that_is_taken(self):
        server = self.start()
        second = Server(listen=f"127.0.0.1:{server.port}").spawn()
        self.addCleanup(second.close)
        self.assertNotEqual(second.wait(), 0)
        self.assertIn(str(server.port), second.stderr())

    def test_mistakes_in_the_settings_are_named(self):
        for setting, named in (("delivery.timout=1s", "delivery.timout"), ("delivery.timeout=fast", "delivery.timeout"),
                               ("delivery.allow_networks=10.0.0.1/8", "delivery.allow_networks"),
                               ("server.allowed_hosts=*.example.com", "server.allowed_hosts"),
                               ("store.url=postgresql://me:secret@db", "only the embedded store is built in"),
                               ("nonsense", "--set")):
            server = Server(setting).spawn()
            self.addCleanup(server.close)
            self.assertNotEqual(server.wait(), 0, setting)
            self.assertIn(named, server.stderr())
            self.assertNotIn("secret", server.stderr())


class Keys(Case):
    def test_keys_are_made_once(self):
        """Mode 0600, in the data directory, their place printed, the keys themselves nowhere (A10)."""
        server = self.start(LOOPBACK, env={"EVENTHORN_API_KEY": None, "EVENTHORN_SIGNING_KEY": None})
        self.assertEqual(server.get("/v3/domains").status, 401)
        keys = {}
        for name in ("api_key", "signing_key"):
            path = server.data / name
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, name)
            keys[name] = path.read_text().strip()
            self.assertIn(str(path), server.stderr())
            self.assertNotIn(keys[name], server.stderr())
        server.key = keys["api_key"]
        self.assertEqual(server.get("/v3/domains").status, 200)
        receiver = Receiver(signing_key=keys["signing_key"])
        self.addCleanup(receiver.close)
        domain = self.new_domain(server)
        server.hook(domain, "opened", receiver.url())
        server.ingest(domain, event("opened"))
        receiver.wait(1)
        server.stop()
        server.start()
        self.assertEqual(server.get("/v3/domains").status, 200)
        server.ingest(domain, event("opened"))
        receiver.wait(2)
        self.assertEqual(receiver.faults, [])

    def test_other_secrets_are_private_too(self):
        """A10: nothing in the data directory is for other users."""
        server = self.start(env={"EVENTHORN_API_KEY": None, "EVENTHORN_SIGNING_KEY": None})
        for path in server.data.rglob("*"):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)

    def test_no_core_is_dumped(self):
        """A10."""
        limits = pathlib.Path(f"/proc/{self.start(LOOPBACK).process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")

    def test_keys_from_the_environment(self):
        server = self.start()
        self.assertEqual(server.get("/v3/domains", key=API_KEY).status, 200)
        text = server.stderr()
        self.assertNotIn(API_KEY, text)
        self.assertNotIn(SIGNING_KEY, text)
        server.stop()
        other = "fedcba9876543210fedcba9876543210-76543210-fedcba98"
        server.env["EVENTHORN_API_KEY"] = other
        server.start()
        self.assertEqual(server.get("/v3/domains").status, 401)
        self.assertEqual(server.get("/v3/domains", key=other).status, 200)


class CommandLine(Case):
    def run_binary(self, *arguments):
        return subprocess.run([os.environ["EVENTHORN_BINARY"], *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=SECONDS, check=False)

    def test_help_and_version(self):
        for arguments, text in ((["--help"], "serve"), (["serve", "--help"], "--listen"), (["--version"], "eventhorn")):
            done = self.run_binary(*arguments)
            self.assertEqual((done.returncode, text in done.stdout), (0, True), done)

    def test_mistakes(self):
        for arguments in ([], ["fly"], ["serve", "--nonsense"], ["serve", "stray"]):
            done = self.run_binary(*arguments)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertTrue(done.stderr, arguments)

    def test_config_print_is_a_config(self):
        done = self.run_binary("config", "print", "--set", "delivery.timeout=3s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('timeout = "3s"', done.stdout)

    def test_config_print_hides_secrets(self):
        for setting in ("store.url=postgresql://db/x?password=hidden", "delivery.proxy=http://hidden@proxy:3128",
                        "delivery.proxy=http://me:hidden@proxy:3128", "alerts.url=https://me:hidden@a.example/"):
            done = self.run_binary("config", "print", "--set", setting)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("hidden", done.stdout + done.stderr)
            self.assertIn("***", done.stdout)
