"""Tests whose server has shim.c preloaded: its clock jumps, its disk is slow or fails, it gets no thread."""
import errno
import pathlib
import subprocess
import tempfile

from harness import LOOPBACK, event
from suite import Hostile

MAX_IN_FLIGHT = 64
MAY_COME_TWICE = MAX_IN_FLIGHT + 256  # after a kill: under way, or settled and not saved
PATIENT = (LOOPBACK, "delivery.retry_schedule=" + ",".join(["1s"] * 32), "delivery.timeout=5s",
           "delivery.park_after_failures=1000000", f"delivery.max_in_flight={MAX_IN_FLIGHT}")
FAULTS = {name: {"write_errno": getattr(errno, name)} for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO")}
FAULTS["EIO on fsync"] = {"fsync_errno": errno.EIO}


class Shimmed(Hostile):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="eventhorn-shim-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.shim = cls.folder / "shim.so"
        source = pathlib.Path(__file__).with_name("shim.c")
        subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-Wall", "-o", cls.shim, source, "-ldl"], check=True)

    def setUp(self):
        super().setUp()
        self.file = self.folder / self.id()
        self.shim_says()

    def shim_says(self, clock=0, fsync_ms=0, write_errno=0, fsync_errno=0, thread_errno=0, boot=0, read_errno=0, folder=""):
        """From now on: seconds by which the server's wall clock is ahead, milliseconds that an fsync takes longer, what
        writes and fsyncs of files below the folder, new threads, and reads of its tables fail with, and seconds that it was
        suspended."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{clock} {fsync_ms} {write_errno} {fsync_errno} {thread_errno} {boot} {read_errno} {folder}")
        fresh.rename(self.file)

    def shimmed(self, *settings):
        return self.start(*settings, env={"LD_PRELOAD": str(self.shim), "SHIM": str(self.file)})


class Disk(Shimmed):
    """A server whose disk breaks and heals, a receiver, a domain."""

    def with_disk(self, *settings, behaviour=("answers", 200)):
        server = self.shimmed(*PATIENT, *settings)
        self.addCleanup(self.shim_says)  # the disk is well when the server is stopped, also after a failure
        port = self.farm.start(*behaviour)
        return server, port, self.domain_for(port.url(), server=server)

    def break_disk(self, server, fault):
        self.shim_says(**FAULTS[fault], folder=str(server.data))

    def try_ingest(self, server, domain, *events):
        """The answer; what it acknowledges is in the ledger."""
        answer = server.ingest(domain, list(events or [event()]))
        if answer.status == 200:
            self.ledger.note(domain, answer.json["ids"])
        return answer

    def assert_refused(self, answer, words):
        self.assertEqual(answer.status, 503, answer)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertRegex(answer.json["message"], words)

    def await_ingest(self, server, domain, status):
        return self.eventually(lambda: (a := self.try_ingest(server, domain)).status == status and a,
                               f"ingest to answer {status}")

    def await_ready(self, server, status):
        return self.eventually(lambda: (a := server.get("/readyz")).status == status and a, f"/readyz to be {status}")

    def assert_balance(self, server, port, domain):
        """Everything acknowledged has arrived, and the other door has it too."""
        self.await_all(port, domain)
        polled = [e["id"] for e in server.poll(domain, "?limit=300&begin=1000000000&ascending=yes&pretty=no")]
        self.assertEqual(len(polled), len(set(polled)))
        self.assertEqual(self.ledger.ids(domain) - set(polled), set())
