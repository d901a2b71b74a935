// Webhook receivers of every bad kind, and a good one, on loopback: plain sockets, a thread each.
// They take the events that hostile.cc sends, and nothing else.
#pragma once

#include "base/result.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <vector>

namespace eventhorn::selftest {

enum class Behaviour {
  kGood,
  kNeverAnswers,
  kSlowHead,
  kResets,
  kCloses,
  kInterim,
  kEndlessBody,
  kRedirects,
  kFails,
  kGone,
  kTooMany,
  kWrongProtocol,
  kRefuses,
};

struct Kind {
  Behaviour behaviour;
  const char* name;
};

inline constexpr std::array<Kind, 13> kKinds = {{{Behaviour::kGood, "good"},
                                                 {Behaviour::kNeverAnswers, "never answers"},
                                                 {Behaviour::kSlowHead, "slow head"},
                                                 {Behaviour::kResets, "resets"},
                                                 {Behaviour::kCloses, "closes"},
                                                 {Behaviour::kInterim, "103 for ever"},
                                                 {Behaviour::kEndlessBody, "endless body"},
                                                 {Behaviour::kRedirects, "redirects"},
                                                 {Behaviour::kFails, "500"},
                                                 {Behaviour::kGone, "410"},
                                                 {Behaviour::kTooMany, "429"},
                                                 {Behaviour::kWrongProtocol, "wrong protocol"},
                                                 {Behaviour::kRefuses, "refuses"}}};

/// What the events carry in their user-variables: which one of its receiver's it is, when it was
/// sent, and in which of the server's lives. All are strings of digits.
inline constexpr std::string_view kNumberKey = "selftest-number";
inline constexpr std::string_view kSentKey = "selftest-sent-us";
inline constexpr std::string_view kLifeKey = "selftest-life";

/// CLOCK_MONOTONIC in microseconds.
int64_t monotonic_us();

class Receiver {
 public:
  struct Counts {
    uint64_t confirmed = 0;  // different events answered with 200
    uint64_t repeated = 0;   // answered with 200 once more
    /// Of events that were sent in the server's life in which they arrived.
    std::vector<std::chrono::microseconds> delays;
  };

  /// Takes a free port of 127.0.0.`host`: limits per host must see different hosts. `life` is the
  /// server's present life and must outlive this. kUnavailable with the system's reason.
  static Result<std::unique_ptr<Receiver>> start(Behaviour behaviour, unsigned host,
                                                 const std::atomic<unsigned>& life);

  /// Closes everything and joins the thread.
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  const std::string& url() const { return url_; }

  /// On return it is a good one, and its connections so far are closed. Any thread.
  void heal();

  /// Any thread.
  Counts counts() const;

 private:
  struct Connection {
    int fd = -1;
    std::string received{};
    std::string_view endless{};  // comes again and again, once there is any
    bool dripping = false;       // the head is under way
    size_t drip_from = 0;
  };

  Receiver(Behaviour behaviour, const std::atomic<unsigned>& life);
  Status bind(unsigned host);
  void run();
  void turn_good();
  void accept_all();
  /// These three: false when the connection is over.
  bool serve(Connection& connection, short events, bool tick);
  bool read(Connection& connection);
  bool answer(Connection& connection, std::string_view body);
  void confirm(std::string_view body);

  const std::atomic<unsigned>& life_;
  std::string url_;
  std::atomic<bool> heals_ = false;
  std::atomic<bool> healed_ = false;
  std::atomic<bool> stop_ = false;

  // Touched only by the thread once it runs
  Behaviour behaviour_;
  int listener_ = -1;
  std::vector<Connection> connections_;

  mutable std::mutex mutex_;
  // Guarded by mutex_
  Counts counts_;
  std::unordered_set<uint64_t> numbers_;

  std::thread thread_;  // last: it uses the rest
};

}  // namespace eventhorn::selftest
