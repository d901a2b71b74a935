#include "simulation/process.h"

#include "async/hop.h"
#include "base/check.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace eventhorn::simulation {
namespace {

constexpr size_t kReaderThreads = 2;

webhook::SigningKeys keys() {
  static const auto key = std::make_shared<const crypto::HmacKey>("key");
  return {key, nullptr};
}

}  // namespace

Process::Process(World& world, std::string name, Disk& disk, DiskFaults& faults,
                 Receivers& receivers, Model& model, const ProcessOptions& options)
    : world_(world),
      name_(std::move(name)),
      disk_(disk),
      lines_(world),
      workers_(lines_, name_, [&faults] { return faults.hold_up(); }),
      main_(World::executor(lines_.make(name_ + "/main")), world.clock()),
      readers_(World::executor(make_readers(faults))),
      wire_(world, receivers, model) {
  const Micros hold = control::Retention::clock_hold(options.retention.events);
  auto opened = disk.open(world.clock(), hold, workers_);
  if (!opened) {
    world_.trace().add(name_, "cannot open the store: " + opened.error().message);
    state_ = State::kFailed;
    return;
  }
  store_ = *std::move(opened);
  {
    const DiskFaults::Pause pause(faults);
    model.on_opened(*store_);
  }
  writers_ = std::make_unique<store::Writers>(*store_, directory_, world.clock(), workers_,
                                              options.writers);
  writers_->feed.subscribe([&model](const store::BatchPtr& batch) { model.on_batch(*batch); });
  if (options.on_commit)
    writers_->feed.subscribe([tell = options.on_commit](const store::BatchPtr&) { tell(); });
  make_engines(options);
  retention_ = std::make_unique<control::Retention>(
      options.retention, *store_, *store_, notices_, world.clock(), readers_,
      [this](Position last) { return expire_lanes(last); });
  housekeeping_ = std::make_unique<TaskGroup>(engines_.front()->executor(), world.clock());
  main_.spawn("start", start());
}

Line& Process::make_readers(DiskFaults& faults) {
  auto& line = lines_.make(name_ + "/readers", kReaderThreads);
  line.hold_up = [&faults] { return faults.hold_up(); };
  return line;
}

Process::~Process() {
  disk_.kill();
  lines_.drop();
  if (writers_) writers_->stop();  // refuses what waits: the disk takes nothing
}

void Process::make_engines(const ProcessOptions& options) {
  for (uint32_t core = 0; core < options.engine.cores; ++core) {
    const auto executor = World::executor(lines_.make(name_ + "/core-" + std::to_string(core)));
    auto random = std::make_shared<Random>(world_.fork_random());
    auto of_core = options.engine;
    of_core.core = core;
    const delivery::EngineServices services{
        readers_,         *store_,  writers_->progress,
        writers_->health, notices_, wire_,
        world_.clock(),   keys,     [random](std::span<uint8_t> out) { random->fill(out); }};
    auto& engine =
        *engines_.emplace_back(std::make_unique<delivery::Engine>(executor, services, of_core));
    deliveries_.add(engine);
    writers_->feed.subscribe([&engine, executor](const store::BatchPtr& batch) {
      asio::post(executor, [&engine, batch] { engine.on_commit(batch); });
    });
  }
}

Task<void> Process::start() {
  const auto started = co_await start_engines();
  if (!started) {
    world_.trace().add(name_, "cannot start: " + started.error().message);
    state_ = State::kFailed;
    co_return;
  }
  writers_->start();
  start_housekeeping();
  state_ = State::kUp;
  world_.trace().add(name_, "is up");
}

Task<Status> Process::start_engines() {
  CO_TRY(const auto domains, store_->load_domains());
  (void)directory_.replace_all(domains, kNoPosition);
  CO_TRY(const auto progress, store_->load_progress());
  if (progress.marks.to_be_rewritten()) {
    const auto rewritten = store_->replace_marks(progress.marks.joined());
    if (!rewritten) co_return rewritten;
  }
  for (const auto& engine : engines_) {
    const delivery::SettingsByUrl settings;
    auto task = engine->start(domains, progress, settings, store_->head());
    const auto started = co_await run_on(engine->executor(), std::move(task));
    if (!started) co_return started;
  }
  co_return Status{};
}

void Process::start_housekeeping() {
  asio::post(engines_.front()->executor(),
             [this] { housekeeping_->spawn("retention", retention_->run()); });
}

Task<void> Process::end_housekeeping() {
  housekeeping_->cancel();
  co_await housekeeping_->join(Deadline::max());
}

Task<void> Process::expire_lanes(Position last) {
  for (const auto& engine : engines_) co_await run_on(engine->executor(), engine->expire(last));
}

void Process::stop(Micros drain) {
  CHECK(state_ == State::kUp);
  state_ = State::kStopping;
  main_.spawn("stop", run_stop(drain));
}

Task<void> Process::run_stop(Micros drain) {
  const auto deadline = world_.clock().steady_now() + drain;
  for (const auto& engine : engines_) co_await run_on(engine->executor(), engine->stop_sending());
  co_await run_on(engines_.front()->executor(), end_housekeeping());
  for (const auto& engine : engines_) co_await run_on(engine->executor(), engine->stop(deadline));
  writers_->stop();
  state_ = State::kStopped;
  world_.trace().add(name_, "has stopped");
}

void Process::check_invariants() const {
  if (state_ != State::kUp) return;
  for (const auto& engine : engines_) engine->check_invariants();
}

}  // namespace eventhorn::simulation
