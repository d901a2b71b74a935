// The cost of an event on its way in, on one core.
#include "event/filter.h"
#include "event/normalize.h"
#include "event/sample.h"
#include "json/split.h"
#include "json/writer.h"

#include <benchmark/benchmark.h>

namespace eventhorn::event {
namespace {

constexpr SystemTime kNow{Micros(1'773'222'400'123'456)};
constexpr NormalizeContext kContext{"mg.example.com", "5f1c9a2be77d4a0c31b8e6d2", kNow, kNow,
                                    1 << 20};

// As a producer sends it: without the fields that ingest adds, and with a real mail's sizes.
std::string make_item() {
  std::string item = make_sample("delivered", "mg.example.com", "", kNow, "Nw3KfYb8SRGmT1xJ6qZc0w");
  const size_t account = item.find(",\"account\"");
  item.erase(account, item.find(",\"envelope\"") - account);
  item.pop_back();
  return item + R"(,"recipient-provider":"Other","primary-dkim":"s1._domainkey.mg.example.com",)"
                R"("originating-ip":"203.0.113.41","api-key-id":"413e373c-0aad3c37",)"
                R"("x-campaign":{"id":8841,"name":"Spring offers","segments":["new","returning"],)"
                R"("weight":0.25,"variant":"b","note":"Z\u00fcrich \"West\""}})";
}

void run(benchmark::State& state, const std::string& item) {
  Normalizer normalizer([] { return std::string("Nw3KfYb8SRGmT1xJ6qZc0w"); });
  for (auto _ : state) benchmark::DoNotOptimize(normalizer.normalize(item, kContext));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(item.size()));
  state.counters["item_bytes"] = static_cast<double>(item.size());
}

void minified(benchmark::State& state) {
  run(state, make_item());
}

void pretty_printed(benchmark::State& state) {
  run(state, json::pretty(make_item()));
}

void already_normalised(benchmark::State& state) {
  run(state, make_sample("delivered", "mg.example.com", "5f1c9a2be77d4a0c31b8e6d2", kNow, "id"));
}

void split(benchmark::State& state, char open, char separator, char close) {
  std::string body(1, open);
  for (int i = 0; i < 500; ++i) body += make_item() + separator;
  body.back() = close;
  for (auto _ : state) benchmark::DoNotOptimize(json::split_items(body, false));
  state.SetItemsProcessed(state.iterations() * 500);
}

void split_array(benchmark::State& state) {
  split(state, '[', ',', ']');
}

void split_ndjson(benchmark::State& state) {
  split(state, ' ', '\n', '\n');
}

void filter_by_subject(benchmark::State& state) {
  const auto filter = Filter::parse({{"subject", "(Test AND NOT bounce) OR parcel"}});
  const std::string event = make_sample("delivered", "mg.example.com", "", kNow, "id");
  for (auto _ : state) benchmark::DoNotOptimize(filter->matches(event));
}

BENCHMARK(minified);
BENCHMARK(pretty_printed);
BENCHMARK(already_normalised);
BENCHMARK(split_array);
BENCHMARK(split_ndjson);
BENCHMARK(filter_by_subject);

}  // namespace
}  // namespace eventhorn::event
