"""First pages of a domain with half of all events: over HTTP, and without it beside PostgreSQL and SQLite.

PostgreSQL and SQLite are compared with where they are installed: apt-get install postgresql libpq-dev libsqlite3-dev
"""
import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from suite.processes import POLL_S, WORK, Failure, child, cpu_s, data_directory, run_tool, server, server_on

DAYS = 6  # of the events
COLD_ROUNDS = 5
# As much memory as the server may take, and what is usual for an SSD.
POSTGRES_SETTINGS = ["listen_addresses=", "shared_buffers=512MB", "effective_cache_size=8GB", "max_wal_size=4GB",
                     "work_mem=64MB", "maintenance_work_mem=256MB", "random_page_cost=1.1", "jit=off"]
TITLES = {"embedded": "through the seam", "postgres": "PostgreSQL", "sqlite": "SQLite"}


def run(options):
    return {"sizes": [measure_size(options, events) for events in options.sizes or [options.events]]}


def measure_size(options, events):
    corpus = ["--events", events, "--start", int(time.time()) - DAYS * 86_400]
    print(f"{events:,} events", flush=True)
    with data_directory() as data:
        result = {"events": events, **measure_server(options, corpus, data)}
        embedded = ask("embedded", corpus, data, *questions(options), "--walk", options.walk, "--compact")
        result["store"] = run_tool("bench_store_sizes", "--data", data)
        embedded["bytes"] = sum(family["bytes"] for family in result["store"]["families"].values())
        result["beside"] = {"embedded": embedded}
    with data_directory() as data:
        embedded["fill"] = ask("embedded", corpus, data, "--fill", "--queries", 0)["fill"]
    print_engine("embedded", embedded)
    for name, measure in (("postgres", measure_postgres), ("sqlite", measure_sqlite)):
        if name in (installed() if options.beside is None else options.beside):
            result["beside"][name] = measure(options, corpus)
            print_engine(name, result["beside"][name])
    check_answers(result)
    return result


def ask(engine, corpus, at, *flags):
    return run_tool("bench_search", "--engine", engine, "--at", at, *corpus, *flags)


def ask_server(hooks, corpus, *flags):
    return ask("server", corpus, hooks.url, "--key", hooks.key, *flags)


def questions(options):
    return ["--queries", options.queries, "--seconds", options.query_seconds]


def measure_server(options, corpus, data):
    with server_on(data, options) as hooks:
        result = {"fill": fill_server(hooks, corpus)}
        result["peak_rss_mb"] = hooks.peak_rss_mb()
    print_fill("server", result["fill"])
    result["cold"] = measure_cold(options, corpus, data)
    began = time.monotonic()
    with server_on(data, options) as hooks:
        result["ready_s"] = time.monotonic() - began
        result["rss_at_start_mb"] = hooks.rss_mb()
        result |= ask_server(hooks, corpus, *questions(options), "--walk", options.walk)
        result["rss_mb"] = hooks.rss_mb()
    result["disk_bytes"] = sum(path.stat().st_size for path in Path(data, "store").iterdir())
    for kind in result["kinds"]:
        print(f"  {kind['name']:<30} p50 {kind['p50_ms']:9.3f}  p99 {kind['p99_ms']:9.3f} ms  {kind['queries']} pages of"
              f" {kind['events'] / max(1, kind['queries']):.1f} events, {kind['gave_up']} given up", flush=True)
    return result


def fill_server(hooks, corpus):
    """What bench_search tells of it, with the server's CPU."""
    before = cpu_s(hooks.process.pid)
    filled = ask_server(hooks, corpus, "--fill", "--batch", 100, "--queries", 0)["fill"]
    filled["cpu_us_per_event"] = (cpu_s(hooks.process.pid) - before) / filled["events"] * 1e6
    filled["indexed_per_s"] = filled["events"] / (filled["seconds"] + filled["settle_seconds"])
    return filled


