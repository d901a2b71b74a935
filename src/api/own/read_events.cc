#include "api/own/read_events.h"

#include <algorithm>

namespace eventhorn::api {

Task<Status> with_events(Services& services, const std::vector<Position>& positions,
                         const std::function<void(size_t, const store::EventPtr&)>& use) {
  for (size_t i = 0; i < positions.size(); i += kEventsPerStep) {
    const auto step = [&]() -> Status {
      const size_t end = std::min(positions.size(), i + kEventsPerStep);
      const auto events =
          services.store.log.read_events({positions.begin() + static_cast<std::ptrdiff_t>(i),
                                          positions.begin() + static_cast<std::ptrdiff_t>(end)});
      // While the store works, an event that cannot be read costs itself alone.
      if (!events && !services.health.status()) return fail(events.error());
      for (size_t k = i; k < end; ++k) {
        if (events) {
          use(k, (*events)[k - i]);
          continue;
        }
        const auto one = services.store.log.read_events({positions[k]});
        use(k, one ? one->front() : nullptr);
      }
      return {};
    };
    CO_TRY_STATUS(co_await run_blocking(services.readers, step));
  }
  co_return Status();
}

}  // namespace eventhorn::api
