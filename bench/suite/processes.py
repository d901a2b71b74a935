"""What the benchmarks share: our processes, their ports, what they and the rest of the machine use."""
import base64
import contextlib
import http.client
import json
import os
import re
import secrets
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / "build/release/bench"
WORK = ROOT / "build/bench"
SERVER_LOG = WORK / "server.log"
DOMAIN = "bench.example"
HOOKS = ["accepted", "delivered", "opened", "clicked", "unsubscribed", "complained", "temporary_fail", "permanent_fail"]

POLL_S = 0.05
STALL_S = 60  # no progress for so long: an event was lost


class Failure(Exception):
    """Something broke; the text says what."""


live = []  # children that run now, for cpu_of_ours


@contextlib.contextmanager
def child(*args, **popen):
    """A child process that does not outlive the block."""
    process = subprocess.Popen([str(a) for a in args], **popen)
    live.append(process)
    try:
        yield process
    finally:
        stop(process)
        live.remove(process)


def stop(process):
    """SIGTERM, and SIGKILL after a minute; the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def ready_port(process, name):
    """The port in the line "NAME ready http://127.0.0.1:PORT" that a child prints when it listens."""
    line = process.stdout.readline().decode()
    match = re.fullmatch(name + r" ready http://127\.0\.0\.1:(\d+)\n", line)
    if not match:
        raise Failure(f"{name} did not get ready: it printed {line!r}")
    return int(match[1])


def run_tool(name, *args):
    """Runs one of our tools to its end; the JSON line it prints."""
    with child(TOOLS / name, *args, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate()
        if process.returncode != 0:
            raise Failure(f"{name} ended with status {process.returncode}")
        return json.loads(output)


class Client:
    """Plain HTTP requests to a process on this machine."""

    def __init__(self, port, key=None):
        self.port = port
        self.headers = {}
        if key:
            self.headers["Authorization"] = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()

    def request(self, method, path, **form):
        headers = dict(self.headers)
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, urllib.parse.urlencode(form) if form else None, headers)
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise Failure(f"{method} {path} answered {response.status}: {text[:300]}")
        return text


class Receiver(Client):
    def __init__(self, process):
        super().__init__(ready_port(process, "receiver"))
        self.process = process
        self.url = f"http://127.0.0.1:{self.port}"

    def count(self):
        return int(self.request("GET", "/count"))

    def distinct(self):
        return int(self.request("GET", "/distinct"))


class Server(Client):
    def __init__(self, process, key):
        super().__init__(ready_port(process, "eventhorn"), key)
        self.process = process
        self.key = key
        self.url = f"http://127.0.0.1:{self.port}"
        self.killed = False

    def send_all_hooks_to(self, url):
        self.request("POST", "/v4/domains", name=DOMAIN)
        for hook in HOOKS:
            self.request("POST", f"/v3/domains/{DOMAIN}/webhooks", id=hook, url=url)

    def index_lag(self):
        """Events that are stored but not indexed yet."""
        rows = re.findall(r"^eventhorn_index_lag_events(?:\{[^}]*\})? (\S+)$", self.request("GET", "/metrics"), re.M)
        if not rows:
            raise Failure("/metrics has no eventhorn_index_lag_events")
        return sum(map(float, rows))

    def peak_rss_mb(self):
        return self.memory_mb("VmHWM")

    def rss_mb(self):
        return self.memory_mb("VmRSS")

    def memory_mb(self, field):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M)[1]) * 1024 / 1e6

    def kill(self):
        """kill -9."""
        self.killed = True
        self.process.kill()
        self.process.wait()

    def wait_indexed(self):
        while self.index_lag() > 0:
            time.sleep(POLL_S)


@contextlib.contextmanager
def receiver(*flags):
    with child(TOOLS / "bench_receiver", "--listen", "127.0.0.1:0", *flags, stdout=subprocess.PIPE) as process:
        yield Receiver(process)


class Targets(Client):
    """bench_targets: URLs on 127.0.0.1, 127.0.0.2, ... that are switched while they run."""

    def __init__(self, process):
        super().__init__(ready_port(process, "targets"))
        self.hook_port = int(self.request("GET", "/port"))
        self.any_url = f"http://127.0.0.{{n}}:{self.hook_port}/hook"  # for bench_load --hook-url
        self.first_url = f"http://127.0.0.1:{self.hook_port}/hook"

    def switch(self, mode, numbers):
        """`mode`: answer, hole (accept and never answer) or refuse; `numbers` as "3" or "1-50"."""
        self.request("GET", f"/{mode}/{numbers}")

    def lap(self, numbers):
        self.request("GET", f"/lap/{numbers}")

    def counts(self, numbers):
        return json.loads(self.request("GET", f"/counts/{numbers}"))

    def stats(self, numbers):
        """The counts and the delays, which take time to sort: not while something is measured."""
        return json.loads(self.request("GET", f"/stats/{numbers}"))

    def distinct(self, numbers="1"):
        return self.counts(numbers)["distinct"]


@contextlib.contextmanager
def targets(count, *flags):
    with child(TOOLS / "bench_targets", "--targets", count, *flags, stdout=subprocess.PIPE) as process:
        yield Targets(process)


KEY = secrets.token_hex(16)
SECRETS = {"EVENTHORN_API_KEY": KEY, "EVENTHORN_SIGNING_KEY": secrets.token_hex(16)}


@contextlib.contextmanager
def data_directory():
    """Goes away with the block."""
    with tempfile.TemporaryDirectory(dir=WORK, prefix="data-") as data:
        yield data


@contextlib.contextmanager
def server_on(data, options, *settings, port=0, env=None):
    """A server on that directory, stopped by SIGTERM unless it was killed; those of --set come after `settings`."""
    args = ["--set", "domains.auto_create=true", "--set", 'delivery.allow_networks=["127.0.0.0/8"]']
    for setting in [*settings, *options.set]:
        args += ["--set", setting]
    with open(SERVER_LOG, "ab") as log:
        command = [options.server, "serve", "--data", data, "--listen", f"127.0.0.1:{port}", *args]
        with child(*command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **SECRETS, **(env or {})}) as process:
            hooks = Server(process, KEY)
            yield hooks
            if hooks.killed:
                return
            if process.poll() is not None:
                raise Failure(f"the server ended with status {process.returncode}")
            if stop(process) != 0:
                raise Failure(f"the server ended with status {process.returncode} on SIGTERM")


@contextlib.contextmanager
def server(options, *settings, env=None):
    """A fresh server on an empty data directory, which goes away with it."""
    with data_directory() as data, server_on(data, options, *settings, env=env) as hooks:
        yield hooks


def cpu_s(pid):
    """CPU seconds of a live process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_ours():
    mine = os.times()
    return sum(mine[:4]) + sum(cpu_s(process.pid) for process in live)


