"""From exec to ready: with lanes behind, and with many domains of which none is behind."""
import os
import time

from suite.processes import data_directory, load, server_on, targets

# Parked soon: the backlog is one range for each lane, as it is after an outage that has lasted.
SETTINGS = ["delivery.park_after=1s", "delivery.probe_interval=30s"]
SETTLE_S = 2  # after ready, before memory is read


def run(options):
    with targets(1) as urls:
        urls.switch("refuse", "1")
        return {"lanes_behind": measure_lanes(options, urls), "domains": measure_domains(options, urls)}


def measure_lanes(options, urls):
    with data_directory() as data:
        with server_on(data, options, *SETTINGS) as hooks:
            load(hooks, "--domains", options.lanes, "--hook-url", urls.first_url + "/{n}")
            load(hooks, "--domains", options.lanes, "--batch", 100, "--count", options.backlog)
            hooks.wait_indexed()
        return {"lanes": options.lanes, "events": options.backlog, "after_stop": measure_start(data, options, "after_stop"),
                "after_kill": measure_start(data, options, "after_kill", before=kill_soon)}


def measure_domains(options, urls):
    with data_directory() as data:
        with server_on(data, options) as hooks:
            began = time.monotonic()
            load(hooks, "--domains", options.domains, "--hooks", 1, "--hook-url", urls.first_url, "--connections", 64)
            set_s = time.monotonic() - began
        print(f"{options.domains:,} webhooks set in {set_s:.1f} s", flush=True)
        return {"domains": options.domains, "set_s": set_s, "after_stop": measure_start(data, options, "after_stop")}


def kill_soon(data, options):
    with server_on(data, options, *SETTINGS) as hooks:
        time.sleep(SETTLE_S)
        hooks.kill()


def measure_start(data, options, name, before=None):
    if before:
        before(data, options)
    os.sync()
    began = time.monotonic()
    with server_on(data, options, *SETTINGS) as hooks:
        ready = time.monotonic() - began
        time.sleep(SETTLE_S)
        figures = {"ready_s": ready, "rss_mb": hooks.rss_mb(), "peak_rss_mb": hooks.peak_rss_mb()}
    print(f"{name}: ready in {ready:.2f} s, RSS {figures['rss_mb']:.0f} MB, {figures['peak_rss_mb']:.0f} at most", flush=True)
    return figures


def rows(result):
    behind, domains = result["lanes_behind"], result["domains"]
    what = f"{behind['lanes']:,} lanes, {behind['events']:,} events behind"
    many = f"{domains['domains']:,} domains, none behind"
    return [
        (f"{what}: ready", "< 5 s", f"{behind['after_stop']['ready_s']:.2f} s"),
        (f"{what}: ready after kill -9", "< 5 s", f"{behind['after_kill']['ready_s']:.2f} s"),
        (f"{what}: RSS", "", f"{behind['after_stop']['rss_mb']:.0f} MB"),
        (f"{many}: ready", "< 3 s", f"{domains['after_stop']['ready_s']:.2f} s"),
        (f"{many}: RSS", "< 200 MB", f"{domains['after_stop']['rss_mb']:.0f} MB"),
    ]
