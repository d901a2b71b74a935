#!/usr/bin/env python3
"""Proves the module rules over every #include in src/ (CONTRIBUTING.md, "Layers").

Usage: check_layers.py [ROOT]        exit 1 with file:line messages
       check_layers.py --self-test   proves that each rule can fail, and that none forbids too much
"""
import fnmatch
import pathlib
import re
import sys
import tempfile

# A header outside the standard library -> the only files that may include it.
ISOLATED = {
    r"boost/beast": ["src/http/*.cc", "src/http/bounded_parser.h", "src/outbound/*.cc", "src/async/*_impl.cc"],
    r"boost/asio/ssl": ["src/http/*.cc", "src/outbound/*.cc", "src/async/*_impl.cc"],
    r"ares\.h": ["src/outbound/*.cc"],
    r"openssl/": ["src/crypto/*.cc", "src/http/*.cc", "src/outbound/*.cc"],
    r"rocksdb/": ["src/store/rocks/*"],
    r"libpq|pqxx": ["src/store/pg/*"],
    r"simdjson": ["src/json/*.cc"],
    r"toml\+\+|toml\.hpp": ["src/config/*.cc"],
    r"CLI/": ["src/cli/*.cc"],
    r"spdlog/": ["src/base/log.cc"],
    r"prometheus/": ["src/base/metrics.cc"],
    r"unicode/": ["src/base/text.cc"],
}

# The heart: values in, values out.
PURE_MODULES = {
    "event": {"base", "json", "event"},
    "webhook": {"base", "json", "crypto", "net", "event", "webhook"},
}
IMPURE_HEADER = re.compile(
    r"boost/asio|boost/beast|rocksdb/|openssl/|simdjson|ares\.h|sys/socket\.h|netinet/|netdb\.h|sys/epoll\.h|unistd\.h|"
    r"fcntl\.h|fstream$|filesystem$|thread$"
)

# Modules that meet in control/ only.
STRANGERS = {("api", "delivery"), ("delivery", "api")}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Headers of tests are compiled into test binaries only, so they count as sources.
TEST_FILE = re.compile(r"_test(_support)?\.(cc|h)$")
UNOWNED = re.compile(r"\b(co_spawn|detached)\b")

# Time and threads come from outside, so that a test or a simulation may own them: what waits does so by a Timer
# (async/timer.h) over the Clock given, what blocks runs on the Pool or takes turns on the Workers given (async/pool.h,
# async/worker.h). Sockets, and what drives a server from outside, live in the machine's time. base/ has the machine's
# clocks and the thread of the log, app/ those of signals and of the check of limits.
TIMER = re.compile(r"\bsteady_timer\b")
MAY_USE_TIMERS = {"async", "http", "outbound"}
READS_CLOCK = re.compile(r"_clock::now\(")
MAY_READ_CLOCKS = {"base", "async", "http", "outbound", "selftest"}
THREAD_POOL = re.compile(r"\bthread_pool\b")
MAY_MAKE_POOLS = {"async"}
OWN_THREAD = re.compile(r"\bstd::j?thread\b|\bcondition_variable\b")
MAY_MAKE_THREADS = {"base", "async", "http", "outbound", "selftest", "app"}


def read_layers(root):
    text = (root / "src/CMakeLists.txt").read_text()
    return re.findall(r"^add_subdirectory\((\w+)\)", text, re.MULTILINE)


def check_include(name, module, target, quoted, layers):
    """Yields what is wrong with `#include target` in the file `name` of `module`."""
    is_test = TEST_FILE.search(name) is not None
    unit = name.removesuffix(".h") + ".cc" if is_test and name.endswith(".h") else name
    for header, owners in ISOLATED.items():
        if re.match(header, target) and not any(fnmatch.fnmatch(unit, owner) for owner in owners):
            yield f"<{target}> belongs to {' and '.join(owners)}"
    if module in PURE_MODULES and not is_test and IMPURE_HEADER.match(target):
        yield f"{module}/ is pure: no <{target}>"
    if not quoted:
        return
    other = target.split("/")[0]
    if other not in layers:
        if not is_test:
            yield f'"{target}" is in no module of src/CMakeLists.txt'
        return
    if layers.index(other) > layers.index(module):
        yield f"{module}/ is below {other}/ and must not include it"
    if (module, other) in STRANGERS:
        yield f"{module}/ and {other}/ never include each other; they meet in control/"
    if module in PURE_MODULES and not is_test and other not in PURE_MODULES[module]:
        yield f"{module}/ is pure: no \"{target}\""


