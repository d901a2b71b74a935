"""End to end against the raw loop, latency at a fixed rate, CPU when idle."""
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from suite.processes import (TOOLS, WORK, Others, cpu_s, produce, receiver, run_tool, server, stop, wait_delivered)

VALID_POST_LOOP = 100_000  # requests/s; below that the machine was busy with something else
POST_LOOP_TRIES = 3
BUSY = 0.2  # CPUs that other work on the machine took; a pair above it is marked
LATENCY_RATE = 1000
LATENCY_BATCH = 10
SETTLE_S = 5  # after the load, before idle CPU is measured


def measure_loop(tool, seconds):
    """Requests/s of a loop against a receiver of its own, taken again while it is too slow to be valid."""
    for _ in range(POST_LOOP_TRIES):
        with receiver() as target:
            others = Others()
            figures = run_tool(tool, "--target", target.url, "--connections", 64, "--seconds", seconds)
            figures["other_cpus"] = others.cpus()
        figures["valid"] = figures["requests_per_s"] >= VALID_POST_LOOP
        if figures["valid"] or tool != "bench_post_loop":
            break
        print(f"post_loop: {figures['requests_per_s']:,}/s is not valid, the machine is busy", file=sys.stderr)
    return figures


def measure_end_to_end(events, options):
    os.sync()  # what the last run left must not slow down this one's fsync
    with receiver("--unique") as target, server(options) as hooks:
        hooks.send_all_hooks_to(target.url + "/hook")
        others = Others()
        server_cpu, receiver_cpu = cpu_s(hooks.process.pid), cpu_s(target.process.pid)
        sent = produce(hooks, events, "--batch", 100, "--connections", 16)
        wait_delivered(target, hooks, events)
        seconds = (time.monotonic_ns() - sent["start_ns"]) / 1e9
        return {
            "events": events,
            "seconds": seconds,
            "events_per_s": events / seconds,
            "ingest_events_per_s": sent["events_per_s"],
            "retries429": sent["retries429"],
            "sent_twice": target.count() - events,
            "peak_rss_mb": hooks.peak_rss_mb(),
            "server_cpu_us_per_event": (cpu_s(hooks.process.pid) - server_cpu) / events * 1e6,
            "receiver_cpu_us_per_event": (cpu_s(target.process.pid) - receiver_cpu) / events * 1e6,
            "producer_cpu_us_per_event": sent["cpu_s"] / events * 1e6,
            "other_cpus": others.cpus(),
        }


def read_times(path):
    """The earliest time of each id, ns."""
    times = {}
    for line in path.read_text().splitlines():
        event_id, at = line.split()
        times.setdefault(event_id, int(at))
    return times


def percentile(values, percent):
    return values[min(len(values) - 1, math.ceil(len(values) * percent / 100) - 1)]


def measure_latency_and_idle(options):
    """One server: latency from acknowledgement to receiver at a fixed rate, then its CPU when nothing happens."""
    events = LATENCY_RATE * options.latency_seconds
    with tempfile.TemporaryDirectory(dir=WORK, prefix="times-") as directory, server(options) as hooks:
        arrivals, acks = Path(directory, "arrivals"), Path(directory, "acks")
        with receiver("--unique", "--record-latency", arrivals) as target:
            hooks.send_all_hooks_to(target.url + "/hook")
            sent = produce(hooks, events, "--batch", LATENCY_BATCH, "--connections", 4, "--rate", LATENCY_RATE, "--record-acks", acks)
            wait_delivered(target, hooks, events)
            stop(target.process)  # it writes the arrivals at its end
        acked = read_times(acks)
        delays = sorted((at - acked[event_id]) / 1e6 for event_id, at in read_times(arrivals).items())
        time.sleep(SETTLE_S)
        before = cpu_s(hooks.process.pid)
        time.sleep(options.idle_seconds)
        idle_cpu = (cpu_s(hooks.process.pid) - before) / options.idle_seconds
    return {
        "events": events,
        "events_per_s": sent["events_per_s"],
        # An event may reach the receiver before the producer has read the acknowledgement: that is zero.
        "p50_ms": max(0, percentile(delays, 50)),
        "p99_ms": max(0, percentile(delays, 99)),
        "max_ms": max(0, delays[-1]),
        "before_ack_percent": 100 * sum(delay < 0 for delay in delays) / len(delays),
        "idle_cpu_percent": 100 * idle_cpu,
    }


