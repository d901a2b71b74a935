// Who reads: clients that walk through the pages of domains and hold them for hours, and operators
// that look at lanes, endpoints and counts. What they see is judged by the model.
#pragma once

#include "async/task_group.h"
#include "simulation/ingredients.h"
#include "simulation/machine.h"
#include "simulation/page_walk.h"

#include <list>
#include <set>
#include <string>

namespace eventhorn::simulation {

class Readers {
 public:
  /// Between two things that happen: `pace`, on average. All outlive it.
  Readers(World& world, Machine& machine, Model& model, Micros pace, Ingredients ingredients);
  /// The machine has halted.
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  /// No new walks, and nobody looks any more.
  void calm() { calm_ = true; }

  /// Reads what is left of all walks.
  void end_walks();

  size_t walks() const { return walked_; }

  size_t looks() const { return looks_; }

 private:
  void act_later();
  void act();
  void begin_walk(const store::Domain& domain);
  void go_on_later(std::list<PageWalk>::iterator walk);
  /// False when it has ended.
  bool read_page(std::list<PageWalk>::iterator walk);
  void count(const store::Domain& domain);
  Task<void> look_at_lane(uint64_t life, store::DomainPtr domain, store::LaneConfig lane);
  Task<void> look_at_endpoint(uint64_t life, std::string url);
  Process* process(uint64_t life) const;

  World& world_;
  Machine& machine_;
  Model& model_;
  const Micros pace_;
  Random random_;
  LineSet lines_;
  TaskGroup tasks_;
  std::list<PageWalk> walks_;
  bool calm_ = false;
  size_t walked_ = 0;
  size_t looks_ = 0;
  uint64_t next_look_ = 0;  // no step before it has one
};

}  // namespace eventhorn::simulation
