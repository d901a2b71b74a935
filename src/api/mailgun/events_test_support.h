// The Events API over a real store, and pages as strictly as a client reads them.
#pragma once

#include "api/admission_test_support.h"
#include "api/deliveries_test_support.h"
#include "api/domains.h"
#include "api/page_token.h"
#include "api/routes.h"
#include "api/services.h"
#include "async/block_on.h"
#include "async/cores.h"
#include "base/strings.h"
#include "base/test_support.h"
#include "crypto/random.h"
#include "json/cursor.h"
#include "store/rocks/rocks_store.h"
#include "store/writers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

namespace eventhorn::api::events_testing {

using Ids = std::vector<std::string>;

inline constexpr char kBase[] = "http://mail.test:8480";
inline constexpr char kDomain[] = "mg.example.org";
inline constexpr int64_t kSecondUs = 1'000'000;
// One hour before FakeClock's time.
inline constexpr int64_t kStartUs = 1'773'218'400 * kSecondUs;

struct Page {
  int status = 0;
  std::string body;
  Ids ids;
  std::map<std::string, std::string> urls;
};

inline std::string take_string(json::Cursor& in) {
  EXPECT_EQ(in.kind(), json::Kind::kString);
  return std::string(in.string().raw);
}

inline std::string parse_item_id(json::Cursor& in) {
  std::string id;
  json::Text key;
  EXPECT_EQ(in.kind(), json::Kind::kObject);
  for (in.enter(); in.next_key(key);) {
    if (key.raw == "id") {
      id = take_string(in);
    } else {
      in.skip();
    }
  }
  return id;
}

// Strict: a body that is not JSON of the documented shape fails the test.
inline void parse_page(Page& page) {
  json::Cursor in(page.body);
  json::Text key;
  EXPECT_EQ(in.kind(), json::Kind::kObject);
  for (in.enter(); in.next_key(key);) {
    const auto kind = in.kind();
    if (key.raw == "items" && kind == json::Kind::kArray) {
      for (in.enter(); in.next();) page.ids.push_back(parse_item_id(in));
    } else if (key.raw == "paging" && kind == json::Kind::kObject) {
      for (in.enter(); in.next_key(key);) {
        const std::string name(key.raw);
        page.urls[name] = take_string(in);
      }
    } else {
      ADD_FAILURE() << "unexpected member " << key.raw;
      in.skip();
    }
  }
  in.finish();
  EXPECT_FALSE(in.failed()) << in.error().message;
}

inline store::NewEvent make_event(std::string id, int64_t timestamp_us,
                                  event::Name name = event::Name::kDelivered,
                                  std::string_view more = "") {
  store::NewEvent out;
  out.event.bytes =
      fmt::format(R"({{"event":"{}","id":"{}","timestamp":{}.{:06}{}}})", to_string(name), id,
                  timestamp_us / kSecondUs, timestamp_us % kSecondUs, more);
  out.event.id = std::move(id);
  out.event.timestamp_us = timestamp_us;
  out.event.name = name;
  return out;
}

// The routes over a store in a directory of its own, without sockets.
class EventsApi : public testing::Test {
 protected:
  EventsApi() {
    cores_.start();
    writers_.start();
    add_domain(kDomain);
  }

  ~EventsApi() override {
    writers_.stop();
    cores_.stop();
    readers_.join();
    searchers_.join();
    writer_.join();
  }

  template <class T>
  T run(Task<T> task) {
    return block_on(cores_.at(0).get_executor(), std::move(task));
  }

  void add_domain(const std::string& name) {
    ASSERT_TRUE(run(create_domain(services_, name, nullptr)));
  }

  void add(std::vector<store::NewEvent> events, const std::string& domain = kDomain) {
    for (auto& e : events) {
      e.domain = directory_.find(domain)->uid;
      e.shard = shard_of(domain);
    }
    ASSERT_TRUE(run(writers_.appends.append(std::move(events))));
  }

  // Three events share each timestamp; the order of arrival is another. Returns the ids by
  // (timestamp, id).
  Ids add_many(size_t count) {
    std::vector<store::NewEvent> events;
    Ids ids;
    for (size_t i = 0; i < count; ++i) {
      const size_t n = i * 7919 % count;
      events.push_back(make_event(fmt::format("e{:04}", n),
                                  kStartUs + static_cast<int64_t>(n / 3) * kSecondUs + 1));
      ids.push_back(fmt::format("e{:04}", i));
    }
    // Half of them in the index, half still in the tail.
    const auto middle = events.begin() + static_cast<std::ptrdiff_t>(count / 2);
    add({std::make_move_iterator(events.begin()), std::make_move_iterator(middle)});
    EXPECT_TRUE(store_->index_now());
    add({std::make_move_iterator(middle), std::make_move_iterator(events.end())});
    return ids;
  }

