// Follows the events of a domain, or of the account, in the order of their commits: reads on from a
// position, and waits for what comes. What polls and streams have in common.
#pragma once

#include "api/services.h"
#include "async/bell.h"
#include "event/filter.h"
#include "store/commit_order.h"
#include "store/doorbells.h"

#include <memory>
#include <optional>

namespace eventhorn::api {

/// What is followed, and for whom.
struct Followed {
  /// nullopt: all domains.
  std::optional<DomainUid> domain;
  event::Filter filter;
  std::shared_ptr<const http::Caller> caller;
};

/// Lives on one core.
class Follower {
 public:
  /// How long a wait may last before who waits looks whether it should end: with the way there it
  /// ends within a second.
  static constexpr std::chrono::milliseconds kLook{800};

  /// `services` outlives it.
  Follower(Services& services, asio::any_io_executor executor, Followed followed, Position after);
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  /// Where the next slice begins.
  Position position() const { return position_; }

  void go_on_after(Position position) { position_ = position; }

  /// The next slice of at most `max_events`, which the position then lies behind. When its
  /// `gone_through` lies beyond the position, events may be missing, and the position stays.
  Task<Result<store::OrderSlice>> read(size_t max_events);

  /// Up to when all that was committed has been looked at, as of the last slice; nullopt when that
  /// cannot be told.
  std::optional<SystemTime> complete_until() const { return complete_until_; }

  /// Ends when there may be more to read (true), or at `until`.
  Task<bool> wait(Deadline until);

  /// The domain is no more.
  bool domain_is_gone() const;

  /// The key of who follows is no more.
  bool key_is_gone() const { return !services_.api_keys.holds(*followed_.caller); }

 private:
  Result<store::OrderSlice> read_slice(size_t max_events);

  Services& services_;
  const Followed followed_;
  const std::shared_ptr<Bell> bell_;
  const store::Doorbells::Place place_;
  Position position_;
  std::optional<SystemTime> complete_until_;
};

/// Where the log begins that is kept: what lies behind it is there.
Task<Result<Position>> oldest_kept(Services& services);

}  // namespace eventhorn::api
