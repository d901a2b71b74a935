// SQLite: events by a row id that sorts as pages do, and FTS5 over their terms, which keeps its
// lists by row id: a range of the row id is a domain's range of time, so that a page needs no
// sorting.
#include "net.h"
#include "search_corpus.h"
#include "search_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <sqlite3.h>
#include <utility>

namespace eventhorn::bench {
namespace {

using Field = Term::Field;

constexpr const char* kTables = R"(
CREATE TABLE events (row INTEGER PRIMARY KEY, ts INTEGER NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL);
CREATE VIRTUAL TABLE terms USING fts5(event, severity, recipient, message_id, tags, subject, content='', detail=column,
  tokenize="unicode61 remove_diacritics 0 tokenchars '@.-_+'");
)";
/// Durable at each commit, and as much memory as the server may take.
constexpr const char* kSettings = R"(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -262144;
)";
constexpr const char* kInsertEvent = "INSERT INTO events VALUES (?, ?, ?, ?)";
constexpr const char* kInsertTerms =
    "INSERT INTO terms (rowid, event, severity, recipient, message_id, tags, subject) VALUES (?, "
    "?, ?, ?, ?, ?, ?)";
constexpr int64_t kGiveUpNs = 10'000'000'000;
constexpr int kStepsBetweenLooks = 100'000;  // of the virtual machine

// A row id is domain, time and the beginning of the event's id.
constexpr int kTimeBits = 46;  // two years of microseconds
constexpr int kIdBits = 8;
constexpr int64_t kEpochUs = 1'767'225'600'000'000;  // 2026-01-01

int64_t row_of(size_t domain, int64_t timestamp_us, std::string_view id) {
  const int64_t time =
      std::clamp<int64_t>(timestamp_us - kEpochUs, 0, (int64_t{1} << kTimeBits) - 1);
  const auto first = id.empty() ? 0 : static_cast<unsigned char>(id[0]);
  return (static_cast<int64_t>(domain) << kTimeBits | time) << kIdBits | first;
}

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};

using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Status failed(sqlite3* db) {
  if (sqlite3_errcode(db) == SQLITE_INTERRUPT)
    return fail(Errc::kTimeout, "the query took too long");
  return fail(Errc::kUnavailable, fmt::format("sqlite: {}", sqlite3_errmsg(db)));
}

Status run(sqlite3* db, const char* sql) {
  return sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? Status() : failed(db);
}

Result<Statement> prepared(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* out = nullptr;
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &out, nullptr) != SQLITE_OK) TRY_STATUS(failed(db));
  return Statement(out);
}

