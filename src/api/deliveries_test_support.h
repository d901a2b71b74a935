// A stand-in for the delivery engines.
#pragma once

#include "control/deliveries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace eventhorn::api {

/// Delivery as the tests say it is. Set its members while no request runs.
class FakeDeliveries final : public control::Deliveries {
 public:
  std::vector<control::EndpointStatus> endpoint_list;
  std::vector<control::LaneStatus> lane_list;
  /// Of lanes that are not listed.
  Position through;
  /// What changing something answers, for a lane or (0) for all else.
  std::map<uint64_t, Error> errors;
  /// What was asked for, each in a line.
  std::vector<std::string> calls;
  uint64_t last_version = 0;
  std::vector<std::string> configured_urls;
  std::map<std::string, std::vector<store::AttemptRow>> recent_of;

  Task<std::vector<control::EndpointStatus>> endpoints(
      std::optional<store::EndpointId> after, size_t limit,
      std::optional<control::EndpointState> state) override {
    std::vector<control::EndpointStatus> out;
    for (const auto& listed : endpoint_list) {
      auto status = status_of(listed.url);
      if ((!after || status.id > *after) && (!state || status.state == *state))
        out.push_back(std::move(status));
    }
    std::ranges::sort(out, {}, &control::EndpointStatus::id);
    out.resize(std::min(limit, out.size()));
    co_return out;
  }

  Task<std::vector<control::EndpointStatus>> endpoints_of(std::vector<std::string> urls) override {
    std::vector<control::EndpointStatus> out;
    for (const auto& url : urls) out.push_back(status_of(url));
    co_return out;
  }

  Task<control::EndpointStatus> endpoint(std::string url) override { co_return status_of(url); }

  Task<std::vector<control::LaneStatus>> lanes(std::vector<LaneId> ids) override {
    co_return lanes_that(
        [&](const auto& status) { return std::ranges::find(ids, status.id) != ids.end(); });
  }

  Task<std::vector<control::LaneStatus>> lanes_of(std::string url) override {
    co_return lanes_that([&](const auto& status) { return status.url == url; });
  }

  Task<std::vector<control::LaneStatus>> replaying() override {
    co_return lanes_that([](const auto& status) {
      return std::ranges::any_of(status.segments, [](const auto& s) { return s.replay != 0; });
    });
  }

  Task<control::LaneStatus> lane(LaneId lane, DomainUid domain, std::string url) override {
    for (const auto& status : lane_list) {
      if (status.id == lane) co_return status;
    }
    co_return idle(lane, domain, std::move(url));
  }

  Task<std::vector<store::AttemptRow>> recent_successes(std::string url) override {
    co_return recent_of[url];
  }

  Task<Status> pause(std::string url) override { co_return note(0, "pause " + url); }

  Task<void> configured(std::string url) override {
    configured_urls.push_back(std::move(url));
    co_return;
  }

  Task<Status> resume(std::string url) override { co_return note(0, "resume " + url); }

  Task<void> settings_changed(std::string url, store::EndpointSettings settings,
                              uint64_t version) override {
    EXPECT_GT(version, std::exchange(last_version, version));
    calls.push_back("settings " + url);
    settings_of[url] = std::move(settings);
    co_return;
  }

  Task<Status> add_segments(LaneId lane, DomainUid, std::string url,
                            std::vector<store::SegmentRow> segments) override {
    auto status = note(lane.value, "add " + url);
    if (!status) co_return status;
    auto it = std::ranges::find(lane_list, lane, &control::LaneStatus::id);
    if (it == lane_list.end())
      it = lane_list.insert(lane_list.end(), idle(lane, domain_of_new_lanes, std::move(url)));
    it->segments.insert(it->segments.end(), segments.begin(), segments.end());
    co_return status;
  }

  Task<Status> attempt_again(LaneId lane, std::string url,
                             std::vector<store::EventPtr> events) override {
    std::string call = "again " + url;
    for (const auto& event : events) call += " " + event->event.id;
    co_return note(lane.value, call);
  }

  Task<Result<bool>> forget_events(DomainUid domain, Position,
                                   std::function<bool(std::string_view)>) override {
    calls.push_back("forget_events " + std::to_string(domain.value));
    co_return false;
  }

  Task<Status> change_replay(uint64_t replay, control::ReplayAction action) override {
    for (auto& status : lane_list) {
      for (auto& segment : status.segments) {
        if (segment.replay == replay) segment.paused = action == control::ReplayAction::kPause;
      }
      if (action == control::ReplayAction::kCancel)
        std::erase_if(status.segments, [&](const auto& s) { return s.replay == replay; });
    }
    co_return note(0, "change " + std::to_string(static_cast<int>(action)));
  }

  /// The last given.
  std::map<std::string, store::EndpointSettings> settings_of;
  DomainUid domain_of_new_lanes;

 private:
  control::EndpointStatus status_of(const std::string& url) const {
    const auto it = std::ranges::find(endpoint_list, url, &control::EndpointStatus::url);
    control::EndpointStatus out = it == endpoint_list.end() ? control::EndpointStatus() : *it;
    out.id = store::endpoint_id(url);
    out.url = url;
    out.lanes = static_cast<size_t>(std::ranges::count(lane_list, url, &control::LaneStatus::url));
    return out;
  }

  template <class F>
  std::vector<control::LaneStatus> lanes_that(F wanted) const {
    std::vector<control::LaneStatus> out;
    std::ranges::copy_if(lane_list, std::back_inserter(out), wanted);
    return out;
  }

  control::LaneStatus idle(LaneId lane, DomainUid domain, std::string url) const {
    control::LaneStatus out;
    out.id = lane;
    out.domain = domain;
    out.url = std::move(url);
    out.through = through;
    return out;
  }

  Status note(uint64_t lane, std::string call) {
    calls.push_back(std::move(call));
    const auto error = errors.find(lane);
    if (error != errors.end()) return fail(error->second);
    return {};
  }
};

}  // namespace eventhorn::api
