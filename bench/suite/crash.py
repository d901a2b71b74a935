"""kill -9 at random moments under load: nothing may be lost, and what is sent twice is bounded."""
import contextlib
import random
import statistics
import time

from suite.processes import data_directory, load, load_beside, server_on, targets, wait_for
from suite.throughput import percentile

DOMAINS = 8
ALL = f"1-{DOMAINS}"
RATE = 10_000
BATCH = 50
LIFE_S = (0.3, 1.5)  # between a start and the next kill
MAX_IN_FLIGHT = 256
UNSAVED = 256  # outcomes that may be settled and not saved (docs/ARCHITECTURE.md)


def run(options):
    print(f"{options.kills} kills, {RATE:,} events/s, --seed {options.seed}")
    with targets(DOMAINS) as urls, data_directory() as data:
        with start(data, options) as hooks:
            load(hooks, "--domains", DOMAINS, "--hook-url", urls.any_url)
        return measure(options, urls, data, hooks)


def start(data, options, port=0):
    return server_on(data, options, f"delivery.max_in_flight={MAX_IN_FLIGHT}", port=port)


def measure(options, urls, data, hooks):
    moments = random.Random(options.seed)
    ready_s, twice = [], []
    with contextlib.ExitStack() as last:
        # The servers come and go on one port, with one key: the load outlives all but the last.
        with load_beside(hooks, "--domains", DOMAINS, "--rate", RATE, "--batch", BATCH, "--reconnect") as sent:
            for _ in range(options.kills):
                began = time.monotonic()
                with start(data, options, hooks.port) as victim:
                    ready_s.append(time.monotonic() - began)
                    time.sleep(moments.uniform(*LIFE_S))
                    victim.kill()
                twice.append(sent_twice(urls))
            last.enter_context(start(data, options, hooks.port))
        received = wait_for(lambda n: n >= sent["events"], lambda: urls.distinct(ALL),
                            lambda n: f"{sent['events'] - n} of {sent['events']} events are lost, --seed {options.seed}")
        twice.append(sent_twice(urls))
    # What a kill repeats arrives in the life after it.
    per_kill = [after - before for before, after in zip(twice, twice[1:])]
    print(f"{sent['events']:,} events, {sent['broken']} connections broke", flush=True)
    return {"kills": options.kills, "seed": options.seed, "events": sent["events"], "lost": sent["events"] - received,
            "sent_twice": per_kill, "ready_s": ready_s, "limit": MAX_IN_FLIGHT + UNSAVED}


def sent_twice(urls):
    counts = urls.counts(ALL)
    return counts["total"] - counts["distinct"]


def rows(result):
    twice = sorted(result["sent_twice"])
    spread = f"{twice[0]} / {statistics.median(twice):.0f} / {percentile(twice, 90)} / {twice[-1]}"
    return [
        ("kills, events", "", f"{result['kills']}, {result['events']:,}"),
        ("lost", "0", f"{result['lost']}"),
        ("sent twice per kill: min / median / p90 / max", f"<= {result['limit']}", spread),
        ("ready after a kill: median / max", "", f"{statistics.median(result['ready_s']):.2f} / {max(result['ready_s']):.2f} s"),
    ]
