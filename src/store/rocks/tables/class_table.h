// Family `classes`: (domain uid, class, position) -> hook, bytes, and in some rows the totals up to
// and including it. Lanes that are behind walk it, and count by it. An event that no lane sees has
// no hook, or is not pushed: it stands under a class of its own, so that all classes together are
// all events of the domain (order_reader.h). counts.h makes the rows.
#pragma once

#include "store/lane_log.h"
#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/rocks/format.h"
#include "store/rocks/scan.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rocksdb {
class Iterator;
}  // namespace rocksdb

namespace eventhorn::store {

/// Events of one (domain, class) from some beginning on, by class_slot().
using ClassTotals = std::array<EventCount, 3>;

/// The place of a hook among those of its class.
size_t class_slot(webhook::Hook hook);

inline void add_event(EventCount& count, uint64_t bytes) {
  ++count.events;
  count.bytes += bytes;
}

/// Events that no lane sees stand under it. On disk: do not change.
inline constexpr webhook::Class kUnseen{webhook::kClasses};

struct ClassRow {
  webhook::Hook hook{};
  uint32_t bytes = 0;  // 0 in rows of version 1
  std::optional<ClassTotals> totals;
};

/// Any thread, with the database in use.
class ClassTable {
 public:
  /// `database` must outlive this.
  explicit ClassTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string prefix(DomainUid domain, webhook::Class cls);
  static std::string key(DomainUid domain, webhook::Class cls, Position position);
  /// `totals` may be null.
  static std::string encode(webhook::Hook hook, uint32_t bytes, const ClassTotals* totals);
  static Result<ClassRow> decode(std::string_view value);
  /// Of rows under kUnseen.
  static std::string encode_unseen(webhook::HookEvent event);
  /// What kind of event a row under `cls` is of.
  static Result<webhook::HookEvent> decode_event(webhook::Class cls, std::string_view value);

  /// Goes over the rows of one (domain, class), forward or backward.
  class Walk {
   public:
    /// `rows` is rows() and must outlive this.
    Walk(rocksdb::Iterator& rows, DomainUid domain, webhook::Class cls)
        : rows_(rows), cls_(cls), prefix_(prefix(domain, cls)) {}

    /// False beyond the first and the last row, and after an error.
    bool valid() const;
    Position position() const;
    Result<ClassRow> row() const;
    /// What kind of event it is.
    Result<webhook::HookEvent> event() const;
    /// To the first row after a position.
    void seek_after(Position position);
    /// To the last row that is not after a position.
    void seek_up_to(Position position);
    void next();
    void prev();
    Status status() const;

    /// How many events there are in (after, to]: forward to the first totals, then back from the
    /// end to the last. Adds the rows that it looks at to `looked_at`.
    Result<ClassTotals> count(Position after, Position to, uint64_t& looked_at);

   private:
    rocksdb::Iterator& rows_;
    const webhook::Class cls_;
    const std::string prefix_;
  };

  std::unique_ptr<rocksdb::Iterator> rows() const { return database_.rows(Family::kClasses); }

  /// Calls `each(position, hook)` for the rows in (after, to], in order, while `goes_on()`. A row
  /// that it does not come to may be damaged.
  template <class F, class G>
  Status scan(DomainUid domain, webhook::Class cls, Position after, Position to, G goes_on,
              F each) const {
    const std::string begin = prefix(domain, cls);
    const auto take = [&](std::string_view row, std::string_view value) -> Result<bool> {
      const Position position{format::get_u64_be(row.data() + begin.size())};
      if (position > to || !goes_on()) return false;
      TRY(const auto decoded, decode(value));
      each(position, decoded.hook);
      return true;
    };
    return scan_prefix(rows(), begin, key(domain, cls, just_after(after)),
                       "reading the catch-up index", take);
  }

  /// nullopt when there is no such row.
  Result<std::optional<ClassRow>> find(DomainUid domain, webhook::Class cls,
                                       Position position) const;

  static bool expired(std::string_view key, std::string_view, const Floors& floors) {
    return key.size() == 17 && format::get_u64_be(key.data() + 9) < floors.classes;
  }

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
