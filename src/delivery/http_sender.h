// Sends deliveries by outbound::Client, and those to our own request bins in process.
#pragma once

#include "delivery/sender.h"
#include "outbound/client.h"

#include <functional>

namespace eventhorn::delivery {

/// Answers a delivery to one of our own bins, when the URL is one; nullopt when it is not.
using LocalBin = std::function<std::optional<Task<outbound::ClientReply>>(
    const webhook::TargetUrl& url, std::string body, Deadline deadline)>;

/// How the client is to send to a URL with these settings.
outbound::TargetOptions target_options(const store::EndpointSettings& settings);

/// Lives on its client's core.
class HttpSender final : public Sender {
 public:
  HttpSender(outbound::Client& client, LocalBin local)
      : client_(client), local_(std::move(local)) {}

  std::shared_ptr<Target> open(const std::string& url,
                               const store::EndpointSettings& settings) override;
  Task<SendReply> post(Target& target, Message message, Deadline deadline) override;

 private:
  outbound::Client& client_;
  LocalBin local_;
};

}  // namespace eventhorn::delivery
