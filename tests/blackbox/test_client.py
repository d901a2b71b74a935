"""The commands that speak to a server: import and export, their exit codes, and how they end before their end."""
import gzip
import json
import os
import pathlib
import pty
import secrets
import signal
import socket
import subprocess
import tempfile
import threading

from harness import API_KEY, SECONDS, Case, event, eventually

DONE, FAILED, USAGE, NO_SERVER, REFUSED = range(5)


class Proxy:
    """Between a client and a server: breaks each connection once `limit` bytes have come back on it. `limit` None: never."""

    def __init__(self, server, limit):
        self.server, self.limit, self.breaks = server, limit, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection((self.server.host, self.server.port)) as server:
            def forward():
                try:
                    while data := client.recv(65536):
                        server.sendall(data)
                except OSError:
                    pass
            threading.Thread(target=forward, daemon=True).start()
            left = self.limit
            try:
                while data := server.recv(65536 if left is None else min(left, 65536)):
                    client.sendall(data)
                    if left is not None:
                        left -= len(data)
                    if left == 0:
                        self.breaks += 1
                        break
            except OSError:
                pass
            for side in (client, server):
                try:
                    side.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.listener.close()


class Client(Case):
    seconds = 15
    settings = ()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="eventhorn-client-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def environment(self, server=None, **more):
        env = (server or self.server).environment()
        env.update({"EVENTHORN_URL": (server or self.server).base, "EVENTHORN_API_KEY": API_KEY, **more})
        return {name: value for name, value in env.items() if value is not None}

    def run_command(self, *arguments, stdin=b"", env=None, server=None):
        return subprocess.run([os.environ["EVENTHORN_BINARY"], *arguments], input=stdin, capture_output=True, timeout=SECONDS,
                              env=env or self.environment(server), cwd=self.folder)

    def import_json(self, domain, *files, stdin=b"", code=DONE):
        """What an import with --json says."""
        done = self.run_command("import", "--domain", domain, "--json", *files, stdin=stdin)
        self.assertEqual(done.returncode, code, done)
        return json.loads(done.stdout)

    def ids(self, domain):
        """Of all that the domain has, in the order of their commits."""
        done = self.run_command("export", "--domain", domain)
        self.assertEqual(done.returncode, DONE, done)
        return [json.loads(line)["id"] for line in done.stdout.splitlines()]

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def test_what_was_exported_is_imported_into_another_domain(self):
        one, other = self.new_domain(), self.new_domain()
        events = [event(**{"user_variables": {"n": 1.50, "x": "é"}}) for _ in range(1200)]
        for first in range(0, 1200, 400):
            self.assertEqual(self.server.ingest(one, events[first:first + 400]).status, 200)
        for name in ("out.ndjson", "out.ndjson.gz", "out.ndjson.zst"):
            done = self.run_command("export", "--domain", one, "--output", name, "--json")
            self.assertEqual(done.returncode, DONE, done)
            self.assertEqual(json.loads(done.stdout), {"events": 1200})
        self.assertEqual(sorted(os.listdir(self.folder)), ["out.ndjson", "out.ndjson.gz", "out.ndjson.zst"])
        self.assertLess((self.folder / "out.ndjson.zst").stat().st_size, (self.folder / "out.ndjson").stat().st_size / 3)
        counts = self.import_json(other, "out.ndjson.zst")
        self.assertEqual((counts["stored"], counts["rejected"]), (1200, 0))
        self.assertEqual(self.ids(other), [e["id"] for e in events])
        for name in ("out.ndjson", "out.ndjson.gz"):
            counts = self.import_json(other, name)
            self.assertEqual((counts["stored"], counts["duplicates"], counts["conflicts"]), (0, 1200, 0))

    def test_every_form_that_people_have(self):
        domain = self.new_domain()
        a, b, c, d, e = (event(id=name) for name in "abcde")
        lines = self.file("lines", "\n".join(map(json.dumps, (a, b))))
        pages = self.file("pages.gz", gzip.compress(
            json.dumps({"items": [b, c], "paging": {"next": "x"}}, indent=2).encode() + json.dumps({"items": []}).encode()))
        counts = self.import_json(domain, lines, pages, "-", stdin=json.dumps([d, {"event-data": e, "signature": {}}]).encode())
        self.assertEqual((counts["stored"], counts["duplicates"]), (5, 1))
        self.assertEqual(sorted(self.ids(domain)), list("abcde"))

    def test_an_event_without_an_id_is_imported_once(self):
        domain = self.new_domain()
        one = event()
        del one["id"]
        for stored in (1, 0):
            counts = self.import_json(domain, stdin=json.dumps(one).encode())
            self.assertEqual((counts["stored"], counts["duplicates"]), (stored, 1 - stored))
        self.assertTrue(self.ids(domain)[0].startswith("import-"))

    def test_what_is_rejected_is_named_by_its_line(self):
        domain = self.new_domain()
        good = [event(id=f"g{i}") for i in range(3)]
        text = "\n".join([json.dumps(good[0]), '{"event":"blown-up","id":"bad"}', "", '{"event":"opened', json.dumps(good[1]),
                          json.dumps(dict(event(id="old"), timestamp=5)), json.dumps(good[2])])
        counts = self.import_json(domain, self.file("mixed", text), code=FAILED)
        self.assertEqual((counts["stored"], counts["rejected"]), (3, 3))
        told = sorted((r["line"], r["id"]) for r in counts["rejections"])
        self.assertEqual(told, [(2, "bad"), (4, ""), (6, "old")])
        done = self.run_command("import", "--domain", domain, "mixed")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"mixed, line 2: event: not a known event name, id bad\n", done.stderr)
        self.assertEqual(done.stdout, b"stored 0, duplicates 3 (conflicts 0), rejected 3\n")

    def test_nothing_of_an_import_is_pushed(self):
        domain = self.new_domain()
        bin_id = self.server.call("POST", "/eventhorn/v1/bins").json["id"]
        self.server.hook(domain, "delivered", f"{self.server.base}/bin/{bin_id}")
        self.import_json(domain, stdin=json.dumps(event(id="imported")).encode())
        self.server.ingest(domain, event(id="live"))

        def received():
            items = self.server.get(f"/eventhorn/v1/bins/{bin_id}/requests").json["items"]
            return [json.loads(item["body"])["event-data"]["id"] for item in items]

        self.assertEqual(eventually(received, "the event that is pushed"), ["live"])
        self.assertEqual(sorted(self.ids(domain)), ["imported", "live"])

    def test_exit_codes(self):
        domain = self.new_domain()
        line = json.dumps(event()).encode()
        self.assertEqual(self.run_command("import").returncode, USAGE)
        self.assertEqual(self.run_command("export", "--domain", domain, "--filter", "event").returncode, USAGE)
        done = self.run_command("import", "--domain", domain, env=self.environment(EVENTHORN_API_KEY=None))
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (USAGE, 1), done)
        self.assertEqual(self.run_command("import", "--domain", domain, "no-such-file").returncode, USAGE)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            env = self.environment(EVENTHORN_URL=f"http://127.0.0.1:{nobody.getsockname()[1]}")
            for arguments in (("import", "--domain", domain), ("export", "--domain", domain)):
                done = self.run_command(*arguments, stdin=line, env=env)
                self.assertEqual((done.returncode, done.stderr.count(b"\n")), (NO_SERVER, 1), done)
        for arguments in (("import", "--domain", "none.org"), ("export", "--domain", "none.org"),
                          ("export", "--domain", domain, "--begin", "soon")):
            done = self.run_command(*arguments, stdin=line)
            self.assertEqual((done.returncode, done.stderr.count(b"\n")), (REFUSED, 1), done)
        done = self.run_command("import", "--domain", domain, stdin=line, env=self.environment(EVENTHORN_API_KEY="wrong"))
        self.assertEqual((done.returncode, b"EVENTHORN_API_KEY" in done.stderr), (REFUSED, True), done)
        done = self.run_command("import", "--domain", domain, self.file("cut.gz", gzip.compress(line)[:-9]))
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"gzip", done.stderr)

    def test_an_export_goes_on_where_the_connection_breaks(self):
        domain = self.new_domain()
        events = [event(padding="x" * 5000) for _ in range(600)]
        for first in range(0, 600, 200):
            self.server.ingest(domain, events[first:first + 200])
        proxy = Proxy(self.server, 1_000_000)
        self.addCleanup(proxy.close)
        done = self.run_command("export", "--domain", domain, env=self.environment(EVENTHORN_URL=proxy.url))
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertEqual([json.loads(line)["id"] for line in done.stdout.splitlines()], [e["id"] for e in events])
        self.assertGreater(proxy.breaks, 1)

    def test_an_import_goes_on_over_a_restart(self):
        server = self.start()
        domain = server.add_domain()
        process = subprocess.Popen([os.environ["EVENTHORN_BINARY"], "import", "--domain", domain, "--json"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, env=self.environment(server), cwd=self.folder)
        ids = [f"e{i}" for i in range(4000)]
        port = server.port
        lines = [json.dumps(event(id=i)).encode() + b"\n" for i in ids]
        process.stdin.write(b"".join(lines[:2000]))
        process.stdin.flush()
        eventually(lambda: server.page(domain)["items"], "a first batch")
        server.kill()
        server.command[server.command.index("--listen") + 1] = f"127.0.0.1:{port}"
        server.start()
        out, _ = process.communicate(b"".join(lines[2000:]), timeout=SECONDS)
        self.assertEqual(process.returncode, DONE)
        counts = json.loads(out)
        self.assertEqual(counts["stored"] + counts["duplicates"], 4000)
        done = self.run_command("export", "--domain", domain, server=server)
        self.assertEqual([json.loads(line)["id"] for line in done.stdout.splitlines()], ids)

    def test_a_closed_pipe_and_an_interrupt_leave_one_line_and_nothing_behind(self):
        domain = self.new_domain()
        for _ in range(3):
            self.server.ingest(domain, [event(padding="x" * 10_000) for _ in range(100)])
        command = [os.environ["EVENTHORN_BINARY"], "export", "--domain", domain]
        reader, writer = os.pipe()
        process = subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, env=self.environment(), cwd=self.folder)
        os.close(writer)
        os.read(reader, 1000)
        os.close(reader)
        _, words = process.communicate(timeout=SECONDS)
        self.assertEqual((process.returncode, words), (FAILED, b"eventhorn: stdout: nobody reads it any more\n"))

        hung = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(hung.close)
        env = self.environment(EVENTHORN_URL=f"http://127.0.0.1:{hung.getsockname()[1]}")
        process = subprocess.Popen([*command, "--output", "x.ndjson"], stderr=subprocess.PIPE, env=env, cwd=self.folder)
        connection, _ = hung.accept()
        connection.recv(1000)
        connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"id":1}\n\r\n')
        eventually(lambda: (self.folder / "x.ndjson.part").exists() and (self.folder / "x.ndjson.part").stat().st_size, "a line")
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=SECONDS)
        connection.close()
        self.assertEqual((process.returncode, words.strip()), (FAILED, b"eventhorn: interrupted: the export is not whole"))
        self.assertEqual(os.listdir(self.folder), [])

    def test_progress_on_a_terminal(self):
        domain = self.new_domain()
        path = self.file("lines", "\n".join(json.dumps(event()) for _ in range(3000)))
        ours, theirs = pty.openpty()
        process = subprocess.Popen([os.environ["EVENTHORN_BINARY"], "import", "--domain", domain, path], stdout=subprocess.PIPE,
                                   stderr=theirs, env=self.environment())
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 1000):
                said += piece
        except OSError:
            pass
        os.close(ours)
        out, _ = process.communicate(timeout=SECONDS)
        self.assertEqual(out, b"stored 3000, duplicates 0 (conflicts 0), rejected 0\n")
        self.assertRegex(said.decode(), r"lines \d+ %: \d+ stored")
        self.assertTrue(said.endswith(b"\r\x1b[K"), said[-40:])

    def test_help_has_examples(self):
        for command in ("import", "export", "erase"):
            done = self.run_command(command, "--help")
            self.assertEqual(done.returncode, DONE)
            self.assertIn(f"  eventhorn {command} --domain mg.example.org".encode(), done.stdout)
            self.assertIn(b"EVENTHORN_API_KEY", done.stdout)