def measure_pair(options):
    pair = {"post_loop": measure_loop("bench_post_loop", options.loop_seconds)}
    if (TOOLS / "bench_client_loop").exists():
        pair["client_loop"] = measure_loop("bench_client_loop", options.loop_seconds)
    pair["end_to_end"] = measure_end_to_end(options.events, options)
    pair["ratio"] = pair["end_to_end"]["events_per_s"] / pair["post_loop"]["requests_per_s"]
    pair["other_cpus"] = max(pair[part]["other_cpus"] for part in ("post_loop", "end_to_end"))
    return pair


def print_pair(number, pair):
    end = pair["end_to_end"]
    mark = "not valid" if not pair["post_loop"]["valid"] else "busy" if pair["other_cpus"] > BUSY else ""
    print(f"{number:>4} {pair['post_loop']['requests_per_s']:>12,} {end['events_per_s']:>12,.0f} {pair['ratio']:>7.3f}"
          f" {end['ingest_events_per_s']:>10,} {end['server_cpu_us_per_event']:>8.1f} {end['peak_rss_mb']:>8.0f}"
          f" {end['retries429']:>5} {end['sent_twice']:>6} {pair['other_cpus']:>7.2f}  {mark}", flush=True)


def run(options):
    print("pair  post_loop/s end to end/s   ratio   ingest/s  cpu us  peak MB   429  twice  others")
    pairs = []
    for number in range(1, options.runs + 1):
        pairs.append(measure_pair(options))
        print_pair(number, pairs[-1])
    return {"pairs": pairs, "latency": measure_latency_and_idle(options)}


def rows(result):
    return summarize(result["pairs"], result["latency"])


def summarize(pairs, latency):
    """Rows of figure, target, measured: medians over the valid pairs."""
    valid = [pair for pair in pairs if pair["post_loop"]["valid"]]
    busy = sum(pair["other_cpus"] > BUSY for pair in pairs)
    figures = [("valid pairs", f"{len(pairs)}", f"{len(valid)}"), ("pairs on a busy machine", "0", f"{busy}")]
    if valid:
        def median(get):
            return statistics.median(get(pair) for pair in valid)
        figures += [
            ("post_loop", f">= {VALID_POST_LOOP:,}/s", f"{median(lambda p: p['post_loop']['requests_per_s']):,.0f}/s"),
            ("end to end", "", f"{median(lambda p: p['end_to_end']['events_per_s']):,.0f}/s"),
            ("end to end / post_loop", ">= 0.12, aim 0.20", f"{median(lambda p: p['ratio']):.3f}"),
        ]
        if "client_loop" in valid[0]:
            ratio = median(lambda p: p["client_loop"]["requests_per_s"] / p["post_loop"]["requests_per_s"])
            figures.append(("client_loop / post_loop", "", f"{ratio:.3f}"))
    return figures + [
        ("peak memory, worst pair", "< 300 MB", f"{max(p['end_to_end']['peak_rss_mb'] for p in pairs):.0f} MB"),
        ("latency p50", "", f"{latency['p50_ms']:.2f} ms"),
        ("latency p99", "aim < 10 ms", f"{latency['p99_ms']:.2f} ms"),
        ("delivered before the ack was read", "", f"{latency['before_ack_percent']:.0f} %"),
        ("idle CPU", "< 1 %", f"{latency['idle_cpu_percent']:.2f} %"),
    ]
