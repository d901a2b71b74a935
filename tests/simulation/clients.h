// Who uses the machine from outside: producers append events in bursts and send again what was not
// answered, operators set, change and delete webhooks, pause, resume and replay. Each does its next
// thing after some time, by chance.
#pragma once

#include "async/task_group.h"
#include "simulation/ingredients.h"
#include "simulation/machine.h"

#include <set>
#include <string>
#include <vector>

namespace eventhorn::simulation {

struct ClientOptions {
  size_t domains = 3;
  /// Between two things that happen, on average.
  Micros pace = std::chrono::seconds(1);
  size_t max_burst = 20;  // events
  Ingredients ingredients;
};

class Clients {
 public:
  /// All outlive it.
  Clients(World& world, Machine& machine, Receivers& receivers, Model& model,
          ClientOptions options);
  /// The machine has halted.
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// No more of it; what was paused is resumed, now and after each start.
  void calm();

  /// Resumes every endpoint of the process that is up.
  void resume_all();

  size_t appended() const { return appended_; }

 private:
  // A domain as its producers know it.
  struct Domain {
    std::string name;
    DomainUid uid{};                  // of its last life; its ids are not sent for another one
    std::vector<std::string> sent;    // ids that were answered,
    std::vector<std::string> unsure;  // and those that were not
  };

  void act_later();
  void act();
  void begin_append(Domain& domain);
  void begin_edit(Domain& domain);
  void begin_replay(const Domain& domain, const store::DomainPtr& known);
  /// The process of that life of the machine; null when it is not up any more.
  Process* process(uint64_t life) const;
  Task<void> append(uint64_t life, Domain& domain, std::vector<store::NewEvent> events);
  Task<void> edit(uint64_t life, std::string name, webhook::Hook hook,
                  std::vector<std::string> urls);
  Task<void> remove(uint64_t life, std::string name);
  Task<void> set_paused(uint64_t life, std::string url, bool paused);
  /// Events by their ids, for one lane.
  Task<void> send_again(uint64_t life, store::DomainPtr domain, store::LaneConfig lane,
                        std::vector<std::string> ids);
  /// All of a class that the log has, or that was missed.
  Task<void> replay(uint64_t life, store::DomainPtr domain, store::LaneConfig lane,
                    store::SegmentRow segment);
  store::NewEvent make_event(const Domain& domain, const std::string& id);
  std::vector<std::string> some_urls();

  World& world_;
  Machine& machine_;
  Receivers& receivers_;
  Model& model_;
  const ClientOptions options_;
  Random random_;
  LineSet lines_;
  TaskGroup tasks_;
  std::vector<Domain> domains_;
  bool calm_ = false;
  uint64_t last_id_ = 0;
  uint64_t last_replay_ = 0;
  size_t appended_ = 0;
};

}  // namespace eventhorn::simulation
