"""`eventhorn selftest --hostile`: the table, the verdict and the exit status. That it can fail is proved by
SelftestReport in src/selftest/report_test.cc."""
import os
import re
import subprocess
import tempfile

from harness import SECONDS, Case

KINDS = ["good", "never answers", "slow head", "resets", "closes", "103 for ever", "endless body", "redirects", "500",
         "410", "429", "wrong protocol", "refuses"]
ROW = re.compile(r"(\S.*?) {2,}(\d+) +(\d+) +(\d+) +(\d+) +(\d+\.\d ms|-)  (\S+)")


def selftest(*arguments, **options):
    with tempfile.TemporaryDirectory(prefix="eventhorn-test-") as folder:
        done = subprocess.run([os.environ["EVENTHORN_BINARY"], "selftest", *arguments], capture_output=True, text=True,
                              timeout=4 * SECONDS, check=False, env={**os.environ, "TMPDIR": folder, **options})
        return done, os.listdir(folder)


class Selftest(Case):
    seconds = 6

    def test_hostile(self):
        """R1, R2, R4, R8, R13, R15, R16, R26, C1: every bad receiver at once, and kills; nothing is lost."""
        done, left = selftest("--hostile", "--events", "100", "--kills", "2", "--seconds", "2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["receiver", "sent", "confirmed", "lost", "duplicated", "p99", "state"])
        rows = [ROW.fullmatch(line) for line in lines[1:-1]]
        self.assertNotIn(None, rows, done.stdout)
        self.assertEqual([row[1] for row in rows], KINDS)
        self.assertEqual([row.group(2, 3, 4) for row in rows], [("100", "100", "0")] * len(KINDS), done.stdout)
        self.assertTrue(rows[0][6].endswith(" ms"), done.stdout)
        self.assertEqual(lines[-1], "verdict: passed (2 kills)")
        self.assertEqual(left, [], "its directory is removed")

    def test_says_when_it_cannot_run(self):
        done, _ = selftest("--hostile", "--events", "1", "--seconds", "1", TMPDIR="/nowhere")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(done.stdout.splitlines()[-2:],
                         ["failed: cannot make a temporary directory", "verdict: FAILED (0 kills)"])
