#include "delivery/http_sender.h"

namespace eventhorn::delivery {
namespace {

struct HttpTarget final : Sender::Target {
  Result<webhook::TargetUrl> url = fail(Errc::kInternal, "not parsed");
  std::shared_ptr<outbound::Client::Target> client;
};

}  // namespace

outbound::TargetOptions target_options(const store::EndpointSettings& settings) {
  outbound::TargetOptions out;
  out.headers = settings.headers;
  out.client_certificate_pem = settings.client_certificate;
  out.client_key_pem = settings.client_key;
  return out;
}

std::shared_ptr<Sender::Target> HttpSender::open(const std::string& url,
                                                 const store::EndpointSettings& settings) {
  auto target = std::make_shared<HttpTarget>();
  target->url = webhook::parse_target_url(url);
  if (!target->url) return target;
  target->client = client_.open(*target->url, target_options(settings));
  return target;
}

Task<SendReply> HttpSender::post(Target& target, Message message, Deadline deadline) {
  auto& http_target = static_cast<HttpTarget&>(target);
  if (!http_target.url) {
    co_await yield_now();
    // Rules grew stricter since it was configured.
    SendReply refused;
    refused.result.kind = webhook::FailureKind::kBlocked;
    refused.result.error = http_target.url.error().message;
    co_return refused;
  }
  if (http_target.url->target.starts_with("/bin/")) {
    std::string body;
    body.append(message.prefix).append(message.event).append(message.suffix);
    if (auto local = local_(*http_target.url, std::move(body), deadline)) {
      co_await yield_now();  // a bin answers at once; the loop has other work
      auto answer = co_await std::move(*local);
      co_return SendReply{std::move(answer.result), std::move(answer.body)};
    }
  }
  const std::array<std::string_view, 3> pieces = {message.prefix, message.event, message.suffix};
  auto reply = co_await client_.post(
      *http_target.client, pieces, deadline, message.head,
      message.fresh_connection ? outbound::Connection::kFresh : outbound::Connection::kAny);
  co_return SendReply{std::move(reply.result), std::move(reply.body), reply.stale};
}

}  // namespace eventhorn::delivery
