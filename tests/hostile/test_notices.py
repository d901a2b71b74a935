"""Being told: alerts.url and the stream of notices say the same, whatever becomes of those who listen."""
import collections
import http.client
import json
import socket
import threading
import time

from harness import API_KEY, SECONDS, SIGNING_KEY, basic, event
from receivers import Farm, hmac_hex
from suite import PARKING, Hostile


class Ears(Farm):
    """Receivers of alerts: `alerts` are the bodies that came. What is not signed by the key, or came before, is a
    fault."""

    def __init__(self):
        super().__init__()
        self.alerts = []

    def check(self, request):
        body = json.loads(request.body)
        given = body["signature"]
        if request.method != "POST" or request.values("content-type") != ["application/json"]:
            self.faults.append(f"not the shape of an alert: {request.head[:200]!r}")
        if given["signature"] != hmac_hex(SIGNING_KEY, (given["timestamp"] + given["token"]).encode()):
            self.faults.append(f"bad signature: {request.body[:200]!r}")
        if given["token"] in self.tokens:
            self.faults.append(f"token used before: {given['token']}")
        self.tokens.add(given["token"])
        request.id = body["notice"]["id"]
        self.alerts.append(body)


class Stream(threading.Thread):
    """A client of the notices' stream, open when this returns. `notices` are those that came, `end` is how it ended."""

    def __init__(self, server, last=None):
        super().__init__(daemon=True)
        fields = {"Authorization": basic(API_KEY), **({"Last-Event-ID": str(last)} if last else {})}
        connection = http.client.HTTPConnection(server.host, server.port, timeout=SECONDS)
        connection.request("GET", "/eventhorn/v1/notices/stream", headers=fields)
        self.socket = connection.sock
        self.answer = connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.notices, self.end = [], None
        self.start()

    def run(self):
        block = {}
        try:
            while line := self.answer.readline().decode().rstrip("\n"):
                name, _, value = line.partition(": ")
                block[name] = value
                if name == "data":
                    notice = json.loads(value)
                    assert (block["id"], block["event"]) == (str(notice["id"]), notice["kind"]), block
                    self.notices.append(notice)
                if name in ("data", ":"):
                    block = {}
                    self.answer.readline()  # the empty line
            self.end = "closed"
        except Exception as error:  # pylint: disable=broad-except
            self.end = repr(error)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join()


