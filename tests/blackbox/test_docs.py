"""Every command of README.md and docs/: what stands there works as it stands there. Needs bash, curl and openssl too."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import SECONDS, Case, Server, event

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOOK = "https://example.com/hook"
COMMAND = re.compile(r"(curl |(build/release/)?eventhorn |(export )?\w+=)")

# Names of commands that the examples use. A stream ends by itself here, with an error of curl that says so.
SHELL = r"""
eventhorn() { "$EVENTHORN_BINARY" "$@"; }
curl() {
  case "$*" in */stream*) set -- --max-time 1 "$@" ;; esac
  command curl -o answer -w '%{http_code}' "$@" >status
  local code=$?
  if [ $code = 28 ] && [ -s answer ]; then code=0; fi
  return $code
}
"""


def blocks(text):
    """The indented and the fenced blocks of a document."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^    .*\n)+", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return fenced + [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in indented]


def commands(name):
    """(command, the line behind it) of a document."""
    out = []
    for block in blocks((ROOT / name).read_text()):
        lines = block.replace("\\\n", " ").splitlines() + [""]
        out += [(line, after) for line, after in zip(lines, lines[1:]) if COMMAND.match(line)]
    return out


class Docs(Case):
    seconds = 7

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="eventhorn-docs-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=client", "-keyout", "client.key",
                        "-out", "client.pem"], cwd=self.folder, check=True, stderr=subprocess.DEVNULL)
        # No name resolves, so that nothing leaves this machine.
        self.server = self.start("dns.servers=127.0.0.1:1", args=("--dev",), data=self.folder / "eventhorn-data",
                                 env={"EVENTHORN_API_KEY": None, "EVENTHORN_SIGNING_KEY": None})
        self.server.key = (self.folder / "eventhorn-data/api_key").read_text().strip()
        self.server.hook("mg.example.org", "accepted", HOOK)
        self.bin = self.server.call("POST", "/eventhorn/v1/bins").json["id"]
        self.variables = []

    def prepare(self, command):
        """Makes room for what a command creates, and what it asks for."""
        hooks = "/v3/domains/mg.example.org/webhooks"
        if "-F name=mg.example.org" in command:
            self.server.call("DELETE", "/v3/domains/mg.example.org")
        if match := re.search(r"/webhooks -F id=(\w+)", command):
            self.server.call("DELETE", f"{hooks}/{match[1]}")
        if match := re.search(r"-X PUT \S+/webhooks/(\w+) ", command):
            self.server.call("POST", hooks, form={"id": match[1], "url": HOOK})
        if "event=e1" in command:
            self.server.ingest("mg.example.org", event(id="e1"))

    def run_command(self, command):
        """The finished process of a command as it stands there."""
        command = command.replace("5f0c...", self.bin).replace("http://127.0.0.1:8480", self.server.base)
        script = "\n".join([SHELL, *self.variables, command])
        environment = {**self.server.environment(), "EVENTHORN_BINARY": os.environ["EVENTHORN_BINARY"]}
        return subprocess.run(["bash", "-c", script], cwd=self.folder, env=environment, timeout=SECONDS, capture_output=True,
                              text=True)

    def check(self, command, after):
        if re.match(r"(export )?\w+=", command):
            self.assertEqual(self.run_command(command).returncode, 0, command)
            self.variables.append(command.replace("http://127.0.0.1:8480", self.server.base))
            return
        self.prepare(command)
        done = self.run_command(command)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
        if command.startswith("eventhorn "):
            return
        answer = (self.folder / "answer").read_text(errors="replace")
        self.assertIn((self.folder / "status").read_text(), ("200", "202"), f"{command}\n{answer}")
        # What is shown as the answer begins like the answer.
        if key := re.match(r'\{"(\w+)":', after):
            self.assertTrue(answer.lstrip("{ \n").startswith(f'"{key[1]}":'), f"{command}\n{answer}")

    def check_document(self, name):
        found = [(command, after) for command, after in commands(name) if "eventhorn serve" not in command]
        self.assertTrue(any(command.startswith("curl ") for command, _ in found))
        if not any(command.startswith("key=") for command, _ in found):
            found = [("api=http://127.0.0.1:8480", ""), ("key=$(cat eventhorn-data/api_key)", ""), *found]
        for command, after in found:
            with self.subTest(command):
                self.check(command, after)

    def test_readme(self):
        self.check_document("README.md")

    def test_api(self):
        self.check_document("docs/API.md")

    def test_delivery(self):
        self.check_document("docs/DELIVERY.md")

    def test_no_document_is_left_out(self):
        """Of those with commands for users; the tools of BENCHMARKS.md are built apart."""
        told = {path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
                if any(re.match("curl |eventhorn ", command) for command, _ in commands(path.relative_to(ROOT)))}
        self.assertEqual(told, {"README.md", "docs/API.md", "docs/DELIVERY.md"})

    def test_serve(self):
        """`serve` as README has it, on a free port and in a folder of its own."""
        (command,) = [command for command, _ in commands("README.md") if "eventhorn serve" in command]
        arguments = command.split()[2:]
        self.assertEqual(arguments, ["--dev"])
        server = Server(args=arguments)
        self.addCleanup(server.close)
        server.start()
        self.assertEqual(server.get("/healthz").status, 200)

    def test_inline(self):
        """What stands within the text of README.md."""
        self.server.stop()
        text = (ROOT / "README.md").read_text()
        found = sorted(set(re.findall(r"`(eventhorn (?!serve|ready)[^`]+)`", text)))
        self.assertEqual(len(found), 4, found)
        for command in found:
            done = self.run_command(command.replace("DIR", "eventhorn-data"))
            self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