  http::Response answer(std::string url, Deadline deadline = Deadline::max(),
                        const http::Peer* peer = nullptr) {
    if (url.starts_with(kBase)) url.erase(0, sizeof(kBase) - 1);
    const auto mark = url.find('?');
    http::Request request;
    request.method = "GET";
    request.target = url;
    request.path = url.substr(0, mark);
    request.query = mark == std::string::npos ? "" : url.substr(mark + 1);
    request.fields.add("Authorization", "Basic " + base64url_encode("api:test-key"));
    request.remote_address = "127.0.0.1";
    request.base = kBase;
    return run(eventhorn::api::answer(admission_, request, deadline, peer));
  }

  Page get(const std::string& url, Deadline deadline = Deadline::max()) {
    auto response = answer(url, deadline);
    Page page;
    page.status = response.status;
    page.body = std::move(response.body);
    EXPECT_EQ(page.status, 200) << page.body;
    EXPECT_EQ(response.fields.get("Content-Type"), "application/json; charset=utf-8");
    if (page.status == 200) parse_page(page);
    EXPECT_THAT(page.urls, testing::SizeIs(4));
    return page;
  }

  Page query(const std::string& text, Deadline deadline = Deadline::max()) {
    return get(std::string("/v3/") + kDomain + "/events?" + text, deadline);
  }

  // The status and the message of a refusal.
  std::string refusal(const std::string& url, Deadline deadline = Deadline::max()) {
    const auto response = answer(url, deadline);
    return std::to_string(response.status) + " " + std::string(trim(response.body));
  }

  std::string query_refusal(const std::string& text) {
    return refusal(std::string("/v3/") + kDomain + "/events?" + text);
  }

  // All ids from `page` on along the link, until an empty page. Each page's ids come in front with
  // `backwards`.
  Ids follow(Page page, const std::string& link, bool backwards = false) {
    Ids all;
    while (!page.ids.empty()) {
      all.insert(backwards ? all.begin() : all.end(), page.ids.begin(), page.ids.end());
      page = get(page.urls[link]);
    }
    return all;
  }

  std::unique_ptr<store::RocksStore> open_store() {
    store::RocksOptions options;
    options.directory = directory_path_.path() / "store";
    options.index_idle = std::chrono::hours(1);
    options.ballast_bytes = 0;
    return store::RocksStore::open(options, clock_).value();
  }

  TempDir directory_path_;
  FakeClock clock_;
  std::unique_ptr<store::RocksStore> store_ = open_store();
  control::Keys keys_ =
      control::Keys::load(directory_path_.path(), "test-key", "signing-key", clock_).value();
  std::unique_ptr<control::ApiKeys> api_keys_ =
      expect(control::ApiKeys::load(keys_, *store_, clock_));
  std::unique_ptr<control::AuditTrail> audit_ = expect(control::AuditTrail::load(*store_));
  store::Directory directory_;
  SystemClock writers_clock_;
  WorkerThreads workers_;
  store::Writers writers_{*store_, directory_, writers_clock_, workers_, {.min_free_bytes = 0}};
  Pool readers_{"readers", 2};
  Pool searchers_{"searchers", 1};
  Pool writer_{"writer", 1};
  Cores cores_{1};
  bin::Bins bins_{clock_, [](size_t n) { return crypto::random_bytes(n); }, {}};
  bin::OwnBins own_bins_{bins_, http::OriginOptions()};
  net::AddressGuard guard_{{}};
  http::AuthLimiter limiter_{clock_};
  Options options_;
  outbound::DnsResolver resolver_{cores_.at(0).get_executor(), {}};
  control::NoticeBoard notices_;
  FakeDeliveries deliveries_;
  Pool erasure_pool_{"erasures", 1};
  control::Erasures erasures_{
      {*store_, *store_, *store_, keys_.token_key(), clock_, erasure_pool_}, {}, {}};
  Services services_{clock_,
                     *store_,
                     directory_,
                     writers_.appends,
                     writers_.health,
                     readers_,
                     searchers_,
                     writer_,
                     keys_,
                     *api_keys_,
                     *audit_,
                     limiter_,
                     bins_,
                     own_bins_,
                     guard_,
                     options_,
                     deliveries_,
                     {},
                     resolver_,
                     notices_,
                     writers_.doorbells,
                     erasures_,
                     [] { return std::vector<std::string>(); }};
  http::Router router_ = make_router(services_);
  Admission admission_{services_, router_};
};

}  // namespace eventhorn::api::events_testing
