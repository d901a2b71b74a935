#include "async/cores.h"

#include "base/check.h"

#include <pthread.h>
#include <string>

namespace eventhorn {

Cores::Cores(size_t count) {
  CHECK(count >= 1);
  for (size_t i = 0; i < count; ++i) cores_.push_back(std::make_unique<Core>());
}

Cores::~Cores() {
  stop();
}

void Cores::start() {
  for (size_t i = 0; i < cores_.size(); ++i) {
    auto& core = *cores_[i];
    core.thread = std::thread([&core] { core.context.run(); });
    pthread_setname_np(core.thread.native_handle(), ("core-" + std::to_string(i)).c_str());
  }
}

void Cores::stop() {
  for (auto& core : cores_) core->context.stop();
  for (auto& core : cores_) {
    if (core->thread.joinable()) core->thread.join();
  }
}

}  // namespace eventhorn
