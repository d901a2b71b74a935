"""What a receiver may answer, one endpoint each: what settles, what fails, and what it costs."""
import time

from behaviours import ENDLESS, FOLDED, WIRE, retry_after_forms
from certificates import NAMES, Certificates
from harness import SECONDS, event
from suite import NO_PARKING, PASSWORD, SMALL, Hostile

ATTEMPTS = 3  # of an event that always fails, by the schedule of SMALL


EXTRA = ("extra_bytes", "extra_record", "late_extra_bytes")  # behaviours


def check_extra_bytes(case, port):
    """Sends five events to a port of EXTRA; asserts that each has a connection of its own, and is settled at once."""
    domain = case.domain_for(port.url())
    retried = case.outcomes("retry")
    for _ in range(5):
        case.ingest(domain, event())
        case.await_all(port, domain)
        case.eventually(lambda: not port.in_hand, "the extra bytes to be sent")
    case.assertEqual(port.connections, 5)
    case.assertEqual(case.outcomes("retry"), retried)


class Answers(Hostile):
    settings = NO_PARKING

    def exercise(self, ports, expected):
        """Sends one event to each port by name, and asserts that those of `expected` are attempted once (True: settled)
        or ATTEMPTS times (False: missed). Returns the ids by name."""
        missed = self.missed_total()
        ids = {name: self.ingest(self.domain_for(port.url(), name="opened"), event("opened"))[0]
               for name, port in ports.items()}
        clock = self.farm.start("answers", 500)
        failing = sum(not good for good in expected.values())
        self.eventually(lambda: self.missed_total() >= missed + failing, "what fails to be missed")
        # By now retries would have come: an event that was sent later has had all of its attempts.
        self.ingest(self.domain_for(clock.url(), name="opened"), event("opened"))
        self.eventually(lambda: len(clock.attempts) == ATTEMPTS, "the attempts of another event")
        for name, port in ports.items():
            with self.subTest(name):
                self.assertEqual({one for _, one in port.attempts} - {ids[name], None}, set())
                self.assertEqual(len(port.attempts), 1 if expected[name] else ATTEMPTS)
        self.eventually(lambda: self.missed_total() == missed + failing + 1, "the last attempt")
        return ids

    def test_on_the_wire(self):
        """R9, R10, R11: a head that came whole decides alone where it can be read in one way."""
        ports = {name: self.farm.start("raw", data) for name, (data, _) in WIRE.items()}
        self.exercise(ports, {name: good for name, (_, good) in WIRE.items()})

    def test_endings(self):
        """R3, R4, R5, R6, R7, R8, R24, R25: what comes after the head undoes nothing; without a head it fails."""
        good = {"cut_body": (), "slow_body": (), "endless_chunks": (), "ten_gigabytes": (), "gzip_bomb": (),
                "error_json": (), "expects_continue": (), "extra_bytes": (), "late_extra_bytes": (),
                "keeps_one_request": ()}
        bad = {"resets": (), "closes": (), "no_answer": (), "slow_head": (), "interim_storm": (), "huge_field": (),
               "many_fields": (), "redirects": ("http://169.254.169.254/latest/",), "raw": (FOLDED,)}
        ports = {name: self.farm.start(name, *arguments) for name, arguments in {**good, **bad}.items()}
        for coding in ("deflate", "br", "gzip, gzip"):
            ports[coding] = self.farm.start("gzip_bomb", coding)
        before = self.resident_bytes()
        self.exercise(ports, {name: name not in bad for name in ports})
        self.assertLess(self.resident_bytes() - before, 32 << 20, "R4, R5: memory is flat")
        # R1, R2, R3: nobody pinned a slot.
        self.eventually(lambda: self.server.metric("eventhorn_deliveries_in_flight") == 0, "slots to be free")
        for name in ("no_answer", "slow_head", "slow_body"):
            self.eventually(lambda name=name: not ports[name].open, f"{name}: its connections to be closed")
            self.assertEqual(len(ports[name].held), 1 if name == "slow_body" else ATTEMPTS)

    def test_before_the_request_is_read(self):
        """R1, R7, R20, R24, R26: receivers that do not wait for the request, or never read it."""
        ports = {"reads_nothing": self.farm.start("reads_nothing"), "resets_at_once": self.farm.start("resets_at_once"),
                 "smtp_banner": self.farm.start("smtp_banner"), "half_closed": self.farm.start("half_closed"),
                 "early 200": self.farm.start("answers_early", 200), "full": self.farm.start_full(),
                 "early 500": self.farm.start("answers_early", 500),
                 "within the body": self.farm.start("answers_within_the_body", 200),
                 "refused": self.farm.start("answers", 200)}
        self.farm.stop(ports["refused"])
        missed = self.missed_total()
        succeeded = self.outcomes("success")
        retried = self.outcomes("retry")
        for port in ports.values():
            self.ingest(self.domain_for(port.url(), name="opened"), event("opened"))
        self.eventually(lambda: self.missed_total() == missed + 7, "seven events to be missed")
        self.assertEqual(self.outcomes("success"), succeeded + 2)
        self.assertEqual(self.outcomes("retry"), retried + 7 * (ATTEMPTS - 1))
        for name in ("reads_nothing", "resets_at_once", "smtp_banner", "half_closed", "early 500"):
            self.assertEqual(ports[name].connections, ATTEMPTS, name)

    def test_large_events_to_receivers_that_answer_early(self):
        """R24: the answer counts although the body did not fit into the sockets' buffers, and was never read."""
        port = self.farm.start("answers_within_the_body", 200)
        domain = self.domain_for(port.url(), name="opened")
        succeeded = self.outcomes("success")
        self.ingest(domain, event("opened", user_variables={"pad": "x" * 900_000}))
        self.eventually(lambda: self.outcomes("success") == succeeded + 1,
                        "the answer to count")

    def test_idle_connections_that_the_receiver_closed(self):
        """R7: a request on a kept connection that proves to be closed is made again at once, on a fresh one."""
        port = self.farm.start("keeps_one_request")
        domain = self.domain_for(port.url())
        retried = self.outcomes("retry")
        for _ in range(20):
            self.ingest(domain, event())
            self.await_all(port, domain)
        self.assertEqual(self.outcomes("retry"), retried)
        self.assertEqual((len(port.attempts), port.connections), (20, 20))

    def test_extra_bytes(self):
        """R12: an answer that nobody asked for is never taken for the next request's."""
        for behaviour in EXTRA:
            with self.subTest(behaviour):
                check_extra_bytes(self, self.farm.start(behaviour))

    def test_redirects_are_told_and_not_followed(self):
        """R13, S8: every 3xx fails, whatever it points to; the record has the Location on one line."""
        inner = self.farm.start("answers", 200)
        for status in (300, 301, 302, 303, 305, 307, 308):
            port = self.farm.start("redirects", inner.url("/inner"), status)
            domain = self.domain_for(port.url(), name="opened")
            answer = self.server.call("PUT", f"/v3/domains/{domain}/webhooks/opened/test", form={"url": port.url()})
            self.assertEqual(answer.json["code"], status, answer)
            self.ingest(domain, event("opened"))
            self.eventually(lambda p=port: p.requests > 1, "an attempt")
        self.assertEqual(inner.requests, 0)

    def test_retry_after_in_all_forms(self):
        """R16: seconds and dates rest the endpoint; the past, and what is no form of it, does not. Absurd lengths are
        cut to a bound, which the unit tests show."""
        ports, seconds = {}, {}
        for status in (429, 503):
            for name, (fields, rest) in retry_after_forms().items():
                port = self.farm.start("first_says", status, *fields)
                ports[status, name], seconds[status, name] = port, rest
                domain = self.domain_for(port.url())
                self.ingest(domain, event())
                self.eventually(lambda p=port: p.requests, "the first attempt")
                self.ingest(domain, event())  # another event of the endpoint has to wait as well
        for key, port in ports.items():
            with self.subTest(key):
                self.eventually(lambda p=port: len(p.confirmed) == 2, "both events")
                waited = port.attempts[1][0] - port.attempts[0][0]
                if seconds[key]:
                    self.assertGreaterEqual(waited, seconds[key] - 1)
                else:
                    self.assertLess(len(port.attempts), 4)
        immediate = [ports[key].attempts[1][0] - ports[key].attempts[0][0] for key in ports if not seconds[key]]
        resting = [ports[key].attempts[1][0] - ports[key].attempts[0][0] for key in ports if seconds[key]]
        self.assertLess(max(immediate), min(resting), "what is no Retry-After slows nobody")

    def test_retry_after_is_no_means_against_others(self):
        """R16: an endpoint that asks for an hour rests alone, though it shares the host."""
        port = self.farm.start("says", 503, "Retry-After: 999999999999999999999")
        domain = self.domain_for(port.url())
        other = self.farm.start("answers", 200)
        self.ingest(domain, event())
        self.eventually(lambda: port.requests, "the first attempt")
        beside = self.domain_for(other.url())
        self.ingest_many(domain, 20)
        self.ingest_many(beside, 20)
        self.await_all(other, beside)
        self.assertEqual(port.requests, 1)

    def test_secrets_stay_out_of_logs(self):
        """S10, A10: masked where an event is given up; sent as Basic. tearDown looks for the password."""
        port = self.farm.start("answers", 500)
        url = port.url().replace("://", f"://user:{PASSWORD}@")
        domain = self.domain_for(url, name="opened")
        (one,) = self.ingest(domain, event("opened"))
        self.eventually(lambda: one in self.server.stderr(), "the log to name the event that is given up")
        line = next(line for line in self.server.stderr().splitlines() if one in line)
        self.assertIn(f"127.0.0.1:{port.number}/hook", line)


