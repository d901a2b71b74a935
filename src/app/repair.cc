#include "app/repair.h"

#include "store/rocks/repair/find_text.h"
#include "store/rocks/repair/repair.h"

#include <fmt/format.h>

#include <cstdio>
#include <vector>

namespace eventhorn::app {
namespace {

int cannot(const Error& error) {
  fmt::print(stderr, "eventhorn: {}\n", error.message);
  return 1;
}

int sound(const std::string& data) {
  fmt::print("The store in {} is sound; nothing was changed.\n", data);
  return 0;
}

void print_damage(const std::vector<std::string>& damage) {
  for (const auto& line : damage) fmt::print("damaged: {}\n", line);
}

}  // namespace

int check_store(const std::string& data) {
  const auto damage = store::find_damage(data);
  if (!damage) return cannot(damage.error());
  if (damage->empty()) return sound(data);
  print_damage(*damage);
  fmt::print("Nothing was changed. Restore a backup, or run: eventhorn repair --data {}\n", data);
  return 1;
}

int find_in_store(const std::string& data, const std::string& text) {
  const auto found = store::find_text(data, text);
  if (!found) return cannot(found.error());
  for (const auto& file : *found)
    fmt::print("{}: {}\n", file.file.string(),
               file.times == 1 ? "once" : std::to_string(file.times) + " times");
  if (found->empty()) fmt::print("The text is in no file of {}.\n", data);
  return found->empty() ? 0 : 1;
}

int repair_store(const std::string& data) {
  const SystemClock clock;
  const auto report = store::repair(data, clock);
  if (!report) return cannot(report.error());
  if (report->damage.empty()) return sound(data);
  print_damage(report->damage);
  const auto quarantine = report->quarantine.string();
  fmt::print("kept: {} events\n", report->events_kept);
  fmt::print("lost: {} events whose ids are known\n", report->events_lost);
  if (report->positions_lost > 0) {
    fmt::print("lost: at most {} more, known only by position and time\n", report->positions_lost);
  }
  if (!report->lost_after.empty())
    fmt::print("lost, perhaps: what was committed after {}\n", report->lost_after);
  if (report->rows_lost > 0)
    fmt::print("lost: other rows (domains, progress, attempts) in {} places\n", report->rows_lost);
  if (report->lanes_lost > 0) {
    fmt::print(
        "lost: the progress of up to {} lanes, which go on with what comes: replay to them "
        "what they lack\n",
        report->lanes_lost);
  }
  fmt::print(
      "The store in {} is sound now. What was lost: {}/lost.ndjson; the store as it was: "
      "{}/store\n",
      data, quarantine, quarantine);
  return 0;
}

}  // namespace eventhorn::app
