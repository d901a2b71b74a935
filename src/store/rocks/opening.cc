#include "store/rocks/opening.h"

#include "store/rocks/repair/wal_check.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>

#include <utility>

namespace eventhorn::store {

Status Opening::check_before_open() const {
  TRY(const auto hidden, find_hidden_wal_damage(directory()));
  if (!hidden.empty()) return fail(Errc::kCorruption, hidden.front().text());
  std::error_code ec;
  if (!identity_.empty() && !std::filesystem::exists(directory() / "CURRENT", ec)) {
    return fail(Errc::kUnavailable, "the store in " + directory().string() +
                                        " is gone, its directory is missing or empty; no new one "
                                        "is made in its place: bring it back (is it mounted?)");
  }
  return {};
}

Error Opening::refused(const rocksdb::Status& status) const {
  const std::string text = status.ToString();
  if (text.find("While lock file") != std::string::npos ||
      text.find("lock hold by current process") != std::string::npos) {
    return {Errc::kConflict, "data directory " + options_.data.string() +
                                 " is in use by another eventhorn process (" + text +
                                 "); stop it or choose another --data"};
  }
  if (!status.IsCorruption())
    return {Errc::kUnavailable, "cannot open the store in " + directory().string() + ": " + text};
  const auto found = find_wal_damage(directory());
  if (!found) return found.error();
  return {Errc::kCorruption, found->empty() ? text : found->front().text() + ": " + text};
}

Status Opening::open(Database& database) {
  TRY_STATUS(check_before_open());
  const bool reopening = !identity_.empty();
  auto options = db_options(options_.env);
  options.create_if_missing = !reopening;
  options.create_missing_column_families = !reopening;
  compactions_ = std::make_shared<CompactionWatch>();
  options.listeners.push_back(compactions_);
  const std::string path = directory().string();
  const auto status =
      database.open(options, path, family_descriptors(options_.floors, options_.rewrite_after),
                    Database::Access::kReadAndWrite);
  if (!status.ok()) return fail(refused(status));
  std::string identity;
  TRY_STATUS(to_status(database->GetDbIdentity(identity), "reading the identity of the store"));
  if (reopening && identity != identity_)
    return fail(Errc::kUnavailable, "the store in " + path + " is another one than before (" +
                                        identity + ", not " + identity_ + ")");
  identity_ = std::move(identity);
  return {};
}

}  // namespace eventhorn::store
