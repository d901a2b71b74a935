// What the tests of the operator's routes share: webhooks, events and rows of lanes.
#pragma once

#include "api/api_test_support.h"
#include "async/block_on.h"
#include "event/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace eventhorn::api::testing {

inline constexpr const char* kUrl = "https://a.example/hook";
inline constexpr const char* kSecretUrl = "https://user:pass@b.example/hook";

using Texts = std::vector<std::string>;

/// The strings (or, for other values, what they are written as) of `key` in the items of a list.
inline Texts column(const std::string& body, std::string_view key) {
  Texts out;
  const auto value = parsed(body);
  const auto* items = value.find("items");
  CHECK(items != nullptr && items->as_array() != nullptr);
  for (const auto& item : *items->as_array()) {
    const auto* member = item.find(key);
    if (member == nullptr) {
      out.emplace_back("-");
    } else if (const auto* text = member->as_string()) {
      out.push_back(*text);
    } else if (const auto number = member->as_int()) {
      out.push_back(std::to_string(*number));
    } else if (const auto flag = member->as_bool()) {
      out.emplace_back(*flag ? "true" : "false");
    } else {
      out.emplace_back("null");
    }
  }
  return out;
}

struct OwnApi : WithDomain {
  explicit OwnApi(TestOptions options = {}) : WithDomain(std::move(options)) {}

  void set_hook(const std::string& name, const Texts& urls,
                const std::string& domain = "example.org") {
    Pairs form = {{"id", name}};
    for (const auto& url : urls) form.emplace_back("url", url);
    CHECK(send("POST", "/v3/domains/" + domain + "/webhooks", form).status == 200);
  }

  LaneId lane(const std::string& url, const std::string& domain = "example.org") {
    for (const auto& lane : directory.find(domain)->lanes) {
      if (lane.url == url) return lane.id;
    }
    return {};
  }

  DomainUid uid(const std::string& domain = "example.org") { return directory.find(domain)->uid; }

  /// Commits an event now; gives its position.
  Position add(const std::string& id, event::Name name = event::Name::kDelivered,
               const std::string& domain = "example.org") {
    store::NewEvent event;
    event.domain = uid(domain);
    event.shard = shard_of(domain);
    event.event.id = id;
    event.event.name = name;
    event.event.timestamp_us = to_micros(clock.now()) + 1;
    event.event.bytes = "{\"event\":\"" + std::string(event::to_string(name)) + "\",\"id\":\"" +
                        id + "\",\"recipient\":\"" + id + "@example.com\"}";
    std::vector<store::NewEvent> events;
    events.push_back(std::move(event));
    expect(block_on(cores.at(0).get_executor(), writers->appends.append(std::move(events))));
    return expect(store->find_events(uid(domain), {id})).front();
  }

  /// What retention does to events committed before now. They must be in the index first.
  void drop_older_events() {
    CHECK(store->index_now());
    expect(store->expire(clock.now(), SystemTime()));
  }

  void save(const store::Progress& progress) {
    const store::Progress* const one[] = {&progress};
    CHECK(store->save(one));
  }

  void save_exception(const std::string& url, Position position, bool missed,
                      webhook::Hook hook = webhook::Hook::kDelivered) {
    store::ExceptionRow row;
    row.lane = lane(url);
    row.position = position;
    row.missed = missed;
    row.attempts = 7;
    row.last_attempt = clock.now();
    row.last_status = 503;
    row.hook = hook;
    store::Progress progress;
    progress.exceptions.push_back(row);
    save(std::move(progress));
  }

  /// What delivery tells of a lane from now on.
  control::LaneStatus& status(const std::string& url, const std::string& domain = "example.org") {
    const LaneId id = lane(url, domain);
    for (auto& each : deliveries.lane_list) {
      if (each.id == id) return each;
    }
    control::LaneStatus out;
    out.id = id;
    out.domain = uid(domain);
    out.url = url;
    out.through = store->head();
    return deliveries.lane_list.emplace_back(std::move(out));
  }

  /// Open, nothing of it settled.
  static store::SegmentRow segment(webhook::Class cls, Position after = kNoPosition) {
    store::SegmentRow out;
    out.cls = cls;
    out.after = after;
    out.acked_through = after;
    return out;
  }

  control::EndpointStatus& endpoint(const std::string& url) {
    control::EndpointStatus out;
    out.url = url;
    return deliveries.endpoint_list.emplace_back(std::move(out));
  }

  http::Response send_json(std::string method, const std::string& target, std::string body) {
    auto out = request(std::move(method), target);
    out.fields.add("Content-Type", "application/json");
    out.body = std::move(body);
    return send(std::move(out));
  }

  /// The body of a call that must succeed.
  template <class... Args>
  std::string ok(Args&&... args) {
    const auto response = send(std::forward<Args>(args)...);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.body;
  }

  static std::string next(const std::string& body) {
    auto url = text_at(*parsed(body).find("paging"), "next");
    CHECK(url.starts_with(kBase));
    return url.substr(std::string_view(kBase).size());
  }

  /// A column of all pages, until an empty one; that one's next must be itself.
  Texts follow(std::string target, std::string_view key) {
    Texts out;
    for (;;) {
      const auto body = ok("GET", target);
      const auto page = column(body, key);
      if (page.empty()) {
        if (target.find("page=") != std::string::npos) EXPECT_EQ(next(body), target);
        return out;
      }
      out.insert(out.end(), page.begin(), page.end());
      target = next(body);
    }
  }
};

}  // namespace eventhorn::api::testing
