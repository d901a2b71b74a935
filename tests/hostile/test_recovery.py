"""Missed events, replays and unacked_by: what a receiver has not confirmed can be found and sent again, exactly."""
import time

from harness import event
from suite import NO_PARKING, PARKING, Hostile, scaled


class Recovery(Hostile):
    settings = NO_PARKING

    def misses(self, count, name="delivered"):
        """(receiver, domain, ids): a receiver, now good, that missed `count` events."""
        port = self.farm.start("answers", 500)
        domain = self.domain_for(port.url(), name=name)
        ids = self.ingest_many(domain, count, kind=name)
        self.eventually(lambda: len(self.missed(domain)) == count, "all to be missed")
        port.behave("answers", 200)
        return port, domain, ids

    def delivered(self, count, behaviour=("answers", 200)):
        """(receiver, domain, ids): a receiver that has had `count` events, and then behaves so."""
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url())
        ids = self.ingest_many(domain, count)
        self.await_all(port, domain)
        port.behave(*behaviour)
        return port, domain, ids

    def replay(self, server=None, **parameters):
        answer = (server or self.server).call("POST", "/eventhorn/v1/replay", data=parameters)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def replay_state(self, number, server=None):
        answer = (server or self.server).get(f"/eventhorn/v1/replay/{number}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json["state"]

    def change(self, number, action, server=None):
        answer = (server or self.server).call("POST", f"/eventhorn/v1/replay/{number}/{action}")
        self.assertEqual(answer.status, 200, answer)

    def await_counts(self, port, ids, count):
        """Each of the ids has been confirmed so many times."""
        self.eventually(lambda: all(port.confirmed[one] >= count for one in ids), f"{len(ids)} ids {count} times")
        self.assertEqual({port.confirmed[one] for one in ids}, {count})

    def missed(self, domain, server=None):
        return self.items("missed", server, domain=domain)


class Missed(Recovery):
    def test_listed_and_replayed(self):
        """Never silent: listed with URL, attempts and the last status; a replay of what was missed sends each once."""
        port, domain, ids = self.misses(50)
        listed = self.missed(domain)
        self.assertEqual({item["id"] for item in listed}, set(ids))
        self.assertEqual({(item["url"], item["attempts"], item["last_status"]) for item in listed}, {(port.url(), 3, 500)})
        self.replay(domain=domain, missed="yes")
        self.await_counts(port, ids, 1)
        self.eventually(lambda: self.missed(domain) == [], "the list to be empty")

    def test_a_replay_that_fails_is_missed_again(self):
        port, domain, ids = self.misses(10)
        port.behave("answers", 500)
        attempts = port.requests
        missed = self.missed_total()
        self.replay(domain=domain, missed="yes")
        self.eventually(lambda: self.missed_total() == missed + 10, "them to be missed again")
        self.assertEqual(port.requests - attempts, 30)
        self.assertEqual({item["id"] for item in self.missed(domain)}, set(ids))

    def test_missed_events_survive_a_kill(self):
        server = self.server = self.start(*NO_PARKING)
        port, domain, ids = self.misses(20)
        server.kill()
        server.start()
        self.assertEqual({item["id"] for item in self.missed(domain)}, set(ids))
        self.replay(domain=domain, missed="yes")
        self.await_counts(port, ids, 1)

    def test_all_domains_at_once(self):
        lots = [self.misses(5) for _ in range(3)]
        self.replay(missed="yes")
        for port, domain, ids in lots:
            self.await_counts(port, ids, 1)


class Replay(Recovery):
    def test_by_ids(self):
        port, domain, ids = self.delivered(50)
        self.replay(domain=domain, url=port.url(), events=ids[10:20])
        self.await_counts(port, ids[10:20], 2)
        self.await_counts(port, ids[:10] + ids[20:], 1)

    def test_by_range_and_dry_run(self):
        """L6: a dry run says how many and sends none; a replay sends each event once to each URL that it names."""
        begin = time.time()
        port, domain, ids = self.delivered(200)
        end = time.time() + 1
        said = self.replay(domain=domain, url=port.url(), begin=begin, end=end, dry_run="yes")
        self.assertEqual(said["events"], 200)
        self.assertGreater(said["bytes"], 200 * 100)
        seen = port.requests
        self.replay(domain=domain, url=port.url(), begin=begin, end=end)
        self.await_counts(port, ids, 2)
        self.assertEqual(port.requests, seen + 200)

    def test_amplification_is_bounded(self):
        """L6: three URLs, replays of all at once: refused beyond the bound; no URL gets more than was asked for."""
        begin = time.time()
        ports = [self.farm.start("answers", 200) for _ in range(3)]
        domain = self.domain_for(*(port.url() for port in ports))
        ids = self.ingest_many(domain, 50)
        for port in ports:
            self.await_all(port, domain)
            port.behave("slow", 0.5)
        statuses = [self.server.call("POST", "/eventhorn/v1/replay",
                                     data={"domain": domain, "begin": begin, "end": time.time() + 1}).status
                    for _ in range(40)]
        taken = statuses.count(200)
        self.assertLess(taken, 40, "replays of one lane are bounded")
        self.assertLessEqual(set(statuses), {200, 409, 429})
        for port in ports:
            port.behave("answers", 200)
            self.await_counts(port, ids, 1 + taken)

    def test_pause_cancel_and_restart(self):
        """L10: a replay goes on after a kill, rests while paused, and ends when cancelled; live events pass it by."""
        server = self.server = self.start(*PARKING)
        begin = time.time()
        port, domain, ids = self.delivered(scaled(1500), ("slow", 0.02))
        number = self.replay(domain=domain, url=port.url(), begin=begin, end=time.time() + 1)["id"]
        self.eventually(lambda: port.duplicates > 20, "the replay to begin")
        (live,) = self.ingest(domain, event())
        self.eventually(lambda: live in port.confirmed, "a live event")
        self.assertLess(port.duplicates, len(ids))
        self.change(number, "pause")
        self.eventually(lambda: not port.in_hand, "what was under way to end")
        at_pause = port.duplicates
        server.kill()
        server.start()
        (live,) = self.ingest(domain, event())
        self.eventually(lambda: live in port.confirmed, "a live event")
        self.assertEqual(self.replay_state(number), "paused")
        self.assertLessEqual(port.duplicates, at_pause + 1)
        self.change(number, "resume")
        self.eventually(lambda: port.duplicates > at_pause + 50, "it to go on")
        self.change(number, "cancel")
        self.eventually(lambda: not port.in_hand, "what was under way to end")
        at_cancel = port.duplicates
        self.assertLess(at_cancel, len(ids))
        (live,) = self.ingest(domain, event())
        self.eventually(lambda: live in port.confirmed, "a live event")
        self.assertEqual(port.duplicates, at_cancel)
        again = self.replay(domain=domain, url=port.url(), begin=begin, end=time.time() + 1)["id"]
        port.behave("answers", 200)
        self.eventually(lambda: all(port.confirmed[one] >= 2 for one in ids), "a second replay to send all")
        self.eventually(lambda: self.replay_state(again) == "done", "it to be done")


class Unacked(Recovery):
    settings = PARKING

    def unacked(self, domain, url, limit=7):
        """The ids of all pages, in their order."""
        page = self.server.get(f"/eventhorn/v1/{domain}/events?unacked_by={url}&limit={limit}")
        ids = []
        while True:
            self.assertEqual(page.status, 200, page)
            if not page.json["items"]:
                return ids
            ids += [item["id"] for item in page.json["items"]]
            page = self.server.get(page.json["paging"]["next"])

    def test_exactly_what_was_not_confirmed(self):
        """2xx and 406 confirm; missed and waiting events do not; in commit order."""
        self.server = self.start(*NO_PARKING)  # the last events are bad ones: parked, they would not be missed
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url())
        done = self.ingest_many(domain, 20)
        self.await_all(port, domain)
        self.eventually(lambda: self.unacked(domain, port.url()) == [], "nothing to be open")
        port.behave("answers", 406)
        self.ingest_many(domain, 20)
        self.await_all(port, domain)
        self.eventually(lambda: self.unacked(domain, port.url()) == [], "406 to count")
        bad = {f"open-{n}-{time.time_ns()}" for n in range(3)}
        port.behave("poisoned", bad)
        missed = self.missed_total()
        order = sorted(bad)
        for one in order:
            self.server.ingest(domain, [event(id=one)])
        self.ingest_many(domain, 20)
        self.await_all(port, domain)
        self.assertEqual(self.unacked(domain, port.url()), order, "while they wait")
        self.eventually(lambda: self.missed_total() == missed + 3, "them to be missed")
        self.assertEqual(self.unacked(domain, port.url()), order, "when they are missed")
        self.assertTrue(done)

    def test_a_parked_receiver_finds_its_backlog(self):
        """A receiver that was down pulls what it missed: all of it, none twice, though new events arrive meanwhile."""
        port = self.farm.start("no_answer")
        domain = self.domain_for(port.url())
        ids = self.ingest_many(domain, scaled(500))
        self.await_state(port.url(), "parked")
        producer = self.produce([domain], 100)
        first = self.server.get(f"/eventhorn/v1/{domain}/events?unacked_by={port.url()}&limit=50")
        bound = len(self.ledger.ids(domain))
        found, page = [], first
        while page.json["items"]:
            found += [item["id"] for item in page.json["items"]]
            page = self.server.get(page.json["paging"]["next"])
        producer.stop()
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(set(ids), set(found))
        self.assertLessEqual(len(found), bound + 5, "the upper bound was frozen")
        self.assertEqual(found[:len(ids)], ids, "in commit order")

    def test_each_url_has_its_own(self):
        good, bad = self.farm.start("answers", 200), self.farm.start("answers", 500)
        domain = self.domain_for(good.url(), bad.url())
        ids = self.ingest_many(domain, 30)
        self.await_all(good, domain)
        self.eventually(lambda: self.unacked(domain, good.url()) == [], "nothing to be open for the good one")
        self.assertEqual(self.unacked(domain, bad.url()), ids)

    def test_urls_of_others(self):
        """A2, S16: a URL that the domain has never had is told as such, and nothing of other domains."""
        port = self.farm.start("answers", 500)
        self.ingest_many(self.domain_for(port.url()), 5)
        other = self.new_domain()
        answer = self.server.get(f"/eventhorn/v1/{other}/events?unacked_by={port.url()}")
        self.assertIn(answer.status, (200, 404))
        if answer.status == 200:
            self.assertEqual(answer.json["items"], [])


