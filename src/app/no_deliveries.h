// What the operator's routes reach until the delivery engines answer for themselves: nothing is
// unsettled, and nothing can be asked for.
#pragma once

#include "store/deliveries.h"

#include <string>
#include <utility>
#include <vector>

namespace eventhorn {

class NoDeliveries final : public store::Deliveries {
 public:
  Task<std::vector<store::EndpointStatus>> endpoints() override {
    co_return std::vector<store::EndpointStatus>();
  }

  Task<store::EndpointStatus> endpoint(std::string url) override {
    store::EndpointStatus out;
    out.url = std::move(url);
    co_return out;
  }

  Task<std::vector<store::LaneStatus>> lanes(std::string) override {
    co_return std::vector<store::LaneStatus>();
  }

  Task<store::LaneStatus> lane(LaneId lane, DomainUid domain, std::string url) override {
    store::LaneStatus out;
    out.id = lane;
    out.domain = domain;
    out.url = std::move(url);
    co_return out;
  }

  Task<Status> pause(std::string) override { co_return refuse(); }

  Task<Status> resume(std::string) override { co_return refuse(); }

  Task<void> settings_changed(std::string, store::EndpointSettings) override { co_return; }

  Task<Status> add_segments(LaneId, std::string, std::vector<store::SegmentRow>) override {
    co_return refuse();
  }

  Task<Status> attempt_again(LaneId, std::string, std::vector<store::EventPtr>) override {
    co_return refuse();
  }

  Task<Status> change_replay(uint64_t, store::ReplayAction) override { co_return refuse(); }

 private:
  static Status refuse() { return fail(Errc::kUnavailable, "not built in yet"); }
};

}  // namespace eventhorn