def check_file(root, path, layers):
    name = path.relative_to(root).as_posix()
    module = path.relative_to(root / "src").parts[0]
    if module not in layers:
        yield f"{name}:1: module {module}/ is not in src/CMakeLists.txt"
        return
    may_spawn = module == "async" or TEST_FILE.search(name)
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            for problem in check_include(name, module, include[2], include[1] == '"', layers):
                yield f"{name}:{number}: {problem}"
            continue
        code = line.split("//")[0]
        if not may_spawn and UNOWNED.search(code):
            yield f"{name}:{number}: nothing runs unowned: spawn through TaskGroup (async/task_group.h)"
        if module not in MAY_USE_TIMERS and TIMER.search(code):
            yield f"{name}:{number}: wait by a Timer over the clock given (async/timer.h)"
        if module not in MAY_MAKE_POOLS and THREAD_POOL.search(code):
            yield f"{name}:{number}: blocking work runs on the Pool given (async/pool.h)"
        if module not in MAY_READ_CLOCKS and not TEST_FILE.search(name) and READS_CLOCK.search(code):
            yield f"{name}:{number}: time comes from the Clock given (base/time.h)"
        if module not in MAY_MAKE_THREADS and not TEST_FILE.search(name) and OWN_THREAD.search(code):
            yield f"{name}:{number}: threads come from the Workers or the Pool given (async/worker.h, async/pool.h)"


def check(root):
    layers = read_layers(root)
    problems = []
    for path in sorted((root / "src").rglob("*")):
        if path.suffix in (".cc", ".h") and len(path.relative_to(root / "src").parts) > 1:
            problems += check_file(root, path, layers)
    return problems


FORBIDDEN = [  # file, line, part of the message
    ("base/a.h", '#include "json/reader.h"', "base/ is below json/"),
    ("http/a.cc", '#include "store/store.h"', "http/ is below store/"),
    ("http/a_test.cc", '#include "app/main.h"', "http/ is below app/"),
    ("api/a.cc", '#include "nowhere/a.h"', "in no module"),
    ("stray/a.cc", "", "stray/ is not in src/CMakeLists.txt"),
    ("event/a.cc", "#include <boost/asio/awaitable.hpp>", "event/ is pure"),
    ("event/a.cc", '#include "crypto/hash.h"', "event/ is pure"),
    ("event/a.h", "#include <fstream>", "event/ is pure"),
    ("webhook/a.cc", "#include <sys/socket.h>", "webhook/ is pure"),
    ("webhook/a.cc", "#include <openssl/evp.h>", "webhook/ is pure"),
    ("webhook/a.cc", '#include "async/task.h"', "webhook/ is pure"),
    ("webhook/a.cc", '#include "config/config.h"', "webhook/ is pure"),
    ("http/server.h", "#include <boost/beast/core.hpp>", "belongs to src/http/*.cc"),
    ("delivery/a.cc", "#include <boost/beast/http.hpp>", "belongs to src/http/*.cc"),
    ("async/cores.cc", "#include <boost/asio/ssl.hpp>", "belongs to src/http/*.cc"),
    ("outbound/resolver.h", "#include <ares.h>", "belongs to src/outbound/*.cc"),
    ("http/a.cc", "#include <ares.h>", "belongs to src/outbound/*.cc"),
    ("store/a.cc", "#include <openssl/sha.h>", "belongs to src/crypto/*.cc"),
    ("store/store.h", "#include <rocksdb/db.h>", "belongs to src/store/rocks/*"),
    ("store/rocks/a.cc", "#include <libpq-fe.h>", "belongs to src/store/pg/*"),
    ("delivery/a_test_support.h", "#include <openssl/ssl.h>", "belongs to src/crypto/*.cc"),
    ("json/reader.h", "#include <simdjson.h>", "belongs to src/json/*.cc"),
    ("config/config.h", "#include <toml++/toml.h>", "belongs to src/config/*.cc"),
    ("app/main.cc", "#include <CLI/CLI.hpp>", "belongs to src/cli/*.cc"),
    ("base/log.h", "#include <spdlog/spdlog.h>", "belongs to src/base/log.cc"),
    ("base/metrics.h", "#include <prometheus/registry.h>", "belongs to src/base/metrics.cc"),
    ("base/strings.cc", "#include <unicode/uchar.h>", "belongs to src/base/text.cc"),
    ("api/a.cc", '  #  include "delivery/engine.h"', "never include each other"),
    ("delivery/a.h", '#include "api/routes.h"', "never include each other"),
    ("http/a.cc", "  asio::co_spawn(executor, run(), asio::use_future);", "nothing runs unowned"),
    ("delivery/a.cc", "  start(asio::detached);", "nothing runs unowned"),
    ("delivery/a.h", "  asio::steady_timer timer_;", "wait by a Timer"),
    ("app/a.cc", "  asio::steady_timer timer(executor);", "wait by a Timer"),
    ("delivery/a.cc", "  const auto now = std::chrono::steady_clock::now();", "time comes from the Clock"),
    ("control/a.cc", "  const auto now = std::chrono::system_clock::now();", "time comes from the Clock"),
    ("store/rocks/a.cc", "  const auto now = std::chrono::steady_clock::now();", "time comes from the Clock"),
    ("api/a.cc", "  const Deadline end = std::chrono::steady_clock::now() + timeout;", "time comes from the Clock"),
    ("app/a.cc", "  const auto end = std::chrono::steady_clock::now() + drain;", "time comes from the Clock"),
    ("store/a.h", "  std::thread thread_;", "threads come from the Workers"),
    ("api/a.cc", "  std::jthread thread([&] { read(); });", "threads come from the Workers"),
    ("delivery/a.h", "  asio::thread_pool& readers;", "runs on the Pool given"),
    ("app/a.cc", "  std::unique_ptr<asio::thread_pool> readers;", "runs on the Pool given"),
    ("delivery/a_test.cc", "  asio::thread_pool pool(1);", "runs on the Pool given"),
    ("control/a.h", "  std::condition_variable changed_;", "threads come from the Workers"),
]

