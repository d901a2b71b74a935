// bench_generator: writes seeded events as NDJSON.
#include "generator.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <string>

namespace {

using namespace eventhorn;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

int write_events(const bench::Generator& generator, uint64_t count, const std::string& path) {
  const std::unique_ptr<std::FILE, FileCloser> opened(path == "-" ? nullptr
                                                                  : std::fopen(path.c_str(), "w"));
  std::FILE* file = path == "-" ? stdout : opened.get();
  if (file == nullptr) {
    std::perror(path.c_str());
    return 1;
  }
  std::string lines;
  for (uint64_t i = 0; i < count; ++i) {
    generator.append_event(i, lines);
    lines.push_back('\n');
    if (lines.size() < (1U << 20) && i + 1 < count) continue;
    if (std::fwrite(lines.data(), 1, lines.size(), file) != lines.size()) break;
    lines.clear();
  }
  if (std::fflush(file) == 0 && lines.empty()) return 0;
  std::perror(path.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Writes seeded, realistic e-mail events, one JSON object a line. Equal arguments give equal "
      "bytes.");
  uint64_t count = 1000;
  uint64_t seed = 1;
  int64_t start_s = 1'773'222'312;
  std::string domain = bench::kDomain;
  std::string out = "-";
  app.add_option("--count", count, "Events to write")->capture_default_str();
  app.add_option("--seed", seed, "Another seed, other events")->capture_default_str();
  app.add_option("--start", start_s, "Time of the first event, seconds since the epoch")
      ->capture_default_str();
  app.add_option("--domain", domain, "Domain of senders and message-ids")->capture_default_str();
  app.add_option("--out", out, "File to write, - for stdout")->capture_default_str();
  app.footer(
      "Examples:\n"
      "  bench_generator --count 3\n"
      "  bench_generator --count 1000000 --seed 7 --out events.ndjson\n"
      "  bench_generator --count 100 --start $(date +%s) > now.ndjson");
  CLI11_PARSE(app, argc, argv);
  const bench::Generator generator(seed, from_micros(start_s * 1'000'000), domain);
  return write_events(generator, count, out);
}
