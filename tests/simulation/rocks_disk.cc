#include "simulation/rocks_disk.h"

#include "base/check.h"
#include "store/rocks/fault_env_test_support.h"
#include "store/rocks/rocks_store.h"

#include <filesystem>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace eventhorn::simulation {
namespace {

using Operation = store::MemoryFaults::Operation;
using store::FaultEnv;

constexpr const char* kMemory = "/dev/shm";
constexpr uint64_t kMaxTorn = 200;  // bytes of the log behind the last sync
constexpr uint64_t kFreeBytes = uint64_t{1} << 40;

/// What the disk and the store that is open share.
struct Device {
  explicit Device(DiskFaults& f) : faults(f) {}

  DiskFaults& faults;
  FaultEnv env;
  uint64_t owner = 0;  // of the store that is open, or was; 0: nobody
};

/// The store of one process: asks the faults before each operation.
class RocksProcess final : public store::Store {
 public:
  RocksProcess(Device& device, uint64_t owner, std::unique_ptr<store::RocksStore> store)
      : device_(device), owner_(owner), store_(std::move(store)) {}

  ~RocksProcess() override {
    if (device_.owner != owner_) device_.env.set_fault(FaultEnv::Fault::kDead);
    store_.reset();
    device_.env.set_fault(FaultEnv::Fault::kNone);
    if (device_.owner == owner_) device_.owner = 0;
  }

  Status commit(store::WriteSet& set) override {
    TRY_STATUS(alive());
    const Failing failing(device_, Operation::kCommit, Operation::kSync);
    return store_->commit(set);
  }

  Position head() const override { return store_->head(); }

  Result<std::vector<store::EventHead>> read_heads(Position after, size_t max) override {
    TRY_STATUS(may(Operation::kReadHeads));
    return store_->read_heads(after, max);
  }

  Result<std::vector<store::EventPtr>> read_events(
      const std::vector<Position>& positions) override {
    TRY_STATUS(may(Operation::kReadEvents));
    return store_->read_events(positions);
  }

  Result<std::vector<Position>> find_events(DomainUid domain,
                                            const std::vector<std::string>& ids) override {
    TRY_STATUS(may(Operation::kFindEvents));
    return store_->find_events(domain, ids);
  }

  Result<Position> position_before(SystemTime time) override {
    TRY_STATUS(may(Operation::kFindByTime));
    return store_->position_before(time);
  }

  Result<store::LaneSlice> read_lane(const store::LaneQuery& query) override {
    TRY_STATUS(may(Operation::kReadLane));
    return store_->read_lane(query);
  }

  Result<store::EventCount> count_lane(const store::LaneQuery& query) override {
    TRY_STATUS(may(Operation::kCountLane));
    return store_->count_lane(query);
  }

  Result<store::PageSlice> read_page(const store::PageQuery& query) override {
    TRY_STATUS(may(Operation::kReadPage));
    return store_->read_page(query);
  }

  Result<store::OrderSlice> read_order(const store::OrderQuery& query) override {
    TRY_STATUS(may(Operation::kReadOrder));
    return store_->read_order(query);
  }

  store::Committed last_commit() const override { return store_->last_commit(); }

  Result<std::optional<SystemTime>> committed_at(Position position) override {
    TRY_STATUS(may(Operation::kReadOrder));
    return store_->committed_at(position);
  }

  uint64_t generation() const override { return store_->generation(); }

  Result<store::SaveToken> save(std::span<const store::Progress* const> progress) override {
    TRY_STATUS(alive());
    const Failing failing(device_, Operation::kSaveProgress);
    return store_->save(progress);
  }

  bool durable(store::SaveToken token) const override { return store_->durable(token); }

  Status flush() override {
    TRY_STATUS(alive());
    const Failing failing(device_, std::nullopt, Operation::kFlush);
    return store_->flush();
  }

  Result<store::LoadedProgress> load_progress() override {
    TRY_STATUS(may(Operation::kLoadProgress));
    return store_->load_progress();
  }

  Status replace_marks(std::span<const store::SlotMark> marks) override {
    TRY_STATUS(alive());
    const Failing failing(device_, Operation::kSaveMarks, Operation::kSync);
    return store_->replace_marks(marks);
  }

  Result<std::vector<store::ExceptionRow>> read_exceptions(LaneId lane, Position after, size_t max,
                                                           bool missed_only) override {
    TRY_STATUS(may(Operation::kReadExceptions));
    return store_->read_exceptions(lane, after, max, missed_only);
  }

  Result<std::vector<store::AttemptRow>> read_attempts(LaneId lane, Position position,
                                                       SystemTime committed, size_t max) override {
    TRY_STATUS(may(Operation::kReadAttempts));
    return store_->read_attempts(lane, position, committed, max);
  }