def cpu_of_machine():
    """Busy seconds of the CPUs that the benchmark uses, with what the hypervisor took."""
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        match = re.match(r"cpu(\d+) (.*)", line)
        if match and int(match[1]) in os.sched_getaffinity(0):
            user, nice, system, _, _, irq, softirq, steal = map(int, match[2].split()[:8])
            busy += user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK")


class Others:
    """How many CPUs everything else on the machine used since this was made."""

    def __init__(self):
        self.start = time.monotonic(), cpu_of_machine() - cpu_of_ours()

    def cpus(self):
        seconds = time.monotonic() - self.start[0]
        return max(0, (cpu_of_machine() - cpu_of_ours() - self.start[1]) / seconds)


def wait_for(done, progress, what):
    """Until done(); Failure with what(progress) when progress() has not changed for STALL_S."""
    seen, since = progress(), time.monotonic()
    while not done(seen):
        time.sleep(POLL_S)
        now = progress()
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > STALL_S:
            raise Failure(f"no progress for {STALL_S} s: {what(seen)}")
    return seen


def wait_delivered(target, hooks, events):
    """Until the receiver has every event and no index lags."""
    def progress():
        distinct = target.distinct()
        return distinct, hooks.index_lag() if distinct >= events else None

    wait_for(lambda seen: seen[1] == 0, progress,
             lambda seen: f"{seen[0]} of {events} events delivered, index lag {hooks.index_lag():.0f}")


def produce(hooks, events, *flags):
    return run_tool("bench_producer", "--target", hooks.url, "--domain", DOMAIN, "--key", hooks.key,
                    "--count", events, "--spool", WORK, *flags)


def load_command(hooks, *flags):
    return [TOOLS / "bench_load", "--target", hooks.url, "--key", hooks.key, *flags]


def load(hooks, *flags):
    """Runs bench_load to its end; its summary."""
    return run_tool(*load_command(hooks, *flags))


@contextlib.contextmanager
def load_beside(hooks, *flags):
    """bench_load as long as the block; the dict given gets its summary at the end."""
    summary = {}
    with child(*load_command(hooks, "--until-stopped", *flags), stdout=subprocess.PIPE) as process:
        yield summary
        process.terminate()
        output, _ = process.communicate()
        if process.returncode != 0:
            raise Failure(f"bench_load ended with status {process.returncode}")
        summary.update(json.loads(output))
