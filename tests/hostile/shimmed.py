"""Servers on a clock and a disk that tests command, by a library preloaded into them."""
import pathlib
import subprocess
import tempfile

from suite import Hostile


class Shimmed(Hostile):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="eventhorn-shim-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.shim = cls.folder / "shim.so"
        source = pathlib.Path(__file__).with_name("shim.c")
        subprocess.run(["clang-19", "-shared", "-fPIC", "-O1", "-o", cls.shim, source, "-ldl"], check=True)

    def setUp(self):
        super().setUp()
        self.file = self.folder / self.id()
        self.shim_says()

    def shim_says(self, clock=0, fsync_ms=0, write_errno=0, fsync_errno=0):
        """From now on: seconds by which the server's wall clock is ahead, milliseconds that an fsync takes longer, and
        with which errno writes to the store and fsyncs fail."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{clock} {fsync_ms} {write_errno} {fsync_errno}")
        fresh.rename(self.file)

    def shimmed(self, *settings):
        data = self.folder / f"{self.id()}-{len(self.own_servers)}"
        env = {"LD_PRELOAD": str(self.shim), "SHIM": str(self.file), "SHIM_STORE": str(data / "store")}
        return self.start(*settings, env=env, data=data)
