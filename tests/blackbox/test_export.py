"""Exports: what a cut in the middle costs, and that a client can tell."""
import gzip
import http.client
import json
import subprocess
import zlib

from harness import SECONDS, Case, basic, event, eventually

PATH = "/eventhorn/v1/{}/export{}"


def ids(body):
    return [json.loads(line)["id"] for line in body.splitlines()]


class Export(Case):
    seconds = 8

    def fill(self, server, domain, count, size=10):
        """`count` events of about `size` KB; their ids in the order of their commits."""
        out = []
        for first in range(0, count, 100):
            events = [event(padding="x" * size * 1000) for _ in range(first, min(first + 100, count))]
            answer = server.ingest(domain, events)
            self.assertEqual(answer.status, 200, answer)
            out += answer.json["ids"]
        return out

    def open(self, server, domain, query=""):
        connection = http.client.HTTPConnection(server.host, server.port, timeout=SECONDS)
        self.addCleanup(connection.close)
        connection.request("GET", PATH.format(domain, query), None, {"Authorization": basic(server.key)})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        return response

    def read_to_break(self, response):
        """What came before the connection broke, which it must."""
        body = b""
        with self.assertRaises((http.client.HTTPException, OSError)):
            while True:
                piece = response.read1(65536)
                if not piece:
                    return self.fail("the body passed for whole")
                body += piece
        return body

    def test_whole_filtered_and_compressed(self):
        server = self.start()
        domain = server.add_domain()
        wanted = self.fill(server, domain, 250, size=1)
        answer = server.get(PATH.format(domain, ""))
        self.assertEqual(ids(answer.body), wanted)
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
        position = answer.headers["X-Eventhorn-Position"]
        late = server.ingest(domain, event()).json["ids"]
        after = server.get(f"/eventhorn/v1/{domain}/events?after={position}").json
        self.assertEqual([item["id"] for item in after["items"]], late)
        packed = server.get(PATH.format(domain, "?compression=gzip"))
        self.assertEqual(ids(gzip.decompress(packed.body)), wanted + late)
        self.assertLess(len(packed.body), len(answer.body) / 4)
        packed = server.get(PATH.format(domain, ""), headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(ids(gzip.decompress(packed.body)), wanted + late)
        self.assertEqual(server.get(PATH.format(domain, f"?resume_after={wanted[-1]}")).body.count(b"\n"), 1)
        self.assertEqual(server.get(PATH.format(domain, "?resume_after=nobody")).status, 400)

    def test_kill_and_resume(self):
        server = self.start()
        domain = server.add_domain()
        wanted = self.fill(server, domain, 1000)
        got = []
        for _ in range(2):
            query = f"?resume_after={got[-1]}" if got else ""
            response = self.open(server, domain, query)
            body = response.read(700_000)
            server.kill()
            server.start()
            got += ids(body[:body.rindex(b"\n")])
        self.assertLess(len(got), 1000)
        got += ids(server.get(PATH.format(domain, f"?resume_after={got[-1]}")).body)
        self.assertEqual(got, wanted)

    def test_the_end_of_the_server_shows(self):
        server = self.start()
        domain = server.add_domain()
        self.fill(server, domain, 1500)
        for query in ("", "?compression=gzip"):
            response = self.open(server, domain, query)
            first = response.read(1000)
            server.stop()
            body = first + self.read_to_break(response)
            if query:
                body = zlib.decompressobj(wbits=31).decompress(body)
            self.assertGreater(len(ids(body[:body.rindex(b"\n")])), 0)
            server.start()

    def test_nothing_piles_up(self):
        """Slow clients hold what the kernel takes, and a piece each."""
        server = self.start()
        domain = server.add_domain()
        self.fill(server, domain, 3000)

        def resident():
            with open(f"/proc/{server.process.pid}/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

        server.get(PATH.format(domain, ""))
        before = resident()
        slow = [self.open(server, domain) for _ in range(8)]
        eventually(lambda: server.metric("eventhorn_exports") == 8, "eight exports")
        self.assertEqual(server.get(PATH.format(domain, "")).status, 429)
        for response in slow:
            response.read(1_000_000)
        self.assertLess(resident() - before, 60_000)
        for response in slow:
            response.close()

    def test_zstd(self):
        server = self.start()
        domain = server.add_domain()
        wanted = self.fill(server, domain, 10, size=1)
        body = server.get(PATH.format(domain, "?compression=zstd")).body
        self.assertEqual(body[:4], bytes.fromhex("28b52ffd"))
        plain = subprocess.run(["zstd", "-dc"], input=body, capture_output=True, check=True).stdout
        self.assertEqual(ids(plain), wanted)
