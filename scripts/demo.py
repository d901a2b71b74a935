#!/usr/bin/env python3
"""Starts a server for trying out, sends sample events through it, and checks every signed webhook that comes back.

Usage: demo.py EVENTHORN-BINARY
Stays up until Ctrl-C or SIGTERM, which it passes on to the server. EVENTHORN_* variables reach the server. Exit 0 when
every webhook arrived and the server stopped cleanly.
"""
import base64
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

DOMAIN = "mg.example.org"
HOOKS = ["accepted", "delivered", "opened", "clicked", "unsubscribed", "complained", "temporary_fail", "permanent_fail"]
MESSAGES = 4
READY_SECONDS = 30
DELIVERY_SECONDS = 20


class DemoError(Exception):
    """What went wrong, for the user."""


class Server:
    """The eventhorn process. Signals sent to us go on to it, once each."""

    def __init__(self, binary):
        self.data = pathlib.Path(os.environ.get("EVENTHORN_STORE_DATA") or "eventhorn-data")
        command = [binary, "serve", "--dev", "--data", str(self.data)]
        if "EVENTHORN_SERVER_LISTEN" not in os.environ and not is_free(8480):
            command += ["--listen", "127.0.0.1:0"]
        self.stopping = False
        self.base = None
        self.ready = threading.Event()
        # In a session of its own: Ctrl-C must reach the server through us only, since a second signal ends it at once.
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.stop)
        threading.Thread(target=self.read_stdout, daemon=True).start()

    def read_stdout(self):
        for line in self.process.stdout:
            if line.startswith("eventhorn ready "):
                self.base = line.split()[2]
                self.ready.set()
            else:
                print(line, end="", flush=True)
        self.ready.set()

    def stop(self, *_):
        self.stopping = True
        self.process.send_signal(signal.SIGTERM)

    def wait_ready(self):
        self.ready.wait(READY_SECONDS)
        if self.base is None and not self.stopping:
            raise DemoError("the server did not start; its messages are above")

    def secret(self, variable, file):
        value = os.environ.get(variable)
        return value or (self.data / file).read_text().strip()


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Api:
    def __init__(self, base, key):
        self.base = base
        self.authorization = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()
        # A proxy of the environment has no business between us and our own server.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method, path, form=None, body=None, accept=(200,)):
        """(status, JSON); DemoError for a status that is not in `accept`."""
        data, content_type = body, "application/json"
        if form is not None:
            data, content_type = urllib.parse.urlencode(form, doseq=True).encode(), "application/x-www-form-urlencoded"
        headers = {"Authorization": self.authorization}
        if data is not None:
            headers["Content-Type"] = content_type
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=30) as response:
                status, answer = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, answer = error.code, error.read()
        except OSError as error:
            raise DemoError(f"{method} {path}: {error}") from error
        if status not in accept:
            raise DemoError(f"{method} {path}: status {status}: {answer.decode(errors='replace')[:300]}")
        return status, json.loads(answer) if answer[:1] in (b"{", b"[") else None


def sample_events(now):
    """MESSAGES events of each kind, in Mailgun's form."""
    return [event for n in range(MESSAGES) for event in message_events(n, now)]


def message_events(n, now):
    recipient = ["dana.ruiz", "full.box", "no.such.user", "kim.lee"][n % 4] + "@inbox.example"
    message_id = f"{secrets.token_hex(8)}@{DOMAIN}"
    headers = {"to": recipient, "from": f"Acme Parcels <notify@{DOMAIN}>", "message-id": message_id,
               "subject": f"Your parcel {8841 + n} is on its way"}
    message = {"headers": headers, "attachments": [], "size": 3120}
    with_recipients = {**message, "recipients": [recipient]}
    envelope = {"sender": f"notify@{DOMAIN}", "targets": recipient, "transport": "smtp"}
    reader = {"recipient": recipient, "message": {"headers": {"message-id": message_id}}, "ip": "203.0.113.77",
              "geolocation": {"country": "US", "region": "TX", "city": "San Antonio"},
              "client-info": {"client-type": "browser", "client-os": "Linux", "device-type": "desktop",
                              "client-name": "Firefox", "user-agent": "Mozilla/5.0", "bot": ""}}
    listing = {"mailing-list": {"address": f"news@{DOMAIN}"}, "task-id": secrets.token_hex(8)}

    def status(code, text, **more):
        return {"attempt-no": 1, "code": code, "message": text, "description": "", "session-seconds": 0.4, **more}

    kinds = [
        ("accepted", "info", {"method": "HTTP", "recipient": recipient, "envelope": envelope, "message": with_recipients}),
        ("rejected", "warn", {"reject": {"reason": "Sandbox subdomains", "description": ""}, "message": message}),
        ("delivered", "info", {"recipient": recipient, "envelope": envelope, "message": message,
                               "delivery-status": status(250, "OK", tls=True)}),
        ("failed", "warn", {"severity": "temporary", "reason": "generic", "recipient": recipient, "envelope": envelope,
                            "message": message,
                            "delivery-status": status(452, "4.2.2 over quota", **{"retry-seconds": 600})}),
        ("failed", "error", {"severity": "permanent", "reason": "bounce", "recipient": recipient, "envelope": envelope,
                             "message": message, "delivery-status": status(550, "5.1.1 no such mailbox")}),
        ("opened", "info", reader),
        ("clicked", "info", {**reader, "url": f"https://example.org/track/{8841 + n}"}),
        ("unsubscribed", "info", reader),
        ("complained", "warn", {"recipient": recipient, "message": message}),
        ("stored", "info", {"message": with_recipients, "storage": {"key": secrets.token_hex(12)}}),
        ("list_member_uploaded", "info", {**listing, "member": {"address": recipient, "subscribed": True}}),
        ("list_member_upload_error", "error", {**listing, "format": "csv", "member-description": "line 3",
                                               "error": {"message": "not an address"}}),
        ("list_uploaded", "info", {**listing, "format": "csv", "is-upsert": True, "upserted-count": 1,
                                   "failed-count": 1, "subscribed": True, "member": {}}),
    ]
    common = {"tags": ["shipping"], "campaigns": [], "user-variables": {"order_id": str(8841 + n)}}
    return [{"event": name, "id": secrets.token_urlsafe(16), "timestamp": round(now - random.uniform(1, 60), 6),
             "log-level": level, **common, **fields} for name, level, fields in kinds]