void bind_text(sqlite3_stmt* statement, int place, std::string_view text) {
  sqlite3_bind_text(statement, place, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

Status run_once(sqlite3* db, sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  sqlite3_reset(statement);
  return code == SQLITE_DONE ? Status() : failed(db);
}

std::string_view column(sqlite3_stmt* statement, int place) {
  return {reinterpret_cast<const char*>(sqlite3_column_text(statement, place)),
          static_cast<size_t>(sqlite3_column_bytes(statement, place))};
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += word + ' ';
  return out;
}

/// What FTS5 looks for, and what is looked at in each event.
struct Condition {
  std::string match;
  std::string sql;
};

Condition condition_of(const Query& query) {
  Condition out;
  const auto match = [&out](std::string_view name, const std::string& value) {
    out.match += fmt::format("{}{} : \"{}\"", out.match.empty() ? "" : " AND ", name, value);
  };
  for (const auto& [field, value, negated] : query.terms) {
    if (field == Field::kSizeAbove) {
      out.sql += fmt::format(" AND e.body ->> '$.message.size' > {}", value);
    } else if (negated) {
      out.sql += fmt::format(" AND e.body ->> '$.event' <> '{}'", value);
    } else {
      match(field == Field::kMessageId ? "message_id" : name_of(field), value);
    }
  }
  return out;
}

class Sqlite final : public Engine {
 public:
  Status open(const std::string& file) {
    sqlite3* db = nullptr;
    const int code = sqlite3_open(file.c_str(), &db);
    db_.reset(db);
    if (code != SQLITE_OK) return failed(db);
    sqlite3_progress_handler(db, kStepsBetweenLooks, gave_up, this);
    return run(db, kSettings);
  }

  size_t writers() const override { return 1; }

  Status prepare() override { return run(db_.get(), kTables); }

  Status append(size_t /*writer*/, std::vector<Item> items) override {
    if (!insert_event_) {
      TRY(insert_event_, prepared(db_.get(), kInsertEvent));
      TRY(insert_terms_, prepared(db_.get(), kInsertTerms));
    }
    // FTS5 writes what it has so far to the file when a row id is below the one before.
    std::vector<std::pair<int64_t, const event::Event*>> rows;
    for (const auto& item : items)
      rows.emplace_back(row_of(item.domain, item.event.timestamp_us, item.event.id), &item.event);
    std::ranges::sort(rows);
    TRY_STATUS(run(db_.get(), "BEGIN"));
    for (const auto& [row, event] : rows) TRY_STATUS(insert(row, *event));
    return run(db_.get(), "COMMIT");
  }

  Status settle() override { return run(db_.get(), "PRAGMA wal_checkpoint(TRUNCATE)"); }

  Result<Page> read(const Query& query, const Place* after) override {
    begin_ns_ = monotonic_ns();
    const auto [match, condition] = condition_of(query);
    const auto [from, to] = rows_of(query, after);
    const std::string sql = fmt::format(
        "SELECT e.ts, e.id, e.body FROM {0} WHERE {1} >= ? AND {1} < ?{2}{3} ORDER BY "
        "{1} DESC LIMIT {4}",
        match.empty() ? "events e" : "terms t CROSS JOIN events e ON e.row = t.rowid",
        match.empty() ? "e.row" : "t.rowid", match.empty() ? "" : " AND terms MATCH ?", condition,
        query.limit);
    TRY(const auto statement, prepared(db_.get(), sql));
    sqlite3_bind_int64(statement.get(), 1, from);
    sqlite3_bind_int64(statement.get(), 2, to);
    if (!match.empty()) bind_text(statement.get(), 3, match);
    Page page;
    Place last;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
      last.timestamp_us = sqlite3_column_int64(statement.get(), 0);
      page.ids.emplace_back(column(statement.get(), 1));
      body_ = column(statement.get(), 2);
      page.bytes += body_.size();
    }
    page.took_ns = monotonic_ns() - std::exchange(begin_ns_, 0);
    if (code != SQLITE_DONE) TRY_STATUS(failed(db_.get()));
    if (page.ids.empty()) return page;
    last.id = page.ids.back();
    page.end = std::move(last);
    return page;
  }

 private:
  static int gave_up(void* self) {
    const int64_t begin = static_cast<Sqlite*>(self)->begin_ns_;
    return begin > 0 && monotonic_ns() - begin > kGiveUpNs ? 1 : 0;
  }

  /// Rows [first, second).
  static std::pair<int64_t, int64_t> rows_of(const Query& query, const Place* after) {
    auto from = row_of(0, query.range ? query.range->from_us : 0, {});
    auto to = query.range ? row_of(0, query.range->to_us, {}) : row_of(1, 0, {});
    if (after != nullptr) to = row_of(0, after->timestamp_us, after->id);
    return {from, to};
  }

  Status insert(int64_t row, const event::Event& event) {
    auto* const events = insert_event_.get();
    sqlite3_bind_int64(events, 1, row);
    sqlite3_bind_int64(events, 2, event.timestamp_us);
    bind_text(events, 3, event.id);
    bind_text(events, 4, event.bytes);
    TRY_STATUS(run_once(db_.get(), events));
    const auto tags = joined(tags_of(event.bytes));
    auto* const terms = insert_terms_.get();
    sqlite3_bind_int64(terms, 1, row);
    bind_text(terms, 2, to_string(event.name));
    bind_text(terms, 3, to_string(event.severity));
    bind_text(terms, 4, text_of(event.bytes, "recipient"));
    bind_text(terms, 5, text_of(event.bytes, "message-id"));
    bind_text(terms, 6, tags);
    bind_text(terms, 7, text_of(event.bytes, "subject"));
    return run_once(db_.get(), terms);
  }

  std::unique_ptr<sqlite3, Close> db_;
  Statement insert_event_;  // go before db_
  Statement insert_terms_;
  int64_t begin_ns_ = 0;  // of the query under way; 0 while there is none
  std::string body_;      // as a client copies it
};

}  // namespace

Result<std::unique_ptr<Engine>> open_sqlite(const EngineOptions& options) {
  auto engine = std::make_unique<Sqlite>();
  TRY_STATUS(engine->open(options.at));
  return engine;
}

}  // namespace eventhorn::bench
