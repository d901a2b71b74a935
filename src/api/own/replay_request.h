// What a request to /eventhorn/v1/replay asks for.
#pragma once

#include "api/fields.h"
#include "api/own/replay_plan.h"

#include <array>
#include <string>
#include <vector>

namespace eventhorn::api {

inline constexpr std::array<FieldRule, 9> kReplayFields = {{{"domain"},
                                                            {"url"},
                                                            {"lane"},
                                                            {"event", Shape::kMany},
                                                            {"events", Shape::kMany},
                                                            {"begin"},
                                                            {"end"},
                                                            {"missed"},
                                                            {"dry_run"}}};

struct ReplayRequest {
  ReplayScope scope;
  std::vector<std::string> events;  // ids, each once; then the scope has no times
  bool dry_run = false;
};

/// kInvalidArgument naming the field and the rule.
Result<ReplayRequest> parse_replay_request(const http::Form& form, SystemTime now);

}  // namespace eventhorn::api
