#include "app/process_limits.h"

#include "base/log.h"

#include <latch>
#include <new>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace eventhorn::app {

void keep_secrets() {
  umask(0077);
  constexpr rlimit kNoCore{0, 0};
  setrlimit(RLIMIT_CORE, &kNoCore);
  prctl(PR_SET_DUMPABLE, 0);  // nor a core through a pipe, nor a debugger of the same user
}

void raise_descriptor_limit(const config::Config& config) {
  constexpr rlim_t kStoreAndOthers = 1024;
  const rlim_t wanted =
      config.server.max_connections + config.delivery.max_in_flight + kStoreAndOthers;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  log_warn("app",
           "file descriptors are limited to {}, and {} may be wanted: raise the limit (ulimit -n, "
           "LimitNOFILE=) or lower server.max_connections and delivery.max_in_flight",
           limit.rlim_cur, wanted);
}

Status check_threads(size_t wanted) {
  std::vector<std::thread> threads;
  std::latch go(1);
  std::string error;
  try {
    while (threads.size() < wanted) threads.emplace_back([&go] { go.wait(); });
  } catch (const std::system_error& e) {
    error = e.code().message();
  }
  go.count_down();
  for (auto& thread : threads) thread.join();
  if (error.empty()) return {};
  return fail(Errc::kUnavailable,
              "no more than " + std::to_string(threads.size()) + " of the " +
                  std::to_string(wanted) + " threads wanted could be made (" + error +
                  "): raise the limit (ulimit -u, TasksMax=, the container's limit of processes)");
}

void end_when_out_of_memory() {
  std::set_new_handler([] {
    constexpr std::string_view kLine =
        "eventhorn: out of memory, the process ends; nothing acknowledged is lost: start it again, "
        "with more memory or with lower limits\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kLine.data(), kLine.size());
    ::_exit(1);
  });
}

}  // namespace eventhorn::app
