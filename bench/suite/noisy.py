"""Noisy neighbours: 100 URLs at a steady rate; then one, then 50 of them accept and never answer."""
import statistics

from suite.processes import load, server, targets, wait_for

URLS = 100
RATE = 10  # events/s of each URL
PHASES = [("calm", 0), ("one", 1), ("fifty", 50)]  # how many of the first URLs are black holes


def run(options):
    print("run  phase  healthy/s  of calm    p50 ms    p99 ms  p99 of calm    max ms")
    return {"phase_seconds": options.phase, "runs": [measure(options, n) for n in range(1, options.runs + 1)]}


def measure(options, number):
    with targets(URLS) as urls, server(options) as hooks:
        load(hooks, "--domains", URLS, "--hook-url", urls.any_url)
        phases = {}
        sent = 0
        for name, holes in PHASES:
            if holes:
                urls.switch("hole", f"1-{holes}")
            urls.lap(f"1-{URLS}")
            count = int(URLS * RATE * options.phase)
            load(hooks, "--domains", URLS, "--count", count, "--rate", URLS * RATE, "--seed", 1 + sent)
            sent += count // URLS
            phases[name] = finish_phase(urls, holes, sent, options.phase)
            if name == "calm":
                calm = {first: stats_from(urls, first) for first in (1, 2, 51)}
            compare(phases[name], calm[holes + 1])
            print_phase(number, name, phases[name])
        return phases


def stats_from(urls, first):
    return urls.stats(f"{first}-{URLS}")


def finish_phase(urls, holes, sent, seconds):
    """The rate as of now, the delays once the healthy URLs have all of the `sent` events each got."""
    healthy = URLS - holes
    numbers = f"{holes + 1}-{URLS}"
    in_time = urls.counts(numbers)["posts"]
    wait_for(lambda n: n >= sent * healthy, lambda: urls.distinct(numbers),
             lambda n: f"{n} of {sent * healthy} events at {healthy} healthy URLs")
    return {**stats_from(urls, holes + 1), "healthy_per_s": in_time / seconds, "in_time": in_time,
            "offered_per_s": healthy * RATE}


def compare(phase, calm):
    """With the same URLs in the calm phase."""
    phase["rate_ratio"] = phase["in_time"] / calm["posts"]
    phase["calm_p99_ms"] = calm["p99_ms"]
    phase["p99_ratio"] = phase["p99_ms"] / calm["p99_ms"]
    phase["p99_limit_ms"] = max(1.5 * calm["p99_ms"], calm["p99_ms"] + 5)


def print_phase(number, name, phase):
    print(f"{number:>3}  {name:<5} {phase['healthy_per_s']:>10.1f} {phase['rate_ratio']:>8.3f} {phase['p50_ms']:>9.2f}"
          f" {phase['p99_ms']:>9.2f} {phase['p99_ratio']:>12.2f} {phase['max_ms']:>9.2f}", flush=True)


def rows(result):
    runs = result["runs"]

    def median(phase, key):
        return statistics.median(run[phase][key] for run in runs)

    figures = [("calm: p99", "", f"{median('calm', 'p99_ms'):.2f} ms")]
    for name in ("one", "fifty"):
        figures += [
            (f"{name}: healthy deliveries/s of calm", ">= 0.95", f"{median(name, 'rate_ratio'):.3f}"),
            (f"{name}: healthy p99", f"<= {median(name, 'p99_limit_ms'):.2f} ms", f"{median(name, 'p99_ms'):.2f} ms"),
            (f"{name}: healthy p99 of calm", "<= 1.5 or +5 ms", f"{median(name, 'p99_ratio'):.2f}"),
        ]
    return figures
