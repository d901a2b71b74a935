"""Events behind one dead URL: what they cost in memory, how the URL drains when it returns, what others notice."""
import time

from suite.processes import load, load_beside, server, targets, wait_for
from suite.throughput import measure_end_to_end

DEAD, LIVE = "1", "2"  # the numbers of the URLs, and of their domains
LIVE_RATE = 100
RETURN_S = 10  # in which the concurrency is bounded
VARIANTS = ["refuse", "hole"]
# Soon parked and soon probed, so that the run need not wait for minutes; a schedule that outlasts the outage.
SETTINGS = ["delivery.park_after=2s", "delivery.probe_interval=500ms", "delivery.probe_max_interval=1s",
            "delivery.retry_schedule=" + ",".join(["20s"] * 32)]


def run(options):
    events = min(options.events, options.backlog)
    end_to_end = measure_end_to_end(events, options)["events_per_s"]
    print(f"end to end: {end_to_end:,.0f}/s with {events:,} events")
    variants = {}
    for variant in VARIANTS:
        variants[variant] = measure(options, variant)
        variants[variant]["drain_ratio"] = variants[variant]["drain_per_s"] / end_to_end
        print_variant(variant, variants[variant])
    return {"events": options.backlog, "end_to_end_per_s": end_to_end, "variants": variants}


def measure(options, variant):
    with targets(2) as urls, server(options, *SETTINGS) as hooks:
        load(hooks, "--domains", 2, "--hook-url", urls.any_url)
        warm = min(options.events, options.backlog)
        load(hooks, "--first", DEAD, "--count", warm, "--batch", 100, "--seed", 1)
        wait_dead_has(urls, warm)
        peak = urls.counts(DEAD)["peak_connections"]
        urls.lap(LIVE)
        load(hooks, "--first", LIVE, "--seconds", options.phase, "--rate", LIVE_RATE, "--seed", 2)
        wait_for(lambda n: n >= int(LIVE_RATE * options.phase), lambda: urls.distinct(LIVE), lambda n: f"{n} live events")
        calm = urls.stats(LIVE)

        before = settled_rss(hooks, options)
        urls.switch(variant, DEAD)
        filled = load(hooks, "--first", DEAD, "--count", options.backlog, "--batch", 100, "--seed", 3)
        hooks.wait_indexed()
        full = hooks.rss_mb()
        settled = settled_rss(hooks, options)
        urls.lap("1-2")
        with load_beside(hooks, "--first", LIVE, "--rate", LIVE_RATE, "--seed", 4) as live:
            drain = drain_after_return(urls, warm, options.backlog)
        expected = int(LIVE_RATE * options.phase) + live["events"]
        wait_for(lambda n: n >= expected, lambda: urls.distinct(LIVE), lambda n: f"{n} of {expected} live events")
        during = urls.stats(LIVE)
        return {**drain, "fill_per_s": filled["events_per_s"], "healthy_peak": peak,
                "peak_ratio": drain["return_peak"] / peak,
                "rss_before_mb": before, "rss_full_mb": full, "rss_settled_mb": settled, "rss_growth_mb": settled - before,
                "peak_rss_mb": hooks.peak_rss_mb(),
                "calm_p99_ms": calm["p99_ms"], "live_p99_ms": during["p99_ms"], "live_max_ms": during["max_ms"],
                "p99_limit_ms": max(2 * calm["p99_ms"], calm["p99_ms"] + 5),
                "sent_twice": urls.counts(DEAD)["total"] - warm - options.backlog}


def wait_dead_has(urls, events):
    wait_for(lambda n: n >= events, lambda: urls.distinct(DEAD), lambda n: f"{n} of {events} events")


def settled_rss(hooks, options):
    """After a pause in which memory is given back."""
    hooks.wait_indexed()
    time.sleep(options.settle_seconds)
    return hooks.rss_mb()


def drain_after_return(urls, had, backlog):
    """From the moment the URL answers until it has everything. The rate counts from its first event on."""
    back = time.monotonic()
    urls.switch("answer", DEAD)
    wait_for(lambda n: n > had, lambda: urls.distinct(DEAD), lambda n: "the URL answers and gets nothing")
    first = time.monotonic()
    return_peak = None

    def look():
        nonlocal return_peak
        counts = urls.counts(DEAD)
        if time.monotonic() - first < RETURN_S or return_peak is None:
            return_peak = counts["peak_connections"]
        return counts["distinct"]

    wait_for(lambda n: n >= had + backlog, look, lambda n: f"{n} of {had + backlog} events")
    seconds = time.monotonic() - first
    return {"first_after_s": first - back, "drain_s": seconds, "drain_per_s": backlog / seconds, "return_peak": return_peak,
            "drain_peak": urls.counts(DEAD)["peak_connections"]}


def print_variant(variant, v):
    print(f"{variant}: fill {v['fill_per_s']:,.0f}/s; RSS {v['rss_before_mb']:.0f} MB before, {v['rss_full_mb']:.0f} full, "
          f"{v['rss_settled_mb']:.0f} settled, {v['peak_rss_mb']:.0f} at most; first event {v['first_after_s']:.1f} s after the"
          f" return; drain {v['drain_per_s']:,.0f}/s; connections {v['healthy_peak']} healthy, {v['return_peak']} in the first"
          f" {RETURN_S} s, {v['drain_peak']} in all; live p99 {v['calm_p99_ms']:.2f} ms calm, {v['live_p99_ms']:.2f} ms;"
          f" {v['sent_twice']} sent twice", flush=True)


def rows(result):
    figures = [("end to end", "", f"{result['end_to_end_per_s']:,.0f}/s")]
    for variant, v in result["variants"].items():
        figures += [
            (f"{variant}: RSS growth, {result['events']:,} events", "< 50 MB", f"{v['rss_growth_mb']:.0f} MB"),
            (f"{variant}: drain / end to end", ">= 0.5", f"{v['drain_ratio']:.3f}"),
            (f"{variant}: live p99 in the drain", f"<= {v['p99_limit_ms']:.2f} ms", f"{v['live_p99_ms']:.2f} ms"),
            (f"{variant}: connections in {RETURN_S} s / healthy peak", "<= 2", f"{v['peak_ratio']:.2f}"),
        ]
    return figures
