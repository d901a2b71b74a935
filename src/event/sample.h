// Sample events: what PUT /v3/domains/{d}/webhooks/{name}/test sends (spec/webhooks.md), modelled
// on the vendor's. Pure.
#pragma once

#include "base/time.h"

#include <string>
#include <string_view>

namespace eventhorn::event {

/// A whole event of the kind that fires the webhook `hook_name`, which is one of the eight names
/// ("delivered", "permanent_fail", ...), from bob@{domain} to alice@example.com, at `now`:
/// normalised bytes, valid for any domain and any id that ingest takes.
std::string make_sample(std::string_view hook_name, std::string_view domain,
                        std::string_view account_id, SystemTime now, std::string_view id);

}  // namespace eventhorn::event
