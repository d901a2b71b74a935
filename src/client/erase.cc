// Asks for the erasure of a recipient, and looks until it is done.
#include "base/strings.h"
#include "client/commands.h"
#include "json/reader.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <thread>

namespace eventhorn::client {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{250};

std::string text_of(const json::Value& answer, std::string_view key) {
  const auto* value = answer.find(key);
  if (value == nullptr) return {};
  if (const auto* text = value->as_string()) return *text;
  const auto number = value->as_int();
  return number ? std::to_string(*number) : std::string();
}

void print_done(const json::Value& answer) {
  fmt::print(
      "removed {} events, redacted {}, and changed {} records of attempts, dropped {} requests of "
      "bins\n",
      text_of(answer, "removed"), text_of(answer, "redacted"), text_of(answer, "attempts"),
      text_of(answer, "bin_requests"));
  const auto* left = answer.find("not_touched");
  if (left == nullptr || left->as_array() == nullptr) return;
  for (const auto& one : *left->as_array()) {
    if (one.as_string() != nullptr)
      fmt::print("not touched: {}\n", escape_for_log(*one.as_string()));
  }
}

}  // namespace

int erase_recipient(const EraseOptions& options) {
  end_when_interrupted(
      "\neventhorn: interrupted. The server goes on with an erasure that it has begun: run the "
      "same command again to see it end\n");
  Session session(options.server);
  if (auto opened = session.open(); !opened) return end_with(opened.error());
  const std::string target = "/eventhorn/v1/" + percent_encode(options.domain) + "/recipients/" +
                             percent_encode(options.address);
  auto reply = session.call({"DELETE", target});
  ProgressLine line;
  for (;;) {
    if (!reply) return end_with(reply.error());
    const auto answer = json::parse(reply->body);
    if ((reply->status != 200 && reply->status != 202) || !answer)
      return end_with(Session::refused(*reply));
    if (text_of(*answer, "state") == "done") {
      line.clear();
      if (options.json) {
        fmt::print("{}\n", trim(reply->body));
      } else {
        print_done(*answer);
      }
      return static_cast<int>(Exit::kDone);
    }
    line.show([&] {
      return fmt::format("{}: {} looked at", text_of(*answer, "doing"),
                         text_of(*answer, "looked_at"));
    });
    std::this_thread::sleep_for(kBetweenLooks);
    reply = session.call({"GET", target});
  }
}

}  // namespace eventhorn::client
