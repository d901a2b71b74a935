"""End to end with TLS receivers, against plain ones."""
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from suite.processes import WORK, Others, cpu_s, produce, server, targets, wait_delivered


def run(options):
    print("run  kind   events/s   server us  connections   events each")
    with tempfile.TemporaryDirectory(dir=WORK, prefix="tls-") as directory:
        cert, key = make_certificate(Path(directory))
        return {"runs": [measure_pair(options, number, cert, key) for number in range(1, options.runs + 1)]}


def make_certificate(directory):
    """A self-signed one for 127.0.0.1, which the server trusts by SSL_CERT_FILE."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def measure_pair(options, number, cert, key):
    pair = {"plain": measure(options), "tls": measure(options, cert, key)}
    for kind, figures in pair.items():
        print(f"{number:>3}  {kind:<5} {figures['events_per_s']:>10,.0f} {figures['server_cpu_us_per_event']:>10.1f}"
              f" {figures['connections']:>12} {figures['events_per_connection']:>13,.0f}", flush=True)
    pair["ratio"] = pair["tls"]["events_per_s"] / pair["plain"]["events_per_s"]
    return pair


def measure(options, cert=None, key=None):
    os.sync()
    flags = ["--tls-cert", cert, "--tls-key", key] if cert else []
    env = {"SSL_CERT_FILE": str(cert)} if cert else None
    with targets(1, *flags) as urls, server(options, env=env) as hooks:
        hooks.send_all_hooks_to(urls.first_url.replace("http:", "https:") if cert else urls.first_url)
        others, before = Others(), cpu_s(hooks.process.pid)
        sent = produce(hooks, options.events, "--batch", 100, "--connections", 16)
        wait_delivered(urls, hooks, options.events)
        seconds = (time.monotonic_ns() - sent["start_ns"]) / 1e9
        counts = urls.counts("1")
        return {
            "events_per_s": options.events / seconds,
            "server_cpu_us_per_event": (cpu_s(hooks.process.pid) - before) / options.events * 1e6,
            "connections": counts["accepted"],
            "events_per_connection": counts["posts"] / counts["accepted"],
            "other_cpus": others.cpus(),
        }


def rows(result):
    runs = result["runs"]
    return [
        ("plain, end to end", "", f"{statistics.median(run['plain']['events_per_s'] for run in runs):,.0f}/s"),
        ("TLS, end to end", "", f"{statistics.median(run['tls']['events_per_s'] for run in runs):,.0f}/s"),
        ("TLS / plain", ">= 0.6", f"{statistics.median(run['ratio'] for run in runs):.3f}"),
        ("TLS connections, most in a run", "", f"{max(run['tls']['connections'] for run in runs)}"),
    ]
