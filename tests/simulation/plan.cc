#include "simulation/plan.h"

#include <fmt/format.h>

#include <initializer_list>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

template <class T>
T one_of(Random& random, std::initializer_list<T> values) {
  return random.pick(std::vector<T>(values));
}

ProcessOptions process_options(Random& random) {
  ProcessOptions out;
  auto& engine = out.engine;
  engine.max_in_flight = one_of<size_t>(random, {4, 32, 1024});
  engine.max_per_host = one_of<size_t>(random, {2, 256});
  engine.max_unsaved = one_of<size_t>(random, {8, 256});
  engine.max_exceptions = one_of<size_t>(random, {5, 10'000});
  engine.max_waiting = one_of<size_t>(random, {20, 100'000});
  engine.max_live_bytes = one_of<size_t>(random, {2'000, 100'000, 32 << 20});
  engine.health.max_concurrency = one_of<uint32_t>(random, {1, 4, 64});
  engine.health.park_after = one_of<milliseconds>(random, {0s, 5min});
  engine.health.rate_limit = one_of<double>(random, {0, 0, 0, 2, 50});
  engine.retry_delivered = !random.once_in(8);
  if (random.once_in(2)) engine.schedule = webhook::RetrySchedule({1s, 10s, 1min});
  out.writers.min_free_bytes = 0;
  out.retention.events = one_of<milliseconds>(random, {1h, 24h, 24h * 365});
  out.retention.attempts = out.retention.events;
  return out;
}

MachineOptions machine_options(Random& random, const ClientOptions& clients) {
  MachineOptions out;
  out.between_faults = clients.pace * one_of(random, {20, 200, 2000});
  out.crash_once_in = one_of<uint64_t>(random, {0, 0, 20, 200});
  out.outage = out.between_faults / one_of(random, {1, 10, 100});
  return out;
}

ClientOptions client_options(Random& random) {
  ClientOptions out;
  out.domains = random.between(1, 4);
  out.pace = one_of<Micros>(random, {20ms, 200ms, 2s, 20s, 5min});
  out.max_burst = one_of<size_t>(random, {1, 10, 60});
  return out;
}

ModelOptions model_options(const ProcessOptions& options) {
  ModelOptions out;
  out.max_in_flight = options.engine.max_in_flight;
  out.max_concurrency = options.engine.health.max_concurrency;
  out.max_unsaved = options.engine.max_unsaved;
  // Its turn of the saving thread may come late.
  out.durable_after = options.writers.durable_after + Micros(1s);
  out.retention = options.retention.events;
  out.delays = Delays(options.engine.schedule);
  out.retry_delivered = options.engine.retry_delivered;
  out.rate = options.engine.health.rate_limit;
  out.max_exceptions = options.engine.max_exceptions;
  out.max_live_bytes = options.engine.max_live_bytes;
  out.has_room = options.engine.max_live_bytes > 1 << 20;
  return out;
}

}  // namespace

Plan make_plan(Random& random, Ingredients ingredients) {
  Plan out;
  const uint64_t urls = random.between(1, 8);
  for (uint64_t i = 0; i < urls; ++i)
    out.urls.push_back(fmt::format("http://host{}.test/{}", i / 2, i));
  out.process = process_options(random);
  out.clients = client_options(random);
  out.machine = machine_options(random, out.clients);
  out.clients.ingredients = out.machine.ingredients = ingredients;
  out.model = model_options(out.process);
  out.between_reads = 10 * out.clients.pace;
  return out;
}

}  // namespace eventhorn::simulation
