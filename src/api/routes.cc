#include "api/routes.h"

#include <vector>

namespace eventhorn::api {

/// What the file of a resource ends in.
using Table = std::vector<http::Route>(Services&);

// Mailgun's resources, then our own. A new one is declared here and listed below.
Table domain_routes, event_routes, webhook_routes;
Table attempt_routes, bin_routes, domain_settings_routes, endpoint_routes, endpoint_settings_routes,
    ingest_routes, lane_routes, missed_routes, notice_routes, replay_routes, signing_key_routes,
    system_routes, unacked_routes;

http::Router make_router(Services& services) {
  http::Router router;
  for (auto* table :
       {domain_routes, event_routes, webhook_routes,  //
        attempt_routes, bin_routes, domain_settings_routes, endpoint_routes,
        endpoint_settings_routes, ingest_routes, lane_routes, missed_routes, notice_routes,
        replay_routes, signing_key_routes, system_routes, unacked_routes}) {
    router.add(table(services));
  }
  return router;
}

}  // namespace eventhorn::api
