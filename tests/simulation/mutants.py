"""Known bugs, put back one at a time by `make teeth`, and the simulation must find each. Bugs that were found and mended come
first, then small changes of code that settles, saves, hands over and waits. A bug is a change of one place of the code, or of
several where each makes good what the other lets through."""
from typing import NamedTuple


class Change(NamedTuple):
    file: str  # below src/
    before: str
    after: str


class Mutant(NamedTuple):
    name: str
    file: str  # as in Change
    before: str
    after: str
    also: tuple = ()  # more changes

    def changes(self):
        return [Change(self.file, self.before, self.after), *self.also]


MUTANTS = [
    # Found by reviews and mended.
    Mutant("a failed write's progress is not written again after the store was recovered", "store/progress_saver.cc",
           "for (auto& save : saves_) save.token.reset();", "(void)saves_;"),
    Mutant("progress counts as durable before it is", "store/progress_saver.cc",
           "return save.token && parts_.store.durable(*save.token);", "return save.token.has_value();"),
    Mutant("what a failed commit wrote after all is not handed over", "store/feed.cc",
           "while (handed_over_ < log.head()) {", "while (false) {"),
    Mutant("edits of a failed commit are not handed over", "store/feed.cc",
           "if (!changed->changes.empty()) publish(std::move(changed));", "(void)changed;"),
    Mutant("reads of the log go beyond what was handed over", "delivery/log_reader.cc",
           "query.to = std::min(query.to.value_or(parts_.router.through()), parts_.router.through());",
           "(void)query.to;"),
    Mutant("a webhook gets events from before it was set", "delivery/lane.cc",
           "out.since = segment.replay() != 0 ? hooks_.since_of_replay() : hooks_.since();",
           "out.since = hooks_.since_of_replay();",
           (Change("delivery/lane.cc", "return own ? hooks_.wants(hook, position) : hooks_.wants_replayed(hook);",
                   "(void)own, (void)position;\n  return hooks_.wants_replayed(hook);"),)),
    Mutant("a lane of a gone endpoint that gets an event has no row", "delivery/engine.cc",
           "if (!known) saver_.mark(lane);", "(void)known;"),
    Mutant("what waits for a retry is forgotten by a restart", "delivery/start.cc",
           "retries_.load(lane, row.position, waiting, steady_now + (due - now));", "(void)due;"),
    Mutant("a start reads nothing after the marks", "delivery/start.cc",
           "Position after = marks.least_of(router_.slots());", "Position after = head;"),
    Mutant("the greatest mark of all slots holds for each", "store/slots.cc",
           "out = std::min(out.value_or(mark), mark);", "out = std::max(out.value_or(mark), mark);"),
    Mutant("a changed number of cores begins behind the last mark of any", "store/slots.cc",
           "return mark ? *mark : least();",
           "return mark ? std::ranges::max(by_slot_, {}, [](const auto& m) { return m.value_or(kNoPosition); }).value() : least();"),
    Mutant("a segment that is spilled forgets what is settled ahead", "delivery/segment.cc",
           "settled_ahead_ = std::move(settled);\n  while", "settled_ahead_.clear();\n  while"),
    Mutant("outcomes that are not saved have no bound", "delivery/scheduler.cc",
           "const bool unsaved_full = parts_.saver.full();", "const bool unsaved_full = false;"),
    Mutant("a start keeps retries of webhooks that are no more", "delivery/start.cc",
           "if (!lane->hooks().wants_saved(row.hook, row.hook_since)) {", "if (false) {"),
    Mutant("a start keeps retries of webhooks that were set again since", "delivery/start.cc",
           "wants_saved(row.hook, row.hook_since)", "wants_saved(row.hook, std::nullopt)"),
    Mutant("the row of a retry under way outlives its webhook", "delivery/log_reader.cc",
           "parts_.saver.end_exception(lane->id(), position);", "(void)position;"),
    # Settle.
    Mutant("an answer of 410 settles the event", "delivery/outcomes.cc",
           "if (lane->outlived(job)) return drop_outlived(lane, job);\n      return lane->give_back(job);",
           "return lane->settle(job);"),
    Mutant("a failure settles the event", "delivery/outcomes.cc",
           "parts_.retries.wait(lane, job.position, waiting);", "if (waiting.attempts > 1) parts_.retries.wait(lane, job.position, waiting);"),
    Mutant("an attempt that is given back is never made again", "delivery/segment.cc",
           "CHECK(entry.state == Entry::State::kInFlight);\n  hold(entry);",
           "CHECK(entry.state == Entry::State::kInFlight);\n  end(entry);\n  pop_settled();"),
    Mutant("the end of a turn is not passed on", "delivery/key_order.h",
           "ready_.push_back(next);", "if (turns_.size() % 2 == 0) ready_.push_back(next);"),
    Mutant("two attempts of one message and recipient at once", "delivery/key_order.h",
           "if (turns_.try_emplace(claim.key(), 1).second) return true;",
           "if (turns_.try_emplace(claim.key(), 1).second) return true;\n    return ++turns_[claim.key()] > 0;"),
    Mutant("who waits for a turn is served last come, first served", "delivery/key_order.h",
           "const Claim next = queue->second.front();\n    queue->second.pop_front();",
           "const Claim next = queue->second.back();\n    queue->second.pop_back();"),
    Mutant("an event that waits is settled without its row", "delivery/retry_book.cc",
           "end(lane, position);\n  saver_.end_exception(lane.id(), position);", "end(lane, position);"),
    # Save.
    Mutant("a lane that is behind has no row", "delivery/saver.cc",
           "if (!row.segments.empty()) {", "if (!row.segments.empty() && !behind) {"),
    Mutant("the mark goes on before the lanes are saved", "delivery/saver.cc",
           "for (const auto& lane : changes.lanes) gather_lane(lane, progress);",
           "for (const auto& lane : changes.lanes)\n    if (changes.lanes.size() < 3) gather_lane(lane, progress);"),
    Mutant("an exception is saved as missed", "delivery/retry_book.cc",
           "saver_.put_exception(row_of(*lane, position, false, waiting));\n  put(",
           "saver_.put_exception(row_of(*lane, position, true, waiting));\n  put("),
    # Hand over.
    Mutant("a batch with changes and events is handed over in the wrong order", "store/append_queue.cc",
           "answer_appends(work, set);\n  answer_edits(work, set);", "answer_edits(work, set);\n  answer_appends(work, set);"),
    Mutant("a request that failed is acknowledged", "store/append_queue.cc",
           "if (!write(set)) return work.refuse();", "(void)write(set);"),
    Mutant("events of a batch beyond the first are not delivered", "delivery/engine.cc",
           "for (const auto& event : batch->events) deliver(event);",
           "for (const auto& event : batch->events)\n    if (event != batch->events.back() || batch->events.size() < 9) deliver(event);"),
    # Wait.
    Mutant("Retry-After is not obeyed", "delivery/health.cc",
           "held_until_ = std::max(held_until_, when);", "(void)when;"),
    Mutant("a timer that comes before the first of the others is not seen", "delivery/timers.cc",
           "if (when < timer_.when()) timer_.set(when);", "if (wakes_.size() == 1) timer_.set(when);"),
    Mutant("a place is not given back", "delivery/scheduler.cc",
           "places_.budget.release(standing);\n  endpoint.host().budget.release(standing);", "places_.budget.release(standing);"),
    Mutant("a read that failed is not tried again", "delivery/log_reader.cc",
           "if (const auto l = weak.lock()) parts_.listener.on_read(l);", "(void)weak;"),
    Mutant("a paused endpoint is sent to", "delivery/health.cc",
           "case State::kGone:\n    case State::kPaused:\n      return 0;", "case State::kGone:\n      return 0;\n    case State::kPaused:\n      return 1;",
           (Change("delivery/health.cc", "if (state_ == State::kGone || state_ == State::kPaused) return SteadyTime::max();",
                   "if (state_ == State::kGone) return SteadyTime::max();"),)),
    Mutant("a restart forgets that an endpoint is paused", "delivery/health.cc",
           "state_ = row.state;", "state_ = row.state == State::kPaused ? State::kActive : row.state;"),
    Mutant("a retry comes too soon", "delivery/outcomes.cc",
           "parts_.retries.at(parts_.clock.steady_now() + *delay, lane, job.position);",
           "parts_.retries.at(parts_.clock.steady_now() + *delay / 2, lane, job.position);"),
    Mutant("an event has one attempt too few", "delivery/outcomes.cc", "next_delay(job.attempt,", "next_delay(job.attempt + 1U,"),
    Mutant("an event has one attempt too many", "webhook/retry_schedule.cc",
           "if (n > delays_.size()) return std::nullopt;",
           "if (n > delays_.size() + 1) return std::nullopt;\n  n = std::min(n, delays_.size());"),
    Mutant("the rate of an endpoint is not kept", "delivery/health.cc",
           "rate_at_ = std::max(rate_at_, now) + interval_of(options_.rate_limit);", "rate_at_ = now;"),
    # Read.
    Mutant("a page begins with the last event of the one before", "store/memory/memory_reads.cc",
           "Key{q.domain, q.beyond->timestamp_us, q.beyond->id + '\\0'}", "Key{q.domain, q.beyond->timestamp_us, q.beyond->id}"),
    Mutant("a page that is full leaves one event out", "store/memory/memory_reads.cc",
           "    ++rows;\n    const auto& row = *t.find_event(position);",
           "    if (++rows == q.max_scan && rows > 1) return true;\n    const auto& row = *t.find_event(position);"),
    Mutant("a lane that is behind shows as settled what is deferred", "delivery/segment.cc",
           "const bool settled = entry.state == Entry::State::kSettled;\n    if (settled && in_run) {",
           "const bool settled = entry.state >= Entry::State::kInFlight;\n    if (settled && in_run) {"),
    Mutant("what is settled of a backlog is not taken off", "store/unsettled.cc",
           "if (range.last <= after) continue;", "if (range.last > after) continue;"),
    Mutant("who resumes an endpoint does not wake its lanes", "delivery/transitions.cc",
           "parts_.saver.mark(endpoint);\n  parts_.scheduler.schedule_all(e);", "parts_.saver.mark(endpoint);"),
]
