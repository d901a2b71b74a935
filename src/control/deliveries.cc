#include "control/deliveries.h"

namespace eventhorn::control {

std::string_view to_string(EndpointState state) {
  switch (state) {
    case EndpointState::kActive:
      return "active";
    case EndpointState::kThrottled:
      return "throttled";
    case EndpointState::kParked:
      return "parked";
    case EndpointState::kGone:
      return "gone";
    case EndpointState::kPaused:
      return "paused";
  }
  return "";
}

}  // namespace eventhorn::control
