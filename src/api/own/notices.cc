// /eventhorn/v1/notices: what operators should hear of, as a list and as server-sent events
// (WHATWG HTML, "Server-sent events").
#include "api/handlers.h"
#include "api/list.h"
#include "api/parameters.h"
#include "async/bell.h"
#include "base/strings.h"
#include "json/writer.h"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <iterator>
#include <memory>

namespace eventhorn::api {
namespace {

constexpr uint64_t kDefaultLimit = 100;
constexpr size_t kPerPiece = 50;  // notices written at one time

// One client's stream. The board is its queue: it keeps only the id of the last notice it gave, and
// one that is so slow that the board has dropped the next is let go. Lives on the connection's
// core.
class NoticeStream {
 public:
  NoticeStream(asio::any_io_executor executor, const Clock& clock, control::NoticeBoard& board,
               uint64_t after, std::chrono::milliseconds heartbeat)
      : clock_(clock),
        board_(board),
        heartbeat_(heartbeat),
        after_(after),
        following_(after == board.last_id()),
        bell_(std::make_shared<Bell>(executor, clock)) {
    listener_ = board_.listen([bell = bell_](const control::Notice&) { bell->ring(); });
  }

  ~NoticeStream() { board_.unlisten(listener_); }

  NoticeStream(const NoticeStream&) = delete;
  NoticeStream& operator=(const NoticeStream&) = delete;

  static Task<std::optional<std::string>> next(std::shared_ptr<NoticeStream> self) {
    if (!self->begun_) {
      self->begun_ = true;
      co_return ":\n\n";  // clients, and proxies on the way, see that the stream is open
    }
    for (;;) {
      const auto notices = self->board_.after(self->after_, kPerPiece);
      if (!notices.empty()) {
        const bool missed = self->following_ && notices.front().id != self->after_ + 1;
        if (missed) co_return std::nullopt;
        co_return self->write(notices);
      }
      const auto heartbeat = self->clock_.steady_now() + self->heartbeat_;
      const bool rung = co_await self->bell_->wait(heartbeat);
      if (!rung) co_return ":\n\n";
    }
  }

 private:
  std::string write(const std::vector<control::Notice>& notices) {
    std::string out;
    for (const auto& notice : notices) {
      fmt::format_to(std::back_inserter(out), "id: {}\nevent: {}\ndata: {}\n\n", notice.id,
                     to_string(notice.kind), to_json(notice));
    }
    after_ = notices.back().id;
    following_ = true;
    return out;
  }

  const Clock& clock_;
  control::NoticeBoard& board_;
  const std::chrono::milliseconds heartbeat_;
  uint64_t after_;
  bool following_;  // after_ is an id of this board, so the next notice has the next one
  bool begun_ = false;
  std::shared_ptr<Bell> bell_;
  uint64_t listener_ = 0;
};

Result<uint64_t> read_id(std::string_view name, std::string_view text) {
  if (const auto id = parse_uint(text)) return *id;
  return invalid(name, "must be the id of a notice");
}

Result<std::vector<control::Notice>> find_notices(const control::NoticeBoard& board,
                                                  std::string_view query_text) {
  TRY(const auto query, http::parse_query(query_text));
  TRY(const auto limit, read_number(query, "limit", kDefaultLimit, 1, control::NoticeBoard::kKeep));
  const auto after = query.first("after");
  if (!after) return board.newest(limit);
  TRY(const auto id, read_id("after", *after));
  return board.after(id, limit);
}

Task<http::Reply> list(Services& services, http::RequestContext& context) {
  CO_TRY(const auto notices, find_notices(services.notices, context.request.query));
  List out;
  for (const auto& notice : notices) out.items().raw(to_json(notice));
  co_return http::json_response(200, out.finish());
}

// Where a stream begins. A client that comes back says so by the field; it repeats its old query.
Result<uint64_t> stream_start(const control::NoticeBoard& board, const http::Request& request) {
  const auto last = request.fields.get("Last-Event-ID");
  if (!last.empty()) return read_id("Last-Event-ID", last);
  TRY(const auto query, http::parse_query(request.query));
  const auto after = query.first("after");
  if (!after) return board.last_id();
  return read_id("after", *after);
}

Task<http::Reply> stream(Services& services, http::RequestContext& context) {
  CO_TRY(const auto start, stream_start(services.notices, context.request));
  const auto executor = co_await asio::this_coro::executor;
  auto notices = std::make_shared<NoticeStream>(executor, services.clock, services.notices, start,
                                                services.options.heartbeat);
  http::Response response;
  response.fields.add("Content-Type", "text/event-stream");
  response.fields.add("Cache-Control", "no-store");
  response.stream = [notices = std::move(notices)] { return NoticeStream::next(notices); };
  co_return response;
}

}  // namespace

std::vector<http::Route> notice_routes(Services& services) {
  return {
      {"GET", "/eventhorn/v1/notices", Access::kKey, kNoBody, bound(services, list)},
      {"GET", "/eventhorn/v1/notices/stream", Access::kKey, kNoBody, bound(services, stream)},
  };
}

}  // namespace eventhorn::api
