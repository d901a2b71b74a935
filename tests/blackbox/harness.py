"""What the black-box tests share: the server process, HTTP calls, and waiting with deadlines."""
import base64
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

API_KEY = "0123456789abcdef0123456789abcdef-01234567-89abcdef"
SIGNING_KEY = "key-00112233445566778899aabbccddeeff"
LOOPBACK = "delivery.allow_networks=127.0.0.0/8"
SECONDS = 30  # how long anything may take before a test gives up


def eventually(probe, what, seconds=SECONDS):
    """The first true value of probe(); AssertionError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Answer:
    """A response. `headers` is an http.client.HTTPMessage."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


def basic(key, user="api"):
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


def multipart(fields, boundary="b0undary"):
    """(content type, body) of a multipart form."""
    parts = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                    for name, value in fields)
    return f"multipart/form-data; boundary={boundary}", (parts + f"--{boundary}--\r\n").encode()


def event(kind="delivered", **fields):
    """An event of Mailgun's form with a fresh id. Underscores in names stand for hyphens."""
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    base = {"event": kind, "id": secrets.token_urlsafe(12), "timestamp": round(time.time(), 6),
            "recipient": "dana@inbox.example",
            "message": {"headers": {"message-id": secrets.token_hex(8) + "@mg.example.org"}}}
    if kind == "failed":
        base.update(severity="permanent", reason="bounce")
    return {**base, **fields}


