// bench_client_loop: what our own HTTP client (src/http/client.h) can do on one core: the same POST
// as bench_post_loop, by 64 coroutines over pooled connections, without store, lanes or signatures.
#include "async/block_on.h"
#include "async/cores.h"
#include "async/task_group.h"
#include "net.h"
#include "outbound/client.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <string>

namespace {

using namespace eventhorn;

struct Options {
  std::string target;
  size_t connections = 64;
  double seconds = 5;
};

struct Tally {
  uint64_t requests = 0;
  uint64_t failures = 0;
};

Task<void> worker(outbound::Client& client, std::shared_ptr<outbound::Client::Target> target,
                  std::string body, SteadyTime end, Tally& tally) {
  const std::array<std::string_view, 3> pieces = {std::string_view(body).substr(0, 180),
                                                  std::string_view(body).substr(180), "}"};
  while (std::chrono::steady_clock::now() < end) {
    const auto reply = co_await client.post(*target, pieces, end + std::chrono::seconds(5));
    ++(reply.result.status == 200 ? tally.requests : tally.failures);
  }
}

Task<double> run(outbound::Client& client, const webhook::TargetUrl& url, const Options& options,
                 Tally& tally) {
  const auto target = client.open(url);
  const auto executor = co_await asio::this_coro::executor;
  const std::string body = R"({"event-data":{"filler":")" + std::string(1130, 'x') + "\"}";
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + std::chrono::microseconds(static_cast<int64_t>(options.seconds * 1e6));
  const SystemClock clock;
  TaskGroup group(executor, clock);
  for (size_t i = 0; i < options.connections; ++i)
    group.spawn("worker", worker(client, target, body, end, tally));
  co_await group.join(Deadline::max());
  co_return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Posts as fast as eventhorn's own HTTP client can, on one core"};
  app.footer("example:\n  bench_client_loop --target http://127.0.0.1:9000/hook --seconds 5");
  app.add_option("--target", options.target, "URL of a receiver on loopback")->required();
  app.add_option("--connections", options.connections, "requests in flight")->capture_default_str();
  app.add_option("--seconds", options.seconds, "how long")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!bench::parse_target(options.target)) bench::die("--target must be a loopback URL");
  const auto url = webhook::parse_target_url(options.target);
  if (!url) bench::die(url.error().message);
  Cores cores(1);
  const asio::any_io_executor executor = cores.at(0).get_executor();
  outbound::ClientOptions client_options;
  client_options.max_idle_per_target = options.connections;
  auto network = net::parse_cidr("127.0.0.0/8");
  outbound::Client client(executor, net::AddressGuard({*network}), client_options);
  cores.start();
  Tally tally;
  const double seconds = block_on(executor, run(client, *url, options, tally));
  cores.stop();
  fmt::print("{{\"requests\":{},\"failures\":{},\"seconds\":{:.3f},\"requests_per_s\":{:.0f}}}\n",
             tally.requests, tally.failures, seconds,
             static_cast<double>(tally.requests) / seconds);
  return tally.failures == 0 ? 0 : 1;
}
