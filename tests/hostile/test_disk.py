"""C5: a disk that refuses to write, fails to sync, or is full."""
import errno
import pathlib
import subprocess
import tempfile

from harness import event
from shimmed import Shimmed
from suite import NO_PARKING, Hostile, endpoint_id, scaled

MAX_UNSAVED = 256  # outcomes, beside what is in flight


class Refusing(Shimmed):
    """Writes to the store, or fsyncs, fail."""

    FAULTS = ({"write_errno": errno.ENOSPC}, {"write_errno": errno.EDQUOT}, {"write_errno": errno.EROFS},
              {"write_errno": errno.EIO}, {"fsync_errno": errno.EIO})

    def refused(self, server, domain):
        """An event that is not acknowledged: 503, with what to do."""
        answer = server.ingest(domain, event())
        self.assertEqual(answer.status, 503, answer)
        self.assertTrue(answer.headers["Retry-After"])
        self.assertIn("cannot write", answer.json["message"])

    def accepted(self, server, domain):
        answer = server.ingest(domain, event())
        if answer.status == 200:
            self.ledger.note(domain, answer.json["ids"])
        return answer.status == 200

    def test_every_errno(self):
        """503 while it lasts, nothing acknowledged is lost, and it ends without a restart; a kill afterwards shows that
        nothing was taken for written that was not."""
        for fault in self.FAULTS:
            with self.subTest(**fault):
                self.shim_says()
                server = self.shimmed(*NO_PARKING)
                port = self.farm.start("answers", 200)
                domain = self.domain_for(port.url(), server=server)
                for _ in range(3):
                    self.ingest_many(domain, 20, server=server)
                    self.shim_says(**fault)
                    self.refused(server, domain)
                    self.refused(server, domain)
                    self.assertEqual(server.get("/readyz").status, 503)
                    self.assertEqual(server.get("/healthz").status, 200)
                    self.shim_says()
                    self.eventually(lambda s=server, d=domain: self.accepted(s, d), "ingest to be open again")
                self.assertEqual(server.get("/readyz").status, 200)
                self.await_all(port, domain)
                server.kill()
                server.start()
                self.assertLessEqual(self.ledger.ids(domain), {item["id"] for item in server.poll(domain)})
                self.ingest(domain, event(), server=server)
                self.await_all(port, domain)
                self.assertEqual(self.missed_total(server), 0)

    def test_deliveries_stop_when_progress_cannot_be_saved(self):
        """A bounded number goes on; after a kill no more than those come twice."""
        server = self.shimmed(*NO_PARKING, "delivery.max_in_flight=16")
        port = self.farm.start("slow", 0.02)
        domain = self.domain_for(port.url(), server=server)
        self.ingest_many(domain, 1500, server=server)
        self.eventually(lambda: len(port.confirmed) > 200, "deliveries")
        self.shim_says(write_errno=errno.ENOSPC)
        self.eventually(lambda: server.get("/readyz").status == 503, "the store to fail")
        begun = len(port.confirmed)
        self.eventually(lambda: server.metric("eventhorn_deliveries_in_flight") == 0, "deliveries to stop")
        self.assertLessEqual(len(port.confirmed) - begun, MAX_UNSAVED + 16)
        self.assertLess(len(port.confirmed), 1500)
        server.kill()
        self.shim_says()
        server.start()
        self.await_all(port, domain)
        self.assertLessEqual(port.duplicates, MAX_UNSAVED + 16)

    def test_deliveries_go_on_after_it(self):
        server = self.shimmed(*NO_PARKING, "delivery.max_in_flight=16")
        port = self.farm.start("slow", 0.02)
        domain = self.domain_for(port.url(), server=server)
        self.ingest_many(domain, 1500, server=server)
        self.shim_says(fsync_errno=errno.EIO)
        self.eventually(lambda: server.get("/readyz").status == 503, "the store to fail")
        self.eventually(lambda: server.metric("eventhorn_deliveries_in_flight") == 0, "deliveries to stop")
        self.shim_says()
        self.await_all(port, domain)
        self.assertEqual(port.duplicates, 0, "nothing was forgotten")


class Full(Hostile):
    """A file system that is full, for real: a tmpfs of 400 MiB, as the ballast wants 256 to be free."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="eventhorn-full-")
        self.addCleanup(folder.cleanup)
        self.disk = pathlib.Path(folder.name)
        command = ["mount", "-t", "tmpfs", "-o", "size=400m", "none", str(self.disk)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            self.skipTest(f"C5 IS NOT PROVEN HERE: a test of a full disk must be able to mount one: {mounted.stderr}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(self.disk)], check=True)

    def fill(self):
        with (self.disk / "filler").open("ab") as file:
            try:
                while True:
                    file.write(b"x" * (1 << 16))
                    file.flush()
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)

    def test_full_and_empty_again(self):
        """Ingest is refused; what is stored is delivered, its progress in the place of the ballast; ingest is open again
        once there is room."""
        server = self.start(*NO_PARKING, "store.min_free=0", data=self.disk / "data")
        port = self.farm.start("answers", 200)
        domain = self.domain_for(port.url(), server=server)
        self.ingest_many(domain, 1, server=server)
        self.await_all(port, domain)
        self.assertEqual(server.call("POST", f"/eventhorn/v1/endpoints/{endpoint_id(port.url())}/pause").status, 200)
        self.ingest_many(domain, scaled(1000), server=server)
        ballast = self.disk / "data" / "ballast"
        self.eventually(ballast.exists, "the ballast")
        self.fill()
        pad = "x" * 100_000
        refused = None
        for _ in range(2000):
            answer = server.ingest(domain, event("opened", user_variables={"pad": pad}))
            if answer.status != 200:
                refused = answer
                break
        self.assertEqual(refused.status, 503)
        self.eventually(lambda: not ballast.exists(), "the ballast to be given up")
        self.resume(port.url(), server)
        self.await_all(port, domain)
        (self.disk / "filler").unlink()
        self.eventually(lambda: server.ingest(domain, event("opened")).status == 200, "ingest to be open again")
        server.kill()
        server.start()
        self.ingest(domain, event(), server=server)
        self.await_all(port, domain)
        self.assertLess(port.duplicates, MAX_UNSAVED + 512)