class Server:
    """The eventhorn process on a data directory, listening on a free port.

    `settings` are "key=value" for --set; `env` overrides the environment, where None unsets a variable. The data
    directory is a temporary one, kept until close(), unless `data` names one.
    """

    def __init__(self, *settings, args=(), env=None, data=None, listen="127.0.0.1:0"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="eventhorn-test-"))
        self.data = pathlib.Path(data) if data else self.folder / "data"
        self.key = API_KEY
        self.command = [os.environ["EVENTHORN_BINARY"], "serve", "--data", str(self.data), "--listen", listen, *args]
        for setting in settings:
            self.command += ["--set", setting]
        self.env = {"EVENTHORN_API_KEY": API_KEY, "EVENTHORN_SIGNING_KEY": SIGNING_KEY, **(env or {})}
        self.process = None
        self.base = None
        self.last_words = None  # of stderr, kept by close()

    def environment(self):
        env = {name: value for name, value in os.environ.items() if not name.startswith("EVENTHORN_")}
        env.update({name: value for name, value in self.env.items() if value is not None})
        return env

    def spawn(self):
        """Starts the process without waiting for it."""
        with open(self.folder / "stderr", "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            env=self.environment(), cwd=self.folder)
        return self

    def start(self):
        """Starts the process and waits until it says that it is ready."""
        self.spawn()
        watchdog = threading.Timer(SECONDS, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().decode()
        watchdog.cancel()
        if not line.startswith("eventhorn ready http://127.0.0.1:"):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server is not ready; stdout {line!r}, stderr:\n{self.stderr()}")
        self.base = line.split()[2]
        self.host, port = self.base.removeprefix("http://").split(":")
        self.port = int(port)
        return self

    def stderr(self):
        path = self.folder / "stderr"
        return path.read_text(errors="replace") if path.exists() else ""

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def wait(self):
        """The exit status of the process, which must end by itself."""
        code = self.process.wait(SECONDS)
        self.process.stdout.close()
        return code

    def kill(self):
        self.process.kill()
        return self.wait()

    def stop(self):
        """Ends the process with SIGTERM; AssertionError when it does not exit with 0."""
        if not self.is_running():
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop within {SECONDS} s of SIGTERM") from None
        if code != 0:
            raise AssertionError(f"the server exited with {code} after SIGTERM")

    def close(self):
        try:
            crashed = self.process is not None and self.process.returncode is None and self.process.poll() is not None
            if crashed:
                raise AssertionError(f"the server ended by itself with {self.process.returncode}")
            self.stop()
        finally:
            self.last_words = self.stderr()[-6000:]
            shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, form=None, fields=None, data=None, body=None, headers=None, key=API_KEY):
        """`path` may be a whole URL, whose authority is ignored. The body comes from `form` (dict or pairs,
        urlencoded), `fields` (pairs, multipart), `data` (anything, as JSON) or `body` (bytes).
        `key` None sends no credentials."""
        headers = dict(headers or {})
        if key is not None:
            headers.setdefault("Authorization", basic(self.key if key == API_KEY else key))
        if form is not None:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            body = urllib.parse.urlencode(form, doseq=True).encode()
        elif fields is not None:
            content_type, body = multipart(fields)
            headers.setdefault("Content-Type", content_type)
        elif data is not None:
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(data).encode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SECONDS)
        try:
            connection.request(method, re.sub("^https?://[^/]*", "", path), body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def ingest(self, domain, data, query=""):
        return self.call("POST", f"/v3/{domain}/events{query}", data=data)

    def add_domain(self, name="mg.example.org"):
        answer = self.call("POST", "/v3/domains", form={"name": name})
        assert answer.status == 200, answer
        return name

    def hook(self, domain, name, *urls):
        answer = self.call("POST", f"/v3/domains/{domain}/webhooks",
                           form=[("id", name), *(("url", url) for url in urls)])
        assert answer.status == 200, answer
        return answer

    def metric(self, name, **labels):
        """The sum of the metric's samples that carry `labels`; 0 when there is none."""
        total = 0.0
        for line in self.get("/metrics").body.decode().splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.partition("{")[0] == name and all(f'{k}="{v}"' in sample for k, v in labels.items()):
                total += float(value)
        return total

    def page(self, domain, query="", **options):
        """The Events API's answer, which must be 200."""
        answer = self.get(f"/v3/{domain}/events{query}", **options)
        assert answer.status == 200, answer
        return answer.json

    def poll(self, domain, query=""):
        """All events from the first page on, following `next` to the end."""
        page = self.page(domain, query)
        items = []
        while page["items"]:
            items += page["items"]
            page = self.get(page["paging"]["next"]).json
        return items

    def raw(self, data, shut=False, until=None):
        """What comes back for `data` on a connection of its own, until the server closes it, or until(received)."""
        with socket.create_connection((self.host, self.port), timeout=SECONDS) as connection:
            try:
                connection.sendall(data)
                if shut:
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server has answered and closed before reading all: its answer is what counts
            received = b""
            while not (until and until(received)):
                try:
                    chunk = connection.recv(65536)
                except ConnectionResetError:
                    break
                if not chunk:
                    break
                received += chunk
            return received


def head(server, method, path, *lines, key=API_KEY):
    """The bytes of a request's head with Host and credentials, for Server.raw."""
    fields = [f"{method} {path} HTTP/1.1", f"Host: {server.host}:{server.port}"]
    if key is not None:
        fields.append(f"Authorization: {basic(key)}")
    return ("\r\n".join([*fields, *lines]) + "\r\n\r\n").encode()


def curl(*arguments):
    """curl's stdout; the environment's proxies play no part."""
    done = subprocess.run(["curl", "-s", "--noproxy", "*", "--max-time", str(SECONDS), *arguments],
                          stdout=subprocess.PIPE, check=False)
    assert done.returncode == 0, f"curl exited with {done.returncode}"
    return done.stdout.decode()


class Case(unittest.TestCase):
    """A test whose class may share one server: `settings` (a tuple) starts it as `cls.server`, with `args` and `env`.
    Tests take a domain of their own with new_domain(). When a test fails, the servers' logs are shown. `seconds` is about
    how long the tests of the class take, where that is much: `run` deals classes by it."""

    seconds = 1
    settings = None
    args = ()
    env = None
    server = None
    maxDiff = 4000

    def __init__(self, *args):
        super().__init__(*args)
        self.own_servers = []

    @classmethod
    def setUpClass(cls):
        if cls.settings is not None:
            cls.server = Server(*cls.settings, args=cls.args, env=cls.env).start()
            cls.addClassCleanup(cls.server.close)

    def start(self, *settings, **options):
        """A server for this test alone, ended with it."""
        server = Server(*settings, **options)
        self.addCleanup(server.close)
        self.own_servers.append(server)
        server.start()
        return server

    def run(self, result=None):
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            servers = [*self.own_servers, *filter(None, [self.server])]
            for server in servers:
                print(f"\n--- {unittest.TestCase.id(self)}: stderr of the server\n{server.last_words or server.stderr()[-6000:]}---")

    def new_domain(self, server=None):
        return (server or self.server).add_domain(f"d{secrets.token_hex(6)}.example.org")

    def assert_message(self, answer, status, message):
        self.assertEqual(answer.status, status, answer)
        self.assertTrue(answer.headers["Content-Type"].startswith("application/json"), answer.headers)
        self.assertEqual(answer.json["message"], message)
