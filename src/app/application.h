// The whole server: builds the modules, joins them, and takes them down in reverse. The only place
// that knows everything.
#pragma once

#include "base/result.h"
#include "config/config.h"

#include <memory>
#include <string>

namespace eventhorn::app {

class Application {
 public:
  /// Keys from the environment; empty when not given.
  struct Secrets {
    std::string api_key;
    std::string signing_key;
  };

  Application(config::Config config, Secrets secrets);
  ~Application();

  /// Opens the store, takes up deliveries, listens. The base URL under which the server is ready.
  Result<std::string> start();

  /// After a start that succeeded: ends intake, drains attempts until delivery.drain_timeout, saves
  /// progress, closes the store.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::app
