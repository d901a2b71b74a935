// A lane against a model of itself.
#include "delivery/lane_test_support.h"

#include <random>
#include <set>

namespace eventhorn::delivery {
namespace {

// A lane in use, against a model: events are committed while it may or may not take them, it falls
// behind, is read, spilled, given live segments, saved and killed. Nothing is sent that is settled,
// nor two at once of one message and recipient, and in the end everything is settled.
class LaneModel {
 public:
  explicit LaneModel(uint32_t seed) : random_(seed) {}

  void step() {
    act();
    lane_->check_invariants();
  }

  void finish() {
    for (int idle = 0; idle < 3; ++idle) {
      while (!in_flight_.empty()) settle();
      if (read()) idle = 0;
      take();
      if (!in_flight_.empty()) idle = 0;
    }
    lane_->check_invariants();
    EXPECT_TRUE(unsettled_.empty()) << unsettled_.size() << " lost";
    EXPECT_TRUE(lane_->row().segments.empty());
  }

  size_t committed() const { return log_.size(); }

 private:
  void act() {
    switch (random_() % 10) {
      case 0:
      case 1:
      case 2:
        return commit(random_() % 4 != 0);
      case 3:
        read();
        return;
      case 4:
      case 5:
      case 6:
        return take();
      case 7:
      case 8:
        return settle();
      default:
        break;
    }
    if (random_() % 5 == 0) lane_->spill();
    if (random_() % 20 == 0) lane_->segments().remove_settled();
    if (random_() % 100 == 0) kill();
  }

  void commit(bool active) {
    const uint64_t position = seen_ + 1 + random_() % 3;
    constexpr event::Name kNames[] = {event::Name::kComplained, event::Name::kDelivered,
                                      event::Name::kOpened};
    const auto event = make_event(position, kNames[random_() % 3], random_() % 20);
    const auto hook = *webhook::hook_for(event->event.name, event->event.severity);
    log_.push_back(event);
    unsettled_.insert(position);
    auto& open = lane_->segments().open(webhook::class_of(hook), {seen_}, true);
    if (!active) {
      open.decline(event->position);
    } else if (!lane_->offer(open, event, hook)) {
      if (auto* live = lane_->begin_live(webhook::class_of(hook), {position - 1}))
        EXPECT_TRUE(lane_->offer(*live, event, hook));
    }
    seen_ = position;
  }

  // A read takes its time: what is committed meanwhile is not in it.
  bool read() {
    if (reading_ != nullptr) return end_read();
    auto* segment = lane_->segments().wants_read(random_() % 2 == 0 ? 1 : kReadBelow);
    if (segment == nullptr) return false;
    reading_ = segment;
    segment->reading = true;
    asked_after_ = segment->read_through();
    const auto to = std::min(segment->to().value_or(Position{seen_}), Position{seen_});
    slice_ = {};
    const size_t most = 1 + random_() % 20;
    slice_.through = segment->read_through();
    slice_.at_end = true;
    for (const auto& e : log_) {
      if (e->position <= segment->read_through() || e->position > to) continue;
      const auto hook = *webhook::hook_for(e->event.name, e->event.severity);
      if (webhook::class_of(hook) != segment->cls()) continue;
      if (slice_.events.size() == most) {
        slice_.at_end = false;
        break;
      }
      slice_.events.push_back(e);
      slice_.through = e->position;
    }
    if (slice_.at_end) slice_.through = to;
    return true;
  }

  bool end_read() {
    auto* segment = std::exchange(reading_, nullptr);
    segment->reading = false;
    if (segment->read_through() == asked_after_) segment->fill(slice_);
    return true;
  }

  void take() {
    auto job = random_() % 3 == 0 ? lane_->take_probe(SteadyTime{}) : lane_->take(true, {});
    if (!job) return;
    EXPECT_TRUE(unsettled_.contains(job->position.value)) << "again: " << job->position.value;
    for (const auto& other : in_flight_) {
      EXPECT_NE(other.position, job->position);
      EXPECT_TRUE(job->order_key == 0 || other.order_key != job->order_key);
    }
    in_flight_.push_back(*job);
  }

  void settle() {
    if (in_flight_.empty()) return;
    const auto at = in_flight_.begin() + static_cast<std::ptrdiff_t>(random_() % in_flight_.size());
    if (random_() % 8 == 0) {
      lane_->give_back(*at);
    } else {
      lane_->settle(*at);
      unsettled_.erase(at->position.value);
    }
    in_flight_.erase(at);
  }

  void kill() {
    const auto row = lane_->row();
    for (const auto& s : row.segments) ASSERT_LE(s.settled.size(), kMaxWindow);
    in_flight_.clear();
    reading_ = nullptr;
    lane_ = make_lane();
    lane_->load(row);
  }

  std::mt19937 random_;
  std::shared_ptr<Lane> lane_ = make_lane();
  std::vector<EventPtr> log_;
  std::set<uint64_t> unsettled_;
  std::vector<Job> in_flight_;
  Segment* reading_ = nullptr;
  Position asked_after_;
  store::LaneSlice slice_;
  uint64_t seen_ = 0;
};

TEST(Lane, NothingIsLostOrRepeatedWhateverHappensToIt) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  for (uint32_t round = 0; round < 200; ++round) {
    LaneModel model(seed + round);
    for (int i = 0; i < 1500; ++i) model.step();
    model.finish();
    EXPECT_GT(model.committed(), 100U);
    if (::testing::Test::HasFailure()) FAIL() << "round " << round;
  }
}

}  // namespace
}  // namespace eventhorn::delivery
