#include "selftest/report.h"

#include <fmt/format.h>

namespace eventhorn::selftest {
namespace {

std::string text_of(std::chrono::microseconds time) {
  return fmt::format("{:.1f} ms", static_cast<double>(time.count()) / 1000);
}

uint64_t all_repeated(const Report& report) {
  uint64_t sum = 0;
  for (const auto& receiver : report.receivers) sum += receiver.repeated;
  return sum;
}

}  // namespace

std::vector<std::string> find_failures(const Report& report) {
  std::vector<std::string> out = report.problems;
  for (const auto& receiver : report.receivers) {
    if (receiver.lost() > 0)
      out.push_back(
          fmt::format("{}: {} of {} events lost", receiver.name, receiver.lost(), receiver.sent));
    if (receiver.p99 && *receiver.p99 >= report.p99_limit)
      out.push_back(fmt::format("{}: p99 {} is not under {}", receiver.name, text_of(*receiver.p99),
                                text_of(report.p99_limit)));
  }
  const uint64_t most = report.kills * report.repeats_per_kill;
  if (const uint64_t repeated = all_repeated(report); repeated > most)
    out.push_back(fmt::format("{} events sent again, more than the {} that {} kills explain",
                              repeated, most, report.kills));
  return out;
}

std::string render(const Report& report) {
  std::string out = fmt::format("{:<16} {:>9} {:>9} {:>6} {:>10} {:>10}  {}\n", "receiver", "sent",
                                "confirmed", "lost", "duplicated", "p99", "state");
  for (const auto& receiver : report.receivers) {
    out += fmt::format("{:<16} {:>9} {:>9} {:>6} {:>10} {:>10}  {}\n", receiver.name, receiver.sent,
                       receiver.confirmed, receiver.lost(), receiver.repeated,
                       receiver.p99 ? text_of(*receiver.p99) : "-",
                       receiver.state.empty() ? "-" : receiver.state);
  }
  const auto failures = find_failures(report);
  for (const auto& failure : failures) out += fmt::format("failed: {}\n", failure);
  out +=
      fmt::format("verdict: {} ({} kills)\n", failures.empty() ? "passed" : "FAILED", report.kills);
  return out;
}

}  // namespace eventhorn::selftest