class Waiting(Recovery):
    """Replays of events that wait for a retry: what a replay gets through is settled."""

    def waiting(self, count, schedule):
        """(receiver, domain, ids): a receiver, now good, that failed each of `count` events once."""
        self.server = self.start(*NO_PARKING, f"delivery.retry_schedule={schedule}")
        port = self.farm.start("answers", 500)
        domain = self.domain_for(port.url())
        ids = self.ingest_many(domain, count)
        self.eventually(lambda: self.endpoint(port.url())["waiting"] == count, "all to wait")
        port.behave("answers", 200)
        return port, domain, ids

    def assert_settled(self, port, domain, ids):
        """Nothing waits, nothing is to be confirmed, and a start finds nothing to send."""
        self.await_counts(port, ids, 1)
        self.eventually(lambda: self.endpoint(port.url())["waiting"] == 0, "none to wait")
        self.eventually(lambda: self.items(f"{domain}/events", unacked_by=port.url()) == [], "all to be confirmed")
        self.assertEqual(port.requests, 2 * len(ids))
        self.server.stop()
        self.server.start()
        self.ingest(domain, event())
        self.await_all(port, domain)
        self.assertEqual((port.requests, self.endpoint(port.url())["waiting"]), (2 * len(ids) + 1, 0))

    def test_by_ids(self):
        port, domain, ids = self.waiting(20, "1h")
        self.replay(domain=domain, url=port.url(), events=ids)
        self.assert_settled(port, domain, ids)

    def test_by_range(self):
        begin = time.time()
        port, domain, ids = self.waiting(20, "1h")
        number = self.replay(domain=domain, begin=begin, end=time.time() + 1)["id"]
        self.eventually(lambda: self.replay_state(number) == "done", "it to be done")
        self.assert_settled(port, domain, ids)

    def test_the_retry_does_not_come(self):
        """Though its time comes: another receiver's event that failed later has had its retry by then."""
        begin = time.time()
        port, domain, ids = self.waiting(20, "8s")
        self.replay(domain=domain, url=port.url(), events=ids[:10])
        number = self.replay(domain=domain, begin=begin, end=time.time() + 1)["id"]
        self.eventually(lambda: set(port.confirmed) == set(ids), "all to be replayed")
        self.eventually(lambda: self.replay_state(number) == "done", "it to be done")
        seen = port.requests
        clock = self.farm.start("answers", 500)
        self.ingest(self.domain_for(clock.url(), name="opened"), event("opened"))
        self.eventually(lambda: self.missed_total() == 1, "another event to be missed")
        self.assertEqual(port.requests, seen)
