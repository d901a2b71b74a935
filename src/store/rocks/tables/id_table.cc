#include "store/rocks/tables/id_table.h"

#include "store/rocks/format.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>

namespace eventhorn::store {

std::string IdTable::key(DomainUid domain, std::string_view id) {
  std::string out;
  out.reserve(8 + id.size());
  format::put_u64_be(out, domain.value);
  out.append(id);
  return out;
}

std::string IdTable::encode(Position position, uint64_t content_hash) {
  std::string out;
  format::put_u64_be(out, position.value);
  format::put_u64_be(out, content_hash);
  return out;
}

Result<IdTable::Row> IdTable::decode(std::string_view value) {
  if (value.size() < 16) return format::damaged("id");
  return Row{{format::get_u64_be(value.data())}, format::get_u64_be(value.data() + 8)};
}

Status IdTable::add_rows(const TailRun& run, Reads, std::vector<IndexRow>& out) {
  const size_t n = run.size();
  out.reserve(out.size() + n);
  for (size_t i = 0; i < n; ++i) {
    const auto& e = run[i];
    out.push_back({key(e.domain, e.id), encode(e.position, e.content_hash)});
  }
  return {};
}

IdTable::Answers IdTable::look_up(const std::vector<std::string>& keys) const {
  const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  Answers out;
  out.values_ = std::vector<rocksdb::PinnableSlice>(keys.size());
  out.statuses_.resize(keys.size());
  database_->MultiGet({}, database_.family(Family::kIds), keys.size(), slices.data(),
                      out.values_.data(), out.statuses_.data());
  return out;
}

Result<std::optional<IdTable::Row>> IdTable::Answers::operator[](size_t place) const {
  const auto& status = statuses_[place];
  if (status.IsNotFound()) return std::optional<Row>();
  TRY_STATUS(to_status(status, "looking up an event id"));
  TRY(const auto row, decode(values_[place].ToStringView()));
  return std::optional(row);
}

}  // namespace eventhorn::store
