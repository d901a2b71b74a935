#include "app/local_bins.h"

#include "async/timer.h"
#include "bin/answer.h"

#include <algorithm>

namespace eventhorn::app {

std::optional<Task<outbound::ClientReply>> LocalBins::post(const webhook::TargetUrl& url,
                                                           std::string body, Deadline deadline) {
  if (!own_.has(url)) return std::nullopt;
  return answer(url.target, std::move(body), deadline);
}

Task<outbound::ClientReply> LocalBins::answer(std::string path, std::string body,
                                              Deadline deadline) {
  const std::string_view view = path;
  const auto query_at = std::min(view.find('?'), view.size());
  const std::string_view id = bin::find_id(view).value();
  bin::Captured captured;
  captured.method = "POST";
  captured.path = path;
  captured.fields.add("Content-Type", "application/json");
  captured.body = std::move(body);
  captured.remote_address = "in process";
  captured.time = clock_.now();
  outbound::ClientReply reply;
  const auto repeat = bins_.capture(id, std::move(captured));
  const auto options = bin::parse_answer_options(query_at < view.size() ? view.substr(query_at + 1)
                                                                        : std::string_view());
  if (!repeat || !options) {
    reply.result.status = repeat ? 400 : 404;
    reply.result.error = repeat ? options.error().message : "no such bin";
    co_return reply;
  }
  const auto answer = bin::bin_answer(*options, *repeat);
  if (answer.delay.count() > 0) {
    const auto due = clock_.steady_now() + answer.delay;
    co_await sleep_until(clock_, std::min(due, deadline));
    if (due > deadline) {
      reply.result.kind = webhook::FailureKind::kTimeout;
      reply.result.error = "timed out while waiting for the answer";
      co_return reply;
    }
  }
  reply.result.status = answer.response.status;
  reply.body = answer.response.body;
  co_return reply;
}

}  // namespace eventhorn::app
