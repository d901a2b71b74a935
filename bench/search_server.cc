// A server over HTTP, on keep-alive connections.
#include "base/strings.h"
#include "http_call.h"
#include "poster.h"
#include "search_corpus.h"
#include "search_engine.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <utility>

namespace eventhorn::bench {
namespace {

constexpr size_t kWriters = 16;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// Without spaces, as Mailgun's Go SDK asks for pages.
std::string first_path(const std::string& domain, const Query& query) {
  std::string out = fmt::format("/v3/{}/events?pretty=no&limit={}", domain, query.limit);
  if (query.range) {
    // Times of events are never whole seconds, so it does not matter on which side the bounds are.
    out += fmt::format("&begin={}&end={}", query.range->to_us / 1'000'000,
                       query.range->from_us / 1'000'000);
  }
  for (const auto& term : query.terms)
    out += fmt::format("&{}={}", name_of(term.field), escaped(expression_of(term)));
  return out;
}

/// Of events of the generator: no other value under such a key is as long.
std::vector<std::string> ids_in(std::string_view body) {
  constexpr std::string_view kStart = "\"id\":\"";
  std::vector<std::string> out;
  for (size_t at = body.find(kStart); at != body.npos; at = body.find(kStart, at)) {
    at += kStart.size();
    const size_t end = body.find('"', at);
    if (end - at == kIdBytes) out.emplace_back(body.substr(at, kIdBytes));
  }
  return out;
}

class Server final : public Engine {
 public:
  Server(const Address& address, const std::string& key, const std::vector<std::string>& domains)
      : start_(fmt::format("Host: {}\r\nAuthorization: {}\r\n", address.text(),
                           basic_credentials(key))),
        names_(domains),
        reader_(address) {
    for (size_t n = 0; n < kWriters; ++n) writers_.emplace_back(address);
  }

  size_t writers() const override { return kWriters; }

  Status append(size_t writer, std::vector<Item> items) override {
    for (size_t i = 0; i < items.size();) {
      const size_t domain = items[i].domain;
      std::string body = "[";
      for (; i < items.size() && items[i].domain == domain; ++i) {
        if (body.size() > 1) body += ',';
        body += items[i].event.bytes;
      }
      body += ']';
      TRY(const auto answer,
          writers_[writer].call(fmt::format("POST /v3/{}/events HTTP/1.1\r\n{}Content-Type: "
                                            "application/json\r\nContent-Length: {}\r\n\r\n{}",
                                            names_.at(domain), start_, body.size(), body)));
      if (answer.body.find("\"rejected\":[]") == std::string::npos)
        return fail(Errc::kInternal, "ingest answered " + clipped(answer.body, 300));
    }
    return {};
  }

  Status settle() override {
    for (;;) {
      TRY(const auto metrics, get("/metrics"));
      constexpr std::string_view kLag = "\neventhorn_index_lag_events 0\n";
      if (metrics.body.find(kLag) != std::string::npos) return {};
    }
  }

  Result<Page> read(const Query& query, const Place* after) override {
    const std::string path = after != nullptr ? after->path : first_path(names_.front(), query);
    const int64_t begin = monotonic_ns();
    TRY(const auto answer, get(path));
    Page page;
    page.took_ns = monotonic_ns() - begin;
    page.ids = ids_in(answer.body);
    page.bytes = answer.body.size();
    if (page.ids.empty()) return page;
    const auto url = text_of(answer.body, "next");
    const size_t at = url.find("/v3/");
    if (at == url.npos) return fail(Errc::kInternal, "a page without a next one");
    page.end = Place{0, {}, std::string(url.substr(at))};
    return page;
  }

 private:
  Result<HttpAnswer> get(const std::string& path) {
    return reader_.call(fmt::format("GET {} HTTP/1.1\r\n{}\r\n", path, start_));
  }

  const std::string start_;  // of the fields of every request
  const std::vector<std::string> names_;
  HttpCaller reader_;
  std::vector<HttpCaller> writers_;
};

}  // namespace

Result<std::unique_ptr<Engine>> open_server(const EngineOptions& options,
                                            const std::vector<std::string>& domains) {
  TRY(const auto target, parse_target(options.at));
  return std::make_unique<Server>(target.address, options.key, domains);
}

}  // namespace eventhorn::bench