  Result<std::vector<store::AttemptRow>> last_attempts(LaneId lane, SystemTime before,
                                                       size_t max) override {
    TRY_STATUS(may(Operation::kReadAttempts));
    return store_->last_attempts(lane, before, max);
  }

  Result<std::vector<store::DomainPtr>> load_domains() override {
    TRY_STATUS(may(Operation::kLoadDomains));
    return store_->load_domains();
  }

  Result<std::optional<std::string>> load_value(const std::string& key) override {
    TRY_STATUS(may(Operation::kLoadValues));
    return store_->load_value(key);
  }

  Result<std::vector<std::pair<std::string, std::string>>> load_values(
      const std::string& prefix) override {
    TRY_STATUS(may(Operation::kLoadValues));
    return store_->load_values(prefix);
  }

  Status save_value(const std::string& key, const std::string& value) override {
    TRY_STATUS(alive());
    const Failing failing(device_, Operation::kSaveValues, Operation::kSync);
    return store_->save_value(key, value);
  }

  Status remove_value(const std::string& key) override {
    TRY_STATUS(alive());
    const Failing failing(device_, Operation::kSaveValues, Operation::kSync);
    return store_->remove_value(key);
  }

  Status save_values(const store::ValueChanges& changes) override {
    TRY_STATUS(alive());
    const Failing failing(device_, Operation::kSaveValues);
    return store_->save_values(changes);
  }

  bool failed() const override { return store_->failed(); }

  Status recover() override {
    TRY_STATUS(may(Operation::kRecover));
    return store_->recover();
  }

  Status may_append() const override { return store_->may_append(); }

  uint64_t free_bytes() const override { return store_->free_bytes(); }

  store::KeptClock& kept_clock() override { return store_->kept_clock(); }

  Result<uint64_t> expire(SystemTime events_before, SystemTime attempts_before) override {
    TRY_STATUS(alive());
    const Failing failing(device_, Operation::kExpire, Operation::kSync);
    return store_->expire(events_before, attempts_before);
  }

  Result<SystemTime> cut_to_bytes(uint64_t bytes) override { return store_->cut_to_bytes(bytes); }

 private:
  /// While it lives the log's writes fail, or its syncs, if the faults say so.
  class Failing {
   public:
    Failing(Device& device, std::optional<Operation> write,
            std::optional<Operation> sync = std::nullopt)
        : device_(device) {
      if (write && !device_.faults.on(*write)) {
        device_.env.set_fault(FaultEnv::Fault::kNoSpace);
      } else if (sync && !device_.faults.on(*sync)) {
        device_.env.set_fault(FaultEnv::Fault::kSyncFails);
      }
    }

    ~Failing() { device_.env.set_fault(FaultEnv::Fault::kNone); }

    Failing(const Failing&) = delete;
    Failing& operator=(const Failing&) = delete;

   private:
    Device& device_;
  };

  Status alive() const {
    if (device_.owner != owner_) return fail(Errc::kUnavailable, "the process was killed");
    return {};
  }

  Status may(Operation operation) const {
    TRY_STATUS(alive());
    return device_.faults.on(operation);
  }

  Device& device_;
  const uint64_t owner_;
  std::unique_ptr<store::RocksStore> store_;
};

class RocksDisk final : public Disk {
 public:
  explicit RocksDisk(DiskFaults& faults) : device_(faults) {
    std::string name = std::string(kMemory) + "/eventhorn_simulation.XXXXXX";
    CHECK(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }

  ~RocksDisk() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  Result<std::unique_ptr<store::Store>> open(const Clock& clock, Micros clock_hold,
                                             Workers& workers) override {
    TRY_STATUS(device_.faults.on(Operation::kOpen));
    if (const auto torn = std::exchange(torn_, std::nullopt)) device_.env.lose_unsynced(*torn);
    store::RocksOptions options;
    options.directory = directory_;
    options.env = &device_.env;
    options.workers = &workers;
    options.ballast_bytes = 0;
    options.free_bytes = [] { return kFreeBytes; };
    options.clock_hold = std::chrono::duration_cast<std::chrono::milliseconds>(clock_hold);
    TRY(auto opened, store::RocksStore::open(std::move(options), clock));
    device_.owner = ++last_owner_;
    return std::unique_ptr<store::Store>(
        std::make_unique<RocksProcess>(device_, last_owner_, std::move(opened)));
  }

  void kill() override { device_.owner = 0; }

  void power_cut(Random& random) override {
    kill();
    torn_ = random.once_in(2) ? 0 : random.below(kMaxTorn);
  }

  void check_invariants() const override {}

 private:
  Device device_;
  std::filesystem::path directory_;
  uint64_t last_owner_ = 0;
  std::optional<uint64_t> torn_;  // a power cut is to take what was not synced, but so much
};

}  // namespace

std::unique_ptr<Disk> make_rocks_disk(DiskFaults& faults) {
  return std::make_unique<RocksDisk>(faults);
}

}  // namespace eventhorn::simulation
