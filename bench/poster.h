// Sends requests over keep-alive connections, one at a time on each: as fast as they are answered,
// or when they are due. What bench_producer and bench_load have in common. One thread.
#pragma once

#include "net.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::bench {

/// "Basic ..." for the API key, the value of an Authorization header.
std::string basic_credentials(const std::string& key);

/// Where the requests come from and who learns of their answers. Requests are numbered from 0.
class Source {
 public:
  virtual ~Source() = default;

  /// When request n may leave (CLOCK_MONOTONIC); nullopt when there is no such request. Called with
  /// rising n.
  virtual std::optional<int64_t> due_ns(size_t n) = 0;

  /// The bytes of request n, made in `storage` or elsewhere; must stay valid until it is settled.
  virtual std::string_view request(size_t n, std::string& storage) = 0;

  /// Request n was answered with 200 and this body.
  virtual void settled(size_t n, std::string_view body, int64_t now_ns) = 0;
};

class Poster {
 public:
  struct Options {
    size_t connections = 4;
    /// A connection that breaks is made again and its request sent again, as after 503; else both
    /// end the process.
    bool reconnect = false;
  };

  /// Connects, or dies unless it may reconnect. `source` must outlive this.
  Poster(const Address& address, Options options, Source& source);

  /// Until every request is settled, or after stop() those that have left. 429 is obeyed; any other
  /// status than 200 ends the process with a message.
  void run(const std::atomic<bool>& stop);

  uint64_t retries() const { return retries_; }  // answers of 429

  uint64_t broken() const { return broken_; }  // connections that broke

 private:
  enum class State { kIdle, kBusy, kWaiting };

  struct Connection {
    Fd fd;
    State state = State::kIdle;
    size_t request = 0;
    int64_t resend_at_ns = 0;  // kWaiting
    std::string storage;
    std::string_view bytes;
    std::string_view unsent;
    bool waits_for_room = false;
    std::string reply;
  };

  bool connect(Connection& c);
  bool send_due(int64_t now);
  int64_t wait_ns(int64_t now) const;
  void send_request(Connection& c);
  void send_rest(Connection& c);
  void read_reply(Connection& c);
  void finish_if_complete(Connection& c);
  void finish(Connection& c, const Head& head);
  void mend(Connection& c, const char* what);

  const Address address_;
  const Options options_;
  Source& source_;
  Fd epoll_ = make_epoll();
  std::vector<Connection> connections_;
  std::optional<int64_t> next_due_ns_;
  size_t next_ = 0;
  uint64_t retries_ = 0;
  uint64_t broken_ = 0;
};

}  // namespace eventhorn::bench
