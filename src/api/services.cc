#include "api/services.h"

#include <algorithm>

namespace eventhorn::api {
SystemTime later_now(const Services& services) {
  return std::max(services.clock.now(), services.store.kept_clock.now());
}

}  // namespace eventhorn::api
