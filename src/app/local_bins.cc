#include "app/local_bins.h"

#include "bin/answer.h"
#include "http/endpoint.h"

#include <algorithm>

namespace eventhorn::app {
namespace {

std::string origin_of(const webhook::TargetUrl& url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  const uint16_t usual = url.scheme == webhook::Scheme::kHttps ? 443 : 80;
  std::string out =
      std::string(webhook::to_string(url.scheme)) + "://" + (v6 ? "[" + url.host + "]" : url.host);
  if (url.port != usual) out += ":" + std::to_string(url.port);
  return out;
}

}  // namespace

void LocalBins::set_origins(const std::vector<std::string>& origins, uint16_t port) {
  const std::lock_guard lock(mutex_);
  port_ = port;
  origins_.clear();
  for (const auto& origin : origins) {
    // In one spelling, without a scheme's own port.
    if (const auto url = webhook::parse_target_url(origin)) origins_.push_back(origin_of(*url));
  }
}

bool LocalBins::is_own(const webhook::TargetUrl& url) {
  const std::lock_guard lock(mutex_);
  if (std::find(origins_.begin(), origins_.end(), origin_of(url)) != origins_.end()) return true;
  const auto address = http::IpAddress::parse(url.host);
  return address && url.port == port_ && http::is_own_address(*address);
}

std::optional<Task<http::ClientReply>> LocalBins::post(const webhook::TargetUrl& url,
                                                       std::string body, Deadline deadline) {
  if (!has(url)) return std::nullopt;
  return answer(url.target, std::move(body), deadline);
}

Task<http::ClientReply> LocalBins::answer(std::string path, std::string body, Deadline deadline) {
  const std::string_view view = path;
  const auto query_at = std::min(view.find('?'), view.size());
  auto id = view.substr(5, query_at - 5);
  id = id.substr(0, id.find('/'));
  bin::Captured captured;
  captured.method = "POST";
  captured.path = path;
  captured.fields.add("Content-Type", "application/json");
  captured.body = std::move(body);
  captured.remote_address = "in process";
  captured.time = clock_.now();
  http::ClientReply reply;
  const auto repeat = bins_.capture(id, std::move(captured));
  const auto wish =
      bin::parse_wish(query_at < view.size() ? view.substr(query_at + 1) : std::string_view());
  if (!repeat || !wish) {
    reply.result.status = repeat ? 400 : 404;
    reply.result.error = repeat ? wish.error().message : "no such bin";
    co_return reply;
  }
  const auto answer = bin::bin_answer(*wish, *repeat);
  if (answer.delay.count() > 0) {
    const auto due = std::chrono::steady_clock::now() + answer.delay;
    co_await sleep_until(std::min(due, deadline));
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
