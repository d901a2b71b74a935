#include "api/routes.h"

#include "api/audited.h"

#include <vector>

namespace eventhorn::api {

// Declares the table that the file of a resource ends in, and adds its routes.
#define ADD_ROUTES(table)                    \
  std::vector<http::Route> table(Services&); \
  router.add(audited(services, table(services)))

http::Router make_router(Services& services) {
  http::Router router;

  // Mailgun's resources.
  ADD_ROUTES(domain_routes);
  ADD_ROUTES(event_routes);
  ADD_ROUTES(http_signing_key_routes);
  ADD_ROUTES(key_routes);
  ADD_ROUTES(logs_routes);
  ADD_ROUTES(webhook_by_url_routes);
  ADD_ROUTES(webhook_routes);

  // Our own.
  ADD_ROUTES(attempt_routes);
  ADD_ROUTES(audit_routes);
  ADD_ROUTES(bin_routes);
  ADD_ROUTES(digest_routes);
  ADD_ROUTES(domain_settings_routes);
  ADD_ROUTES(endpoint_routes);
  ADD_ROUTES(endpoint_settings_routes);
  ADD_ROUTES(erase_routes);
  ADD_ROUTES(export_routes);
  ADD_ROUTES(follow_routes);
  ADD_ROUTES(ingest_routes);
  ADD_ROUTES(lane_routes);
  ADD_ROUTES(missed_routes);
  ADD_ROUTES(notice_routes);
  ADD_ROUTES(reconcile_routes);
  ADD_ROUTES(replay_routes);
  ADD_ROUTES(signing_key_routes);
  ADD_ROUTES(system_routes);
  ADD_ROUTES(unacked_routes);
  return router;
}

#undef ADD_ROUTES

}  // namespace eventhorn::api
