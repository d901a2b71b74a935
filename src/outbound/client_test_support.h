// A client on a core of its own, for tests against scripted receivers.
#pragma once

#include "async/block_on.h"
#include "async/cores.h"
#include "outbound/client.h"
#include "outbound/dns_server_test_support.h"
#include "outbound/scripted_receiver_test_support.h"

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::outbound::testing {

class ClientFixture : public ::testing::Test {
 protected:
  ClientFixture() {
    std::signal(SIGPIPE, SIG_IGN);
    cores_.start();
  }

  ~ClientFixture() override {
    forget();
    cores_.stop();
    client_.reset();
    former_.clear();
  }

  /// With the names of `dns`, when it is there.
  void make_client(ClientOptions options = {}, std::vector<std::string> allow = {"127.0.0.0/8"}) {
    forget();
    std::vector<net::Cidr> networks;
    for (const auto& text : allow) networks.push_back(*net::parse_cidr(text));
    if (dns) options.dns_servers = {dns->address()};
    if (client_) former_.push_back(std::move(client_));
    client_ = std::make_unique<Client>(cores_.at(0).get_executor(),
                                       net::AddressGuard(std::move(networks)), std::move(options));
  }

  /// One POST over the connections kept from the last one to the same URL.
  ClientReply post(const std::string& url,
                   std::chrono::milliseconds within = std::chrono::seconds(30)) {
    if (!client_) make_client();
    if (url != url_) {
      forget();
      target_ = open(url);
      url_ = url;
    }
    return post_to(target_, within);
  }

  std::shared_ptr<Client::Target> open(const std::string& url, const TargetOptions& options = {}) {
    return block_on(executor(), open_on_core(*client_, url, options));
  }

  ClientReply post_to(std::shared_ptr<Client::Target> target,
                      std::chrono::milliseconds within = std::chrono::seconds(30),
                      std::string extra_head = {}) {
    return block_on(executor(),
                    post_once(*client_, std::move(target),
                              std::chrono::steady_clock::now() + within, std::move(extra_head)));
  }

  /// Closes the target's connections.
  void close(std::shared_ptr<Client::Target> target) {
    block_on(executor(), drop(std::move(target)));
  }

  /// Closes those of the last post().
  void forget() {
    url_.clear();
    if (target_) close(std::move(target_));
    target_.reset();
  }

  /// What one answer, then a close, gives.
  ClientReply answer(const std::string& text) {
    ScriptedReceiver receiver([&](Peer& peer, int) {
      if (!peer.request().empty()) peer.send(text);
    });
    auto reply = post(receiver.url());
    forget();
    return reply;
  }

  std::optional<DnsServer> dns;

 private:
  asio::any_io_executor executor() { return cores_.at(0).get_executor(); }

  static Task<std::shared_ptr<Client::Target>> open_on_core(Client& client, std::string url,
                                                            TargetOptions options) {
    co_return client.open(webhook::parse_target_url(url).value(), options);
  }

  static Task<ClientReply> post_once(Client& client, std::shared_ptr<Client::Target> target,
                                     Deadline deadline, std::string extra_head) {
    const std::array<std::string_view, 2> pieces = {"{\"a\":", "1}"};
    auto reply = co_await client.post(*target, pieces, deadline, extra_head);
    co_return reply;
  }

  static Task<void> drop(std::shared_ptr<Client::Target> target) {
    target.reset();
    co_return;
  }

  Cores cores_{1};
  std::unique_ptr<Client> client_;
  std::vector<std::unique_ptr<Client>> former_;  // alive as long as the core runs their timers
  std::shared_ptr<Client::Target> target_;
  std::string url_;
};

}  // namespace eventhorn::outbound::testing
