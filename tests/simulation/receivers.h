// The other side of deliveries: a receiver behind each URL, with a temper that changes over time.
// The border is delivery::Sender: what an attempt comes to, and after which time. Sockets, TLS and
// the parsing of answers are not simulated.
#pragma once

#include "delivery/sender.h"
#include "simulation/world.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::simulation {

class Model;

enum class Temper {
  kWell,       // 200, in some milliseconds
  kSlow,       // 200, in up to twice the timeout of an attempt
  kFlapping,   // well and failing, half a minute each
  kFailing,    // 500
  kRefusing,   // nobody listens
  kHanging,    // never answers
  kRejecting,  // 406, to one in four
  kGone,       // 410
  kBusy,       // 429 with Retry-After, to two in three
};

const char* to_string(Temper temper);

/// What comes of an attempt, decided when it begins.
struct Answer {
  Micros after{};
  webhook::AttemptResult result;
};

class Receivers {
 public:
  /// `changing`: tempers change now and then, until calm().
  Receivers(World& world, std::vector<std::string> urls, bool changing);

  const std::vector<std::string>& urls() const { return urls_; }

  Answer ask(const std::string& url);

  /// From now on all are well for ever.
  void calm();

 private:
  struct Receiver {
    Temper temper = Temper::kWell;
    SteadyTime since;
  };

  void change(const std::string& url);

  World& world_;
  Random random_;
  const std::vector<std::string> urls_;
  std::map<std::string, Receiver> by_url_;
  bool calm_ = false;
};

/// How one process reaches the receivers. Goes with the process.
class Wire final : public delivery::Sender {
 public:
  /// All outlive it.
  Wire(World& world, Receivers& receivers, Model& model)
      : world_(world), receivers_(receivers), model_(model) {}

  std::shared_ptr<Target> open(const std::string& url,
                               const store::EndpointSettings& settings) override;
  Task<delivery::SendReply> post(Target& target, delivery::Message message,
                                 Deadline deadline) override;

 private:
  struct Url final : Target {
    explicit Url(std::string u) : url(std::move(u)) {}

    const std::string url;
  };

  World& world_;
  Receivers& receivers_;
  Model& model_;
};

}  // namespace eventhorn::simulation
