#include "delivery/endpoint.h"

namespace eventhorn::delivery {

std::optional<store::EndpointRow> Endpoint::row() const {
  if (active()) return std::nullopt;
  return store::EndpointRow{.url = url_,
                            .state = health_.state(),
                            .since = story_.since,
                            .last_success = story_.last_success.value_or(SystemTime{}),
                            .last_failure = story_.last_failure.value_or(SystemTime{}),
                            .failures = health_.failures_in_row(),
                            .probes = health_.probes(),
                            .healthy_peak = health_.healthy_peak(),
                            .reason = story_.reason};
}

void Endpoint::load(const store::EndpointRow& row, SteadyTime now, double jitter) {
  health_.load(row, now, jitter);
  story_.since = row.since;
  story_.reason = row.reason;
  if (row.last_success != SystemTime{}) story_.last_success = row.last_success;
  if (row.last_failure != SystemTime{}) story_.last_failure = row.last_failure;
}

}  // namespace eventhorn::delivery