class Tls(Hostile):
    """R20: each flaw fails in its own words, and nothing weaker is tried instead."""

    settings = None

    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cls.addClassCleanup(cls.certificates.close)
        cls.settings = NO_PARKING
        cls.env = {"SSL_CERT_FILE": str(cls.certificates.ca)}
        super().setUpClass()

    def try_out(self, port):
        domain = self.domain_for(port.url(), name="opened")
        answer = self.server.call("PUT", f"/v3/domains/{domain}/webhooks/opened/test", form={"url": port.url()})
        self.assertEqual(answer.status, 200, answer)
        return domain, answer.json

    def test_good(self):
        port = self.farm.start("answers", 200, tls=self.certificates.context("good"))
        domain, report = self.try_out(port)
        self.assertEqual(report["code"], None)
        self.server.hook(domain, "delivered", port.url())
        for _ in range(30):
            self.ingest(domain, event())
            self.await_all(port, domain)
        self.assertLess(port.connections, 20, "connections are kept")

    def test_extra_bytes(self):
        """R12, R28: nor inside the TLS engine, whether it came as a record of its own or with the answer."""
        for behaviour in EXTRA:
            with self.subTest(behaviour):
                check_extra_bytes(self, self.farm.start(behaviour, tls=self.certificates.context("good")))

    def test_endless_framing(self):
        """R27: 200 receivers whose answers do not end, and are no data, plain and over TLS: memory is flat."""
        context = self.certificates.context("good")
        ports = [self.farm.start("endless_framing", ENDLESS[n % len(ENDLESS)], tls=context if n % 2 else None)
                 for n in range(200)]
        domains = [self.domain_for(port.url(), name="opened") for port in ports]

        def send_to_each():
            confirmed = sum(len(port.confirmed) for port in ports)
            settled = self.outcomes("success")
            for domain in domains:
                self.ingest(domain, event("opened"))
            self.eventually(lambda: sum(len(port.confirmed) for port in ports) == confirmed + len(ports), "the answers")
            self.eventually(lambda: self.outcomes("success") == settled + len(ports), "all to settle")

        send_to_each()
        before = self.resident_bytes()
        self.forget_peak()
        for _ in range(3):
            send_to_each()
        self.assertLess(self.peak_resident_bytes() - before, 20 << 20)
        self.eventually(lambda: not any(port.open for port in ports), "the connections to be closed")

    def test_flaws(self):
        for name, word in NAMES.items():
            with self.subTest(name):
                port = self.farm.start("tls_by_hand", self.certificates.context(name))
                port.scheme = "https"
                domain, report = self.try_out(port)
                self.assertEqual(report["code"], 502)
                self.assertIn(word.lower(), report["message"].lower())
                retried = self.outcomes("retry")
                self.ingest(domain, event("opened"))
                self.eventually(lambda r=retried: self.outcomes("retry") > r,
                                "an attempt to fail")
                self.assertEqual(port.requests, 0, "no byte of the event went out")

    def test_plain_http_behind_https(self):
        port = self.farm.start("answers", 200)
        port.scheme = "https"
        _, report = self.try_out(port)
        self.assertEqual(report["code"], 502)
        self.assertIn("TLS", report["message"])
        self.assertEqual(port.requests, 0)

    def test_h2_alone(self):
        port = self.farm.start("h2_only", tls=self.certificates.context("h2 alone"))
        _, report = self.try_out(port)
        self.assertEqual(report["code"], 502)
        self.assertNotIn("timed out", report["message"])

    def test_black_hole_in_the_handshake(self):
        """R1, R20: the deadline of connecting holds for the handshake too; the slot is freed."""
        port = self.farm.start("tls_stall")
        port.scheme = "https"
        good = self.farm.start("answers", 200, tls=self.certificates.context("good"))
        domain, beside = self.domain_for(port.url()), self.domain_for(good.url())
        missed = self.missed_total()
        self.ingest_many(domain, 4)
        self.ingest_many(beside, 50)
        self.await_all(good, beside)
        self.eventually(lambda: self.missed_total() >= missed + 4, "all to be given up")
        self.eventually(lambda: not port.open, "the connections to be closed")
        self.assertLess(max(port.held), SECONDS)


