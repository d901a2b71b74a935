"""Mailgun's JavaScript SDK (tests/sdk/js) against the server, with nothing changed but its base URL."""
import pathlib
import shutil
import subprocess
import unittest

from harness import API_KEY, LOOPBACK, SECONDS, Case
from receiver import Receiver

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "sdk" / "js"


def install():
    """The pinned packages, when they are not there yet."""
    if (FOLDER / "node_modules" / ".package-lock.json").exists():
        return
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"npm ci:\n{done.stdout}"


@unittest.skipUnless(shutil.which("node") and shutil.which("npm"), "needs Node and npm")
class JavaScript(Case):
    settings = (LOOPBACK,)

    def test_conformance(self):
        install()
        receiver = Receiver()
        self.addCleanup(receiver.close)
        receiver.script("/ok", (200, [], b"thanks"))
        receiver.script("/broken", (500, [], b"broken"))
        done = subprocess.run(["node", "conformance.mjs", self.server.base, API_KEY, self.new_domain(), receiver.base],
                              cwd=FOLDER,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=2 * SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(receiver.faults, [])