def measure_ingest(options, events):
    """One fill over HTTP, for bench/compare."""
    with server(options) as hooks:
        return fill_server(hooks, ["--events", events, "--start", int(time.time()) - DAYS * 86_400])


def measure_cold(options, corpus, data):
    """The first page of a server whose files are not in the page cache, of each kind in its turn."""
    kinds = {}
    for number in range(COLD_ROUNDS if not options.quick else 1):
        for kind in run_tool("bench_search", "--list")["kinds"]:
            forget_files(data)
            with server_on(data, options) as hooks:
                answer = ask_server(hooks, corpus, "--kind", kind, "--queries", 1, "--warm-up", 0, "--values", number + 2)
            kinds.setdefault(kind, []).append(answer["kinds"][0]["max_ms"])
    return {kind: {"median_ms": statistics.median(took), "max_ms": max(took)} for kind, took in kinds.items()}


def forget_files(directory):
    """Asks the system to drop the pages of the files from its cache, which it does with those that are on disk."""
    os.sync()
    for path in Path(directory).rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def postgres_programs():
    """The newest version's; None where it is not installed."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def installed():
    """What our store can be compared with."""
    engines = run_tool("bench_search", "--list")["engines"]
    return [name for name in ("postgres", "sqlite")
            if name in engines and (name != "postgres" or postgres_programs())]


@contextlib.contextmanager
def postgres():
    """A server of PostgreSQL on a directory of its own; its connection string. Not as root, which it refuses."""
    programs = postgres_programs()
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(dir=WORK, prefix="postgres-") as directory:
        if account:
            shutil.chown(directory, account["user"], account["group"])
        data, log = Path(directory, "data"), Path(directory, "log")
        subprocess.run([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--locale=C", "-E", "UTF8"], check=True,
                       stdout=subprocess.DEVNULL, **account)
        settings = [word for setting in POSTGRES_SETTINGS for word in ("-c", setting)]
        with open(log, "wb") as output, child(programs / "postgres", "-D", data, "-k", directory, *settings, stdout=output,
                                              stderr=output, cwd=directory, **account) as process:
            while subprocess.run([programs / "pg_isready", "-q", "-h", directory]).returncode != 0:
                if process.poll() is not None:
                    raise Failure(f"postgres ended: {log.read_text(errors='replace')[-500:]}")
                time.sleep(POLL_S)
            yield f"host={directory} user=postgres dbname=postgres"


def measure_postgres(options, corpus):
    with postgres() as at:
        result = ask("postgres", corpus, at, "--fill", *questions(options), "--walk", options.walk)
        size = subprocess.run(["psql", at, "-Atc", "SELECT pg_total_relation_size('events')"], check=True, stdout=subprocess.PIPE)
        result["bytes"] = int(size.stdout)
        result["more_indexes"] = ask("postgres", corpus, at, "--more-indexes", "--settle", *questions(options))
    return result


def measure_sqlite(options, corpus):
    with tempfile.TemporaryDirectory(dir=WORK, prefix="sqlite-") as directory:
        file = Path(directory, "events.db")
        result = ask("sqlite", corpus, file, "--fill", *questions(options), "--walk", options.walk)
        result["bytes"] = sum(path.stat().st_size for path in Path(directory).iterdir())
    return result


def answers(result):
    """(engine, its kinds) of all that answered the same questions."""
    yield "server", result["kinds"]
    for name, engine in result["beside"].items():
        yield name, engine["kinds"]
        if "more_indexes" in engine:
            yield f"{name} with more indexes", engine["more_indexes"]["kinds"]


def check_answers(result):
    """Every engine must have found the same events."""
    for kinds in zip(*(kinds for _, kinds in answers(result))):
        whole = {kind["checksum"] for kind in kinds if not kind["gave_up"]}
        if len(whole) > 1:
            told = ", ".join(f"{name} {kind['checksum']}" for (name, _), kind in zip(answers(result), kinds))
            raise Failure(f"the pages of \"{kinds[0]['name']}\" are not the same: {told}")


def print_fill(name, fill):
    print(f"{TITLES.get(name, name)}: {fill['events_per_s']:,.0f} events/s, {fill['settle_seconds']:.1f} s more for the indexes",
          flush=True)


def print_engine(name, engine):
    print_fill(name, engine["fill"])
    print(f"  {engine['bytes'] / engine['fill']['events']:,.0f} bytes an event", flush=True)
    for kind in engine["kinds"]:
        print(f"  {kind['name']:<30} p50 {kind['p50_ms']:9.3f}  p99 {kind['p99_ms']:9.3f} ms  {kind['gave_up']} given up",
              flush=True)


def both(kind):
    """p50 and p99, or that it was given up."""
    if not kind["queries"]:
        return "given up"
    return f"{kind['p50_ms']:.2f} / {kind['p99_ms']:.2f} ms"


def better(engine, index):
    """Of a kind of query with the usual indexes or with more: the answers that took less at p50."""
    tried = [engine["kinds"][index]]
    if "more_indexes" in engine:
        tried.append(engine["more_indexes"]["kinds"][index])
    return min(tried, key=lambda kind: kind["p50_ms"] if kind["queries"] else float("inf"))


def rows(result):
    return [row for size in result["sizes"] for row in rows_of_size(size)]


def rows_of_size(size):
    events, raw, beside = size["events"], size["fill"]["bytes"], size["beside"]
    compacted = beside["embedded"]["bytes"]
    figures = [(f"{events:,} events: first page over HTTP, p50 / p99", "", "")]
    for kind in size["kinds"]:
        target = "< 1 / < 4 ms" if kind["aided"] else ""
        cold = size["cold"][kind["name"]]
        figures.append((f"  {kind['name']}", target, f"{both(kind)}; cold {cold['median_ms']:.1f}, {cold['max_ms']:.1f} at most"))
    figures += [
        ("  walk back by pages of 300", "> 100,000/s", f"{size['walk']['events_per_s']:,}/s over {size['walk']['events']:,}"),
        ("  ready", "< 2 s", f"{size['ready_s']:.2f} s"),
        ("  RSS at the start / after the queries / at most, in the fill", "< 600 MB",
         f"{size['rss_at_start_mb']:.0f} / {size['rss_mb']:.0f} / {size['peak_rss_mb']:.0f} MB"),
        ("  ingest over HTTP: durable / indexed too", "",
         f"{size['fill']['events_per_s']:,} / {size['fill']['indexed_per_s']:,.0f} per second"),
        ("  JSON an event, both doors", "", f"{raw / events:.0f} bytes"),
        ("  on disk an event, write-ahead log too / of the JSON", "",
         f"{size['disk_bytes'] / events:.0f} bytes / {size['disk_bytes'] / raw:.2f}"),
        ("  on disk an event, compacted / of the JSON", "<= 0.5", f"{compacted / events:.0f} bytes / {compacted / raw:.2f}"),
    ]
    figures += [(f"    {name}", "", f"{family['bytes'] / events:.1f} bytes")
                for name, family in size["store"]["families"].items()]
    figures.append((f"{events:,} events without HTTP: " + " | ".join(TITLES[name] for name in beside), "no worse", ""))
    for index, kind in enumerate(size["kinds"]):
        figures.append((f"  {kind['name']}", "", " | ".join(both(better(engine, index)) for engine in beside.values())))
    figures += [
        ("  walk", "", " | ".join(f"{engine['walk']['events_per_s']:,}/s" for engine in beside.values())),
        ("  durable ingest in batches of 500", "2x",
         " | ".join(f"{engine['fill']['events_per_s']:,}/s" for engine in beside.values())),
        ("  bytes an event", "half", " | ".join(f"{engine['bytes'] / events:,.0f}" for engine in beside.values())),
    ]
    return figures
