#include "simulation/receivers.h"

#include "base/check.h"
#include "simulation/model.h"

#include <boost/system/system_error.hpp>

#include <algorithm>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;
using webhook::FailureKind;

constexpr auto kNever = std::chrono::hours(1);
constexpr auto kFlap = 30s;

// How long a temper lasts: seconds to days, by orders of magnitude.
Micros lasting(Random& random) {
  static const std::vector<Micros> orders = {10s, 2min, 20min, 3h, 30h};
  return random.between(Micros(1s), random.pick(orders));
}

}  // namespace

const char* to_string(Temper temper) {
  switch (temper) {
    case Temper::kWell:
      return "well";
    case Temper::kSlow:
      return "slow";
    case Temper::kFlapping:
      return "flapping";
    case Temper::kFailing:
      return "failing";
    case Temper::kRefusing:
      return "refusing";
    case Temper::kHanging:
      return "hanging";
    case Temper::kRejecting:
      return "rejecting";
    case Temper::kGone:
      return "gone";
    case Temper::kBusy:
      return "busy";
  }
  CHECK(false);
}

Receivers::Receivers(World& world, std::vector<std::string> urls, bool changing)
    : world_(world), random_(world.fork_random()), urls_(std::move(urls)) {
  for (const auto& url : urls_) {
    by_url_[url].since = world_.clock().steady_now();
    if (changing) world_.after(lasting(random_), "", [this, &url] { change(url); });
  }
}

void Receivers::change(const std::string& url) {
  if (calm_) return;
  static const std::vector<Temper> tempers = {
      Temper::kSlow,    Temper::kFlapping,  Temper::kFailing, Temper::kRefusing,
      Temper::kHanging, Temper::kRejecting, Temper::kGone,    Temper::kBusy};
  auto& receiver = by_url_.at(url);
  const bool was_well = receiver.temper == Temper::kWell;
  receiver.temper = was_well ? random_.pick(tempers) : Temper::kWell;
  receiver.since = world_.clock().steady_now();
  world_.trace().add(url, to_string(receiver.temper));
  world_.after(lasting(random_), "", [this, &url] { change(url); });
}

void Receivers::calm() {
  calm_ = true;
  for (auto& [url, receiver] : by_url_) receiver.temper = Temper::kWell;
}

Answer Receivers::ask(const std::string& url) {
  const auto& receiver = by_url_.at(url);
  Answer out{random_.between(Micros(200us), Micros(20ms)), {}};
  const auto fails_with = [&](int status) { out.result.status = status; };
  out.result.status = 200;
  switch (receiver.temper) {
    case Temper::kWell:
      break;
    case Temper::kSlow:
      out.after = random_.between(Micros(500ms), Micros(20s));
      break;
    case Temper::kFlapping:
      if ((world_.clock().steady_now() - receiver.since) / kFlap % 2 == 0) fails_with(503);
      break;
    case Temper::kFailing:
      fails_with(500);
      break;
    case Temper::kRefusing:
      fails_with(0);
      out.result.kind = FailureKind::kConnect;
      out.result.error = "connection refused";
      break;
    case Temper::kHanging:
      out.after = kNever;
      break;
    case Temper::kRejecting:
      if (random_.once_in(4)) fails_with(406);
      break;
    case Temper::kGone:
      fails_with(410);
      break;
    case Temper::kBusy:
      if (random_.once_in(3)) break;
      fails_with(429);
      out.result.retry_after = std::chrono::seconds(random_.between(1, 120));
      break;
  }
  return out;
}

std::shared_ptr<delivery::Sender::Target> Wire::open(const std::string& url,
                                                     const store::EndpointSettings&) {
  return std::make_shared<Url>(url);
}

Task<delivery::SendReply> Wire::post(Target& target, delivery::Message message, Deadline deadline) {
  const std::string url = static_cast<Url&>(target).url;
  const std::string bytes(message.event);
  const auto answer = receivers_.ask(url);
  const auto ends = world_.clock().steady_now() + answer.after;
  delivery::SendReply reply;
  reply.result = answer.result;
  if (ends > deadline) {
    reply.result = {};
    reply.result.kind = FailureKind::kTimeout;
    reply.result.error = "timed out";
  }
  model_.on_attempt(url, bytes);
  try {
    co_await sleep_until(world_.clock(), std::min(ends, deadline));
  } catch (const boost::system::system_error&) {
    reply.result = {};
    reply.result.kind = FailureKind::kCancelled;
  }
  model_.on_answer(url, bytes, reply.result);
  co_return reply;
}

}  // namespace eventhorn::simulation
