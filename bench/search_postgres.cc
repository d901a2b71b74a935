// PostgreSQL: the event as jsonb, with the indexes that such a table usually has: GIN for
// containment, B-trees for a domain by time, recipients and message-ids. With more_indexes also one
// for each kind of query that these do not serve.
#include "net.h"
#include "search_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <libpq-fe.h>
#include <utility>

namespace eventhorn::bench {
namespace {

using Field = Term::Field;

constexpr size_t kWriters = 4;
constexpr int kEventColumns = 4;

constexpr const char* kTable = R"(
CREATE TABLE events (domain integer NOT NULL, ts bigint NOT NULL, id text COLLATE "C" NOT NULL, body jsonb NOT NULL);
CREATE INDEX events_time ON events (domain, ts, id);
CREATE INDEX events_body ON events USING gin (body jsonb_path_ops);
CREATE INDEX events_recipient ON events (domain, (body->>'recipient'), ts, id);
CREATE INDEX events_message ON events (domain, (body#>>'{message,headers,message-id}'), ts, id);
)";

constexpr const char* kMoreIndexes = R"(
CREATE INDEX IF NOT EXISTS events_name ON events (domain, (body->>'event'), (body->>'severity'), ts, id);
CREATE INDEX IF NOT EXISTS events_size ON events (domain, ((body#>>'{message,size}')::bigint), ts, id);
CREATE INDEX IF NOT EXISTS events_subject ON events
  USING gin (to_tsvector('simple', body#>>'{message,headers,subject}'));
)";

constexpr const char* kPatience = "SET statement_timeout = '10s'";
constexpr const char* kNoHurry = "SET statement_timeout = 0";
constexpr const char* kCancelled = "57014";  // query_canceled

struct ResultFree {
  void operator()(PGresult* result) const { PQclear(result); }
};

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

using ResultPtr = std::unique_ptr<PGresult, ResultFree>;
using Connection = std::unique_ptr<PGconn, Finish>;

Status failed(PGconn* connection) {
  return fail(Errc::kUnavailable, fmt::format("postgres: {}", PQerrorMessage(connection)));
}

Status check(PGconn* connection, const PGresult* result) {
  const auto status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return {};
  const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state != nullptr && std::string_view(state) == kCancelled)
    return fail(Errc::kTimeout, "the query took too long");
  return failed(connection);
}

Status run(PGconn* connection, const char* sql) {
  const ResultPtr result(PQexec(connection, sql));
  return check(connection, result.get());
}

Result<Connection> connect(const std::string& at) {
  Connection connection(PQconnectdb(at.c_str()));
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    TRY_STATUS(failed(connection.get()));
  }
  return connection;
}

/// The binary format of COPY.
class CopyRows {
 public:
  CopyRows() {
    constexpr std::string_view kSignature("PGCOPY\n\xff\r\n\0", 11);
    out_ = kSignature;
    put<uint32_t>(0);  // flags
    put<uint32_t>(0);  // no more of the header
  }

  void add(const Item& item) {
    put<uint16_t>(kEventColumns);
    put<uint32_t>(sizeof(uint32_t));
    put(static_cast<uint32_t>(item.domain));
    put<uint32_t>(sizeof(uint64_t));
    put(static_cast<uint64_t>(item.event.timestamp_us));
    put(static_cast<uint32_t>(item.event.id.size()));
    out_ += item.event.id;
    put(static_cast<uint32_t>(item.event.bytes.size() + 1));
    out_ += '\1';  // version of jsonb
    out_ += item.event.bytes;
  }

  const std::string& finished() {
    put<uint16_t>(0xffff);
    return out_;
  }

 private:
  template <class T>
  void put(T number) {
    for (size_t shift = 8 * sizeof number; shift > 0; shift -= 8)
      out_ += static_cast<char>(number >> (shift - 8));
  }

  std::string out_;
};

/// A condition on rows, with its values.
class Where {
 public:
  /// `{}` in the text stands for the value.
  void add(std::string_view text, std::string value) {
    values_.push_back(std::move(value));
    text_ +=
        fmt::format(" AND {}", fmt::format(fmt::runtime(text), fmt::format("${}", values_.size())));
  }

  const std::string& text() const { return text_; }

  std::vector<const char*> values() const {
    std::vector<const char*> out;
    for (const auto& value : values_) out.push_back(value.c_str());
    return out;
  }

 private:
  std::string text_;
  std::vector<std::string> values_;
};

class Postgres final : public Engine {
 public:
  Postgres(Connection reader, std::vector<Connection> writers, bool more_indexes)
      : reader_(std::move(reader)), writers_(std::move(writers)), more_indexes_(more_indexes) {}

  size_t writers() const override { return writers_.size(); }

  Status prepare() override { return run(reader_.get(), kTable); }

  Status append(size_t writer, std::vector<Item> items) override {
    PGconn* const connection = writers_[writer].get();
    const ResultPtr begun(PQexec(connection, "COPY events FROM STDIN (FORMAT binary)"));
    if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return failed(connection);
    CopyRows rows;
    for (const auto& item : items) rows.add(item);
    const std::string& bytes = rows.finished();
    if (PQputCopyData(connection, bytes.data(), static_cast<int>(bytes.size())) != 1 ||
        PQputCopyEnd(connection, nullptr) != 1)
      return failed(connection);
    const ResultPtr done(PQgetResult(connection));
    TRY_STATUS(check(connection, done.get()));
    while (const ResultPtr rest{PQgetResult(connection)}) continue;
    return {};
  }

  /// VACUUM puts what GIN has pending where it belongs, and lets B-trees answer alone.
  Status settle() override {
    TRY_STATUS(run(reader_.get(), kNoHurry));
    if (more_indexes_) TRY_STATUS(run(reader_.get(), kMoreIndexes));
    TRY_STATUS(run(reader_.get(), "VACUUM ANALYZE events"));
    TRY_STATUS(run(reader_.get(), "CHECKPOINT"));
    return run(reader_.get(), kPatience);
  }

  Result<Page> read(const Query& query, const Place* after) override {
    const int64_t begin = monotonic_ns();
    Where where = conditions(query);
    if (after != nullptr) {
      where.add("ts <= {}::bigint", std::to_string(after->timestamp_us));
      where.add(fmt::format("(ts, id) < ({}::bigint, {{}})", after->timestamp_us), after->id);
    }
    const std::string sql = fmt::format(
        "SELECT ts, id, body FROM events WHERE domain = 0{} ORDER BY ts DESC, id DESC LIMIT {}",
        where.text(), query.limit);
    const auto values = where.values();
    const ResultPtr result(PQexecParams(reader_.get(), sql.c_str(), static_cast<int>(values.size()),
                                        nullptr, values.data(), nullptr, nullptr, 0));
    Page page;
    page.took_ns = monotonic_ns() - begin;
    TRY_STATUS(check(reader_.get(), result.get()));
    const int rows = PQntuples(result.get());
    for (int row = 0; row < rows; ++row) {
      page.ids.emplace_back(PQgetvalue(result.get(), row, 1));
      page.bytes += static_cast<size_t>(PQgetlength(result.get(), row, 2));
    }
    if (rows > 0)
      page.end = Place{std::stoll(PQgetvalue(result.get(), rows - 1, 0)), page.ids.back(), {}};
    return page;
  }

 private:
  Where conditions(const Query& query) const {
    Where where;
    if (query.range) {
      where.add("ts >= {}::bigint", std::to_string(query.range->from_us));
      where.add("ts < {}::bigint", std::to_string(query.range->to_us));
    }
    std::string contained;  // members of the object that the event must contain
    std::string tags;
    const auto contain = [&](std::string_view key, std::string_view value) {
      contained += fmt::format(R"({}"{}":{})", contained.empty() ? "" : ",", key, value);
    };
    for (const auto& [field, value, negated] : query.terms) {
      const auto quoted = fmt::format("\"{}\"", value);
      switch (field) {
        case Field::kEvent:
        case Field::kSeverity:
          if (more_indexes_ || negated) {
            where.add(fmt::format("body->>'{}' {} {{}}", name_of(field), negated ? "<>" : "="),
                      value);
          } else {
            contain(name_of(field), quoted);
          }
          break;
        case Field::kRecipient:
          where.add("body->>'recipient' = {}", value);
          break;
        case Field::kMessageId:
          where.add("body#>>'{{message,headers,message-id}}' = {}", value);
          break;
        case Field::kTag:
          tags += (tags.empty() ? "" : ",") + quoted;
          break;
        case Field::kSubjectWord:
          where.add(
              "to_tsvector('simple', body#>>'{{message,headers,subject}}') @@ "
              "plainto_tsquery('simple', {})",
              value);
          break;
        case Field::kSizeAbove:
          where.add("(body#>>'{{message,size}}')::bigint > {}::bigint", value);
          break;
      }
    }
    if (!tags.empty()) contain("tags", "[" + tags + "]");
    if (!contained.empty()) where.add("body @> {}", "{" + contained + "}");
    return where;
  }

  const Connection reader_;
  const std::vector<Connection> writers_;
  const bool more_indexes_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_postgres(const EngineOptions& options) {
  TRY(auto reader, connect(options.at));
  TRY_STATUS(run(reader.get(), kPatience));
  std::vector<Connection> writers;
  for (size_t n = 0; n < kWriters; ++n) {
    TRY(auto writer, connect(options.at));
    writers.push_back(std::move(writer));
  }
  return std::make_unique<Postgres>(std::move(reader), std::move(writers), options.more_indexes);
}

}  // namespace eventhorn::bench
