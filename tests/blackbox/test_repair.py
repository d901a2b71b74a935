"""C4: a store that is damaged, and `eventhorn repair`, with the real binary and a receiver."""
import json
import os
import pathlib
import subprocess

from harness import LOOPBACK, Case, event, eventually
from receiver import Receiver


def flip(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


class Repair(Case):
    seconds = 5

    def run_repair(self, server, *options, data=None):
        command = [os.environ["EVENTHORN_BINARY"], "repair", *options, "--data", str(data or server.data)]
        return subprocess.run(command, env=server.environment(), capture_output=True, text=True, check=False)

    def damage_the_log(self):
        """A server with 600 events, most of them behind a receiver that fails; killed, its log damaged."""
        receiver = Receiver()
        self.addCleanup(receiver.close)
        server = self.start(LOOPBACK, 'delivery.retry_schedule=["1s","1s","1s","1s"]')
        domain = self.new_domain(server)
        receiver.script("/hook", *[500] * 10, 200)
        server.hook(domain, "delivered", receiver.url())
        sent = []
        for _ in range(60):
            batch = [event(user_variables={"pad": os.urandom(400).hex()}) for _ in range(10)]
            self.assertEqual(server.ingest(domain, batch).json["stored"], 10)
            sent += batch
        server.kill()
        log = max(pathlib.Path(server.data, "store").glob("*.log"), key=lambda path: path.stat().st_size)
        flip(log, log.stat().st_size // 2)
        return server, domain, receiver, sent, log

    def test_from_refusal_to_delivery(self):
        server, domain, receiver, sent, log = self.damage_the_log()
        server.spawn()
        self.assertEqual(server.wait(), 1, "it refuses to start")
        self.assertIn(f"{log} at offset ", server.stderr())
        self.assertIn(f"eventhorn repair --data {server.data}", server.stderr())

        check = self.run_repair(server, "--check")
        self.assertEqual(check.returncode, 1, check)
        self.assertIn(f"damaged: {log} at offset ", check.stdout)
        repair = self.run_repair(server)
        self.assertEqual(repair.returncode, 0, repair)
        again = self.run_repair(server, "--check")
        self.assertEqual((again.returncode, again.stdout),
                         (0, f"The store in {server.data} is sound; nothing was changed.\n"))

        quarantine, = pathlib.Path(server.data).glob("quarantine-*")
        self.assertTrue((quarantine / "store" / log.name).is_file(), "the old one is kept")
        self.assertEqual(quarantine.stat().st_mode & 0o077, 0, "for its owner alone")
        lost = [json.loads(line) for line in (quarantine / "lost.ndjson").read_text().splitlines()]
        server.start()
        ids = {e["id"] for e in sent}
        kept = {item["id"] for item in server.poll(domain)}
        missing = ids - kept
        self.assertTrue(0 < len(missing) < 60, f"{len(missing)}: a block of 32 KiB, not what follows it")
        ranges = [r for r in lost if "to_position" in r]
        self.assertGreaterEqual(sum(r["to_position"] - r["from_position"] + 1 for r in ranges), len(missing))

        answer = server.ingest(domain, sent)
        self.assertEqual((answer.json["stored"], answer.json["duplicates"]), (len(missing), len(kept)))
        eventually(lambda: ids <= set(receiver.ids()), "every event at the receiver")

    def test_a_running_server_is_left_alone(self):
        server = self.start(LOOPBACK)
        answer = self.run_repair(server)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("stop the server", answer.stderr)
        self.assertEqual(server.get("/readyz").status, 200)

    def test_a_directory_without_a_store(self):
        server = self.start(LOOPBACK)
        server.stop()
        answer = self.run_repair(server, data=server.data / "none")
        self.assertEqual((answer.returncode, answer.stderr),
                         (1, f"eventhorn: there is no store in {server.data}/none\n"))
