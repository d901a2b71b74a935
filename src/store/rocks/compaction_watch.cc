#include "store/rocks/compaction_watch.h"

#include "base/log.h"

#include <rocksdb/db.h>

#include <unordered_map>

namespace eventhorn::store {
namespace {

constexpr const char* kNeverTables = "1000000000";  // as many hold up no write

}  // namespace

// A family without compactions holds up nobody. Once they go on it has many tables, and must not
// hold up writes then either: the indexer is among those that write.
void change_compactions(CompactionWatch& watch, const Database& database, SteadyTime now,
                        UnreadableReads& unreadable) {
  for (const auto& [changed, on, error] : watch.take_changes(now)) {
    if (!on) unreadable.note(kFamilyNames[static_cast<size_t>(changed)], error);
    using Options = std::unordered_map<std::string, std::string>;
    const auto options = on ? Options{{"disable_auto_compactions", "false"},
                                      {"level0_slowdown_writes_trigger", kNeverTables},
                                      {"level0_stop_writes_trigger", kNeverTables},
                                      {"soft_pending_compaction_bytes_limit", "0"},
                                      {"hard_pending_compaction_bytes_limit", "0"}}
                            : Options{{"disable_auto_compactions", "true"}};
    const auto status = database->SetOptions(database.family(changed), options);
    if (!status.ok()) log_error("store", "cannot set compactions error={}", status.ToString());
  }
}

}  // namespace eventhorn::store