class Ramp(Hostile):
    settings = NO_PARKING

    def test_latency_grows(self):
        """R19: when a receiver becomes slower than the deadline, fewer requests are under way at a time."""
        port = self.farm.start("ramp", 0.01, 1.5, 3.0)
        domain = self.domain_for(port.url())
        self.ingest_many(domain, 3000)
        self.eventually(lambda: port.in_hand_peak > 16, "concurrency to grow while it is quick")
        self.eventually(lambda: time.monotonic() - port.attempts[0][0] > 3, "the ramp's end")
        self.eventually(lambda: port.in_hand <= 4, "concurrency to shrink")
        port.forget_peak()
        seen = port.requests
        self.eventually(lambda: port.requests >= seen + 4, "more attempts")
        self.assertLessEqual(port.in_hand_peak, 4)

    def test_flapping(self):
        """R17: 200 and 500 in turn, half a second each: no event is lost, and the endpoint is not given up."""
        port = self.farm.start("flapping", 0.5)
        domain = self.domain_for(port.url())
        producer = self.produce([domain], 100, total=300, batch=5)
        producer.join()
        self.eventually(lambda: len(port.confirmed) + self.missed_total() == 300, "all to be settled or missed")
        self.assertGreater(len(port.confirmed), 150)


class Records(Hostile):
    settings = NO_PARKING

    def attempts(self, domain, one):
        return self.items("attempts", domain=domain, event=one)

    def test_what_is_recorded(self):
        """R6, R11, R13, S16: the record names the class of a failure and repeats nothing that could harm a reader."""
        cases = {"timeout": ("no_answer",), "closed": ("resets",), "protocol": ("raw", b"220 hello\r\n"),
                 "too_large": ("huge_field",)}
        made = {}
        for failure, behaviour in cases.items():
            port = self.farm.start(*behaviour)
            domain = self.domain_for(port.url(), name="opened")
            made[failure] = domain, self.ingest(domain, event("opened"))[0]
        for failure, (domain, one) in made.items():
            with self.subTest(failure):
                records = self.eventually(lambda d=domain, o=one: (a := self.attempts(d, o)) and len(a) >= 2 and a,
                                          "two attempts to be recorded")
                self.assertEqual({r["outcome"] for r in records}, {failure})
                self.assertNotIn("127.0.0.1", " ".join(r.get("error", "") for r in records))
                self.assertTrue(all(r["phases"]["exchange_ms"] > 0 for r in records), records)

    def test_faults_of_an_answer_that_settled(self):
        """R10: the record of a success says what was not sound HTTP in its answer; it outlives a restart."""
        cases = {"malformed head": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
                 "malformed body": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}
        server = self.start(*NO_PARKING)
        made = {}
        for fault, data in cases.items():
            port = self.farm.start("raw", data)
            domain = self.domain_for(port.url(), name="opened", server=server)
            made[fault] = domain, self.ingest(domain, event("opened"), server=server)[0]
        for restarted in (False, True):
            for fault, (domain, one) in made.items():
                (record,) = self.eventually(
                    lambda d=domain, o=one: self.items("attempts", server=server, domain=d, event=o), "a record")
                self.assertEqual((record["outcome"], record["status"]), ("success", 200), record)
                self.assertIn(fault, record["error"])
                self.assertFalse(record["phases"]["whole_answer"])
            if not restarted:
                server.stop()
                server.start()

    def test_successes_in_full_and_what_is_none(self):
        """The last successes of a URL with their answers; a 202 where 200 alone counts says what came."""
        server = self.start(*NO_PARKING, "delivery.success=200")
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url(), name="opened", server=server)
        (one,) = self.ingest(domain, event("opened"), server=server)
        (record,) = self.eventually(lambda: self.items("attempts", server=server, domain=domain, event=one), "a record")
        self.assertEqual((record["outcome"], record["phases"]["whole_answer"]), ("success", True), record)
        port.behave("answers", 202)
        (two,) = self.ingest(domain, event("opened"), server=server)
        records = self.eventually(lambda: self.items("attempts", server=server, domain=domain, event=two), "a record")
        self.assertEqual((records[0]["outcome"], records[0]["error"]), ("retry", "HTTP status 202"))