def hook_of(event):
    """The webhook an event fires; None when it has none."""
    name = event["event"]
    if name == "failed":
        return event["severity"] + "_fail" if event["severity"] == "temporary" else "permanent_fail"
    return name if name in HOOKS else None


def is_signed(payload, signing_key):
    signature = payload["signature"]
    text = signature["timestamp"] + signature["token"]
    expected = hmac.new(signing_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature["signature"])


def set_up(api):
    """A domain and a new bin, with all webhooks of the domain pointing at the bin."""
    api.call("POST", "/v3/domains", form={"name": DOMAIN}, accept=(200, 400, 409))  # it may exist from the last time
    _, new_bin = api.call("POST", "/eventhorn/v1/bins")
    for hook in HOOKS:
        path = f"/v3/domains/{DOMAIN}/webhooks"
        status, _ = api.call("POST", path, form={"id": hook, "url": new_bin["url"]}, accept=(200, 400))
        if status == 400:
            api.call("PUT", f"{path}/{hook}", form={"url": new_bin["url"]})
    return new_bin


def captured(api, bin_id):
    _, listing = api.call("GET", f"/eventhorn/v1/bins/{bin_id}/requests")
    return [json.loads(item["body"]) for item in listing["items"] if item["method"] == "POST"]


def show(api, signing_key, server):
    """Runs the demonstration; (new bin, events sent, webhooks expected, received, verified)."""
    new_bin = set_up(api)
    events = sample_events(time.time())
    _, answer = api.call("POST", f"/v3/{DOMAIN}/events", body=json.dumps(events).encode())
    if answer["stored"] != len(events):
        raise DemoError(f"of {len(events)} events {answer['stored']} were stored: {answer['rejected'][:3]}")
    expected = {event["id"] for event in events if hook_of(event)}
    deadline = time.monotonic() + DELIVERY_SECONDS
    payloads = []
    while not server.stopping:
        payloads = captured(api, new_bin["id"])
        if len(payloads) >= len(expected) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    verified = {p["event-data"]["id"] for p in payloads if is_signed(p, signing_key)} & expected
    return new_bin, len(events), len(expected), len(payloads), len(verified)


def summary(api, key, new_bin, sent, expected, received, verified):
    base, bin_id = api.base, new_bin["id"]
    begin = int(datetime.datetime.now().timestamp()) - 1800
    return f"""
Eventhorn is up at {base}

  {sent} sample events of all kinds were sent to {DOMAIN}; {expected} of them fire a webhook.
  {received} signed POSTs arrived at the request bin; {verified} have a valid signature.

Try it in another terminal:

  # what the webhooks brought
  curl -su 'api:{key}' {base}/eventhorn/v1/bins/{bin_id}/requests

  # the same events, polled
  curl -su 'api:{key}' '{base}/v3/{DOMAIN}/events?begin={begin}&ascending=yes&limit=5'

  # send an event of your own; it comes back as a webhook
  curl -su 'api:{key}' {base}/v3/{DOMAIN}/events -H 'Content-Type: application/json' \\
    -d '{{"event":"delivered","recipient":"you@example.org"}}'

  # point another webhook at a URL of yours (here: a second domain, which --dev creates)
  curl -su 'api:{key}' {base}/v3/domains/mail.example.org/webhooks -F id=opened -F url={new_bin["url"]}

  # have a webhook tested with a sample event
  curl -su 'api:{key}' -X PUT {base}/v3/domains/{DOMAIN}/webhooks/clicked/test -F url={new_bin["url"]}

Ctrl-C stops it. The data stays in the data directory.
"""


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    server = Server(sys.argv[1])
    ok = False
    try:
        server.wait_ready()
        if not server.stopping:
            key = server.secret("EVENTHORN_API_KEY", "api_key")
            api = Api(server.base, key)
            figures = show(api, server.secret("EVENTHORN_SIGNING_KEY", "signing_key"), server)
            if not server.stopping:
                print(summary(api, key, *figures), flush=True)
                _, _, expected, _, verified = figures
                ok = verified == expected
                if not ok:
                    print(f"demo: only {verified} of {expected} webhooks arrived with a valid signature", file=sys.stderr)
    except (DemoError, OSError, KeyError, ValueError) as error:
        if not server.stopping:
            print(f"demo: {error}", file=sys.stderr)
            server.stop()
    # Handlers run while we wait: a signal goes to the server, and its end is ours.
    code = server.process.wait()
    sys.exit(0 if ok and code == 0 else 1)


main()
