"""Events in the order of their commits: polls with `after=`, streams, and what a kill, retention or slowness does to them."""
import http.client
import json
import socket
import threading

from harness import SECONDS, Case, basic, event, eventually


class Stream:
    """An open stream of server-sent events. Reads on a thread; `blocks` are (id, event, data) as they came."""

    def __init__(self, server, path, last_id=None):
        headers = {"Authorization": basic(server.key)}
        if last_id:
            headers["Last-Event-ID"] = last_id
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=SECONDS)
        self.connection.request("GET", path, None, headers)
        self.socket = self.connection.sock
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.blocks, self.ended = [], False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        fields = {}
        try:
            for line in self.response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    self.blocks.append((fields["id"], fields.get("event"), json.loads(fields["data"])))
                    fields = {}
                else:
                    fields = {}
        except (OSError, http.client.HTTPException):
            pass
        self.ended = True

    def ids(self):
        return [data["id"] for _, name, data in self.blocks if name is None]

    def last_id(self):
        return self.blocks[-1][0]

    def close(self):
        # The thread may be reading: it ends with the socket.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(SECONDS)
        self.response.close()


class Follow(Case):
    seconds = 10

    def after(self, server, domain, position, query=""):
        return server.get(f"/eventhorn/v1/{domain}/events?after={position}{query}")

    def walk(self, server, domain, position="0", query="&limit=7"):
        """(ids, position) of all that is there now."""
        ids = []
        while True:
            answer = self.after(server, domain, position, query)
            self.assertEqual(answer.status, 200, answer)
            position = answer.json["position"]
            if not answer.json["items"]:
                return ids, position
            ids += [item["id"] for item in answer.json["items"]]

    def ingest(self, server, domain, count, kind="delivered"):
        sent = [event(kind) for _ in range(count)]
        self.assertEqual(server.ingest(domain, sent).json["stored"], count)
        return [e["id"] for e in sent]

    def stream(self, *arguments, **options):
        stream = Stream(*arguments, **options)
        self.addCleanup(stream.close)
        return stream

    def test_kills_leave_no_gap_and_nothing_twice(self):
        """A poller and two streams, each of which goes on from the last position that it has."""
        server = self.start()
        domain, other = self.new_domain(server), self.new_domain(server)
        position, account = "0", self.after(server, domain, "now").json["position"]
        sent, polled, streamed, of_all = [], [], [], []
        last = account
        for _ in range(3):
            of_domain = self.stream(server, f"/eventhorn/v1/{domain}/stream", last_id=last)
            of_account = self.stream(server, "/eventhorn/v1/stream", last_id=account)
            for kind in ("delivered", "stored", "opened"):
                sent += self.ingest(server, domain, 10, kind)
                self.ingest(server, other, 2)
            ids, position = self.walk(server, domain, position)
            polled += ids
            eventually(lambda: len(streamed) + len(of_domain.ids()) >= len(sent), "the stream has them all")
            eventually(lambda: len(of_all) + len(of_account.ids()) >= len(sent) * 6 // 5, "the account's has them all")
            server.kill()
            eventually(lambda: of_domain.ended and of_account.ended, "the streams end")
            streamed += of_domain.ids()
            of_all += of_account.ids()
            last, account = of_domain.last_id(), of_account.last_id()
            server.start()
        self.assertEqual(polled, sent)
        self.assertEqual(streamed, sent)
        self.assertEqual([id for id in of_all if id in set(sent)], sent)
        self.assertEqual(len(set(of_all)), len(of_all))
        self.assertEqual(self.walk(server, domain), (sent, position))

    def test_a_wait_ends_with_the_event_and_with_the_server(self):
        server = self.start()
        domain = self.new_domain(server)
        answers = []

        def wait(position):
            answers.append(self.after(server, domain, position, "&wait=55s"))

        position = self.after(server, domain, "now").json["position"]
        waiting = threading.Thread(target=wait, args=(position,))
        waiting.start()
        eventually(lambda: server.metric("eventhorn_waits") == 1, "it waits")
        sent = self.ingest(server, domain, 1)
        waiting.join(SECONDS)
        self.assertEqual([item["id"] for item in answers[0].json["items"]], sent)
        waiting = threading.Thread(target=wait, args=(answers[0].json["position"],))
        waiting.start()
        eventually(lambda: server.metric("eventhorn_waits") == 1, "it waits again")
        server.stop()
        waiting.join(SECONDS)
        self.assertEqual((answers[1].status, answers[1].json["items"]), (200, []))

    def test_what_retention_dropped_is_told(self):
        server = self.start("events.retention=1s")
        domain = self.new_domain(server)
        first = self.after(server, domain, "now").json["position"]
        self.ingest(server, domain, 5)
        eventually(lambda: (lambda a: a if a.status == 410 else None)(self.after(server, domain, first)), "410")
        stream = self.stream(server, f"/eventhorn/v1/{domain}/stream", last_id=first)
        eventually(lambda: stream.blocks, "the gap")
        self.assertEqual(stream.blocks[0][1], "gap")
        self.assertIn("position", stream.blocks[0][2])
        sent = self.ingest(server, domain, 3)
        eventually(lambda: stream.ids() == sent, "it goes on")
        self.assertEqual(self.after(server, domain, first).status, 410)

    def test_a_slow_reader_is_cut_off_and_misses_nothing(self):
        """Nothing piles up for it: what it has not read is in the log."""
        server = self.start()
        domain = self.new_domain(server)
        start = self.after(server, domain, "now").json["position"]
        with socket.create_connection((server.host, server.port), timeout=SECONDS) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(f"GET /eventhorn/v1/{domain}/stream?after={start} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
                         f"Authorization: {basic(server.key)}\r\n\r\n".encode())
            eventually(lambda: server.metric("eventhorn_http_streams") == 1, "it is open")
            sent = []
            for _ in range(20):
                large = [event("delivered", padding="x" * 20000) for _ in range(50)]
                self.assertEqual(server.ingest(domain, large).json["stored"], 50)
                sent += [e["id"] for e in large]
            eventually(lambda: server.metric("eventhorn_http_streams") == 0, "it is cut off")
        self.assertEqual(self.walk(server, domain, start, "&limit=1000")[0], sent)
        again = self.stream(server, f"/eventhorn/v1/{domain}/stream", last_id=start)
        eventually(lambda: len(again.ids()) == len(sent), "all of it")
        self.assertEqual(again.ids(), sent)