class Told(Hostile):
    def setUp(self):
        super().setUp()
        self.ears = Ears()
        self.addCleanup(self.ears.close)

    def tearDown(self):
        self.assertEqual(self.ears.faults[:3], [])
        super().tearDown()

    def start_told(self, *behaviour, interval="0s"):
        """A server of this test's own that tells its notices to a receiver that behaves so."""
        alerts = self.ears.start(*behaviour)
        self.server = self.start(*PARKING, f"alerts.url={alerts.url()}", f"alerts.min_interval={interval}")

    def gone(self):
        """A receiver that answers 410, and the notice of it."""
        port = self.farm.start("answers", 410)
        self.ingest(self.domain_for(port.url()), event())
        of_port = lambda: [notice for notice in self.items("notices", limit=1000) if notice["url"] == port.url()]
        (notice,) = self.eventually(of_port, "the notice")
        self.assertEqual(notice["kind"], "endpoint.gone")
        return port, notice

    def park_and_return(self):
        port = self.farm.start("answers", 503)
        domain = self.domain_for(port.url())
        self.ingest_many(domain, 20)
        self.await_state(port.url(), "parked")
        port.behave("answers", 200)
        self.await_all(port, domain)
        return port

    def test_both_say_the_same(self):
        """Parked, returned, gone, missed: each is told to alerts.url, signed, again when it was not taken; streamed, in
        order; and listed. All three in the same words."""
        self.start_told("answers", 500, 200)
        stream = Stream(self.server)
        parked = self.park_and_return()
        gone, _ = self.gone()
        gone.behave("answers", 200)
        self.resume(gone.url())
        missed = self.farm.start("answers", 500)
        (one,) = self.ingest(self.domain_for(missed.url()), event())
        expected = {parked.url(): ["endpoint.parked", "endpoint.returned"],
                    gone.url(): ["endpoint.gone", "endpoint.returned"], missed.url(): ["event.missed"]}
        listed = self.eventually(lambda: len(found := self.items("notices", limit=1000)) >= 5 and found, "the notices")
        kinds = collections.defaultdict(list)
        for notice in listed:
            kinds[notice["url"]].append(notice["kind"])
        self.assertEqual(kinds, expected)
        self.assertEqual([notice["event"] for notice in listed if notice["kind"] == "event.missed"], [one])
        self.eventually(lambda: len(stream.notices) >= 5, "the stream")
        self.assertEqual(stream.notices, listed)
        self.eventually(lambda: len({alert["notice"]["id"] for alert in self.ears.alerts}) == 5, "the alerts")
        first, *others = sorted(self.ears.alerts, key=lambda alert: alert["notice"]["id"])
        self.assertEqual([alert["notice"] for alert in others], listed, "the first one twice: 500 is no answer")
        self.assertEqual(first["notice"], listed[0])
        self.assertFalse([alert for alert in self.ears.alerts if "suppressed" in alert])
        stream.close()

    def test_notices_and_alerts_outlive_the_process(self):
        """What was listed is listed after a stop and after a kill; alerts that nobody took go out after the start."""
        for end in ("stop", "kill"):
            with self.subTest(end):
                alerts = self.ears.start("answers", 500)
                self.server = self.start(*PARKING, f"alerts.url={alerts.url()}", "alerts.min_interval=0s")
                self.gone()
                self.gone()
                listed = self.items("notices", limit=1000)
                self.assertEqual(len(listed), 2)
                self.eventually(lambda: alerts.requests, "an alert")
                getattr(self.server, end)()
                alerts.behave("answers", 200)
                self.server.start()
                self.assertEqual(self.items("notices", limit=1000), listed)
                told = {notice["id"] for notice in listed}
                self.eventually(lambda t=told, a=alerts: t <= set(a.confirmed), "the alerts")
                getattr(self.server, end)()
                self.server.start()
                _, later = self.gone()
                self.eventually(lambda one=later["id"], a=alerts: one in a.confirmed, "the next alert")
                if end == "stop":
                    self.assertEqual(max(alerts.confirmed.values()), 1, "none is told again")

    def test_one_alert_in_an_interval(self):
        """Of one kind about one URL, however often it comes; the others are counted, and the last one is told."""
        seconds, times = 3, 10
        self.start_told("answers", 200, interval=f"{seconds}s")
        begin = time.monotonic()
        port, _ = self.gone()
        beside, _ = self.gone()
        listed = lambda: [notice["id"] for notice in self.items("notices", limit=1000)
                          if (notice["url"], notice["kind"]) == (port.url(), "endpoint.gone")]
        for count in range(2, times + 1):
            self.resume(port.url())
            self.eventually(lambda n=count: len(listed()) == n, "it to be gone again")
        told = lambda url: [alert for alert in self.ears.alerts if alert["notice"]["kind"] == "endpoint.gone" and
                            alert["notice"]["url"] == url]
        self.eventually(lambda: listed()[-1] in [alert["notice"]["id"] for alert in told(port.url())], "the last one")
        alerts = told(port.url())
        self.assertEqual(sum(1 + alert.get("suppressed", 0) for alert in alerts), times)
        self.assertLessEqual(len(alerts), 1 + (time.monotonic() - begin) / seconds)
        self.assertEqual(len(told(beside.url())), 1)

    def test_the_stream_is_taken_up_again(self):
        """With the last id a client gets what it missed, once; without it, what is new. A stop ends the streams; ids
        ascend over it."""
        self.start_told("answers", 200)
        broken = Stream(self.server)
        _, first = self.gone()
        self.eventually(lambda: broken.notices == [first], "the first notice")
        broken.close()
        missed = [self.gone()[1] for _ in range(3)]
        fresh, again = Stream(self.server), Stream(self.server, last=first["id"])
        self.eventually(lambda: len(again.notices) >= 3, "what was missed")
        live = self.gone()[1]
        self.eventually(lambda: live in again.notices and live in fresh.notices, "what is new")
        self.assertEqual((again.notices, fresh.notices), ([*missed, live], [live]))
        self.server.stop()
        self.eventually(lambda: not (again.is_alive() or fresh.is_alive()), "the streams to end")
        self.assertEqual((again.end, fresh.end), ("closed", "closed"))
        self.server.start()
        again = Stream(self.server, last=live["id"])
        later = self.gone()[1]
        self.eventually(lambda: later in again.notices, "a notice after the start")
        self.assertEqual(again.notices, [later])
        self.assertGreater(later["id"], live["id"])
        again.close()
