#include "app/local_bins.h"

#include "async/timer.h"
#include "base/check.h"
#include "bin/answer.h"
#include "http/reply.h"

#include <algorithm>

namespace eventhorn::app {

std::optional<Task<outbound::ClientReply>> LocalBins::post(const webhook::TargetUrl& url,
                                                           std::string body, Deadline deadline) {
  if (!own_.has(url)) return std::nullopt;
  return answer(url.target, std::move(body), deadline);
}

Task<outbound::ClientReply> LocalBins::answer(std::string path, std::string body,
                                              Deadline deadline) {
  const auto id = bin::find_id(path);
  CHECK(id);
  bin::Captured captured;
  captured.method = "POST";
  captured.path = path;
  captured.fields.add("Content-Type", "application/json");
  captured.body = std::move(body);
  captured.remote_address = "in process";
  captured.time = clock_.now();
  outbound::ClientReply reply;
  const auto answer = bin::take_request(bins_, *id, std::move(captured));
  if (!answer) {
    reply.result.status = http::Refusal(answer.error()).answer.status;
    reply.result.error = answer.error().message;
    co_return reply;
  }
  if (answer->delay.count() > 0) {
    const auto due = clock_.steady_now() + answer->delay;
    co_await sleep_until(clock_, std::min(due, deadline));
    if (due > deadline) {
      reply.result.kind = webhook::FailureKind::kTimeout;
      reply.result.error = "timed out while waiting for the answer";
      co_return reply;
    }
  }
  reply.result.status = answer->response.status;
  reply.body = answer->response.body;
  co_return reply;
}

}  // namespace eventhorn::app
