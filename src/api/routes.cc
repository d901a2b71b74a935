#include "api/routes.h"

namespace eventhorn::api {

http::Router make_router(Services& services) {
  http::Router router;
  for (auto* routes : {ingest_routes, domain_routes, webhook_routes, event_routes, bin_routes,
                       endpoint_routes, endpoint_settings_routes, domain_settings_routes,
                       lane_routes, attempt_routes, missed_routes, notice_routes, replay_routes,
                       signing_key_routes, unacked_routes, system_routes}) {
    router.add(routes(services));
  }
  return router;
}

}  // namespace eventhorn::api