ALLOWED = [
    ("http/bounded_parser.h", "#include <boost/beast/http/basic_parser.hpp>"),
    ("http/a.cc", "#include <boost/beast/http.hpp>"),
    ("http/a.cc", "#include <openssl/ssl.h>"),
    ("outbound/a.cc", "#include <ares.h>"),
    ("http/a.cc", "// co_spawn would run unowned"),
    ("async/boost_impl.cc", "#include <boost/asio/ssl/impl/src.hpp>"),
    ("async/task_group.cc", "  asio::co_spawn(executor_, std::move(body), asio::detached);"),
    ("http/a_test.cc", "  asio::co_spawn(context, run(), asio::detached);"),
    ("http/raw_client_test_support.h", "#include <openssl/ssl.h>"),
    ("async/timer.h", "  asio::steady_timer timer_;"),
    ("async/worker.cc", "  std::thread thread_;"),
    ("async/pool.cc", "  asio::thread_pool pool;"),
    ("app/main.cc", "  std::thread([signals] { wait(signals); }).detach();"),
    ("base/time.cc", "  return std::chrono::steady_clock::now();"),
    ("store/a_test.cc", "  std::thread appender([&] { append(); });"),
    ("outbound/a.cc", "  asio::steady_timer timer(executor);"),
    ("delivery/a.cc", "// no steady_timer here"),
    ("delivery/a_test.cc", "  const auto now = std::chrono::steady_clock::now();"),
    ("http/a_test.cc", '#include "support/hook_receiver.h"'),
    ("store/rocks/a.h", "#include <rocksdb/db.h>"),
    ("webhook/a.cc", '#include "crypto/hash.h"'),
    ("webhook/a.cc", '#include "event/event.h"'),
    ("event/a.cc", '#include "json/reader.h"'),
    ("event/a_test.cc", "#include <fstream>"),
    ("app/a.cc", '#include "delivery/engine.h"'),
    ("api/a.cc", '#include "store/store.h"'),
]


def self_test(root):
    layers = (root / "src/CMakeLists.txt").read_text()

    def run(name, line):
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            (tree / "src" / name).parent.mkdir(parents=True)
            (tree / "src/CMakeLists.txt").write_text(layers)
            (tree / "src" / name).write_text("// A file.\n" + line + "\n")
            return check(tree)

    failures = []
    for name, line, message in FORBIDDEN:
        place = "1: " if not line else "2: "
        if not any(p.startswith(f"src/{name}:{place}") and message in p for p in run(name, line)):
            failures.append(f"not refused: {name}: {line}")
    for name, line in ALLOWED:
        failures += [f"refused without reason: {problem}" for problem in run(name, line)]
    # Each row of the tables must have had its turn.
    for header in ISOLATED:
        if not any(re.search(r"[<\"](" + header + ")", line) for _, line, _ in FORBIDDEN):
            failures.append(f"no case for {header}")
    return failures


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    if sys.argv[1:] == ["--self-test"]:
        problems, done = self_test(root), f"{len(FORBIDDEN)} forbidden and {len(ALLOWED)} allowed cases behave"
    else:
        problems = check(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else root)
        done = "layers hold"
    for problem in problems:
        print(problem)
    if not problems:
        print(done)
    sys.exit(1 if problems else 0)


main()
