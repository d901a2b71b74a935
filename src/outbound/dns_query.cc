#include "outbound/dns_query.h"

#include "net/socket_address.h"

#include <ares.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>

namespace eventhorn::outbound {
namespace {

using boost::system::error_code;
using std::chrono::steady_clock;

// RFC 8305 section 3 waits 50 ms for the other family. An answer serves many connections here, so a
// little more patience pays.
constexpr std::chrono::milliseconds kOtherFamily{250};
constexpr int kTries = 2;

// Thread-safe by the rules for static variables; c-ares wants it once per process, before anything
// else.
bool library_ready() {
  static const bool ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
  return ready;
}

std::string join(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

bool out_of_descriptors() {
  const int probe = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return true;
  ::close(probe);
  return false;
}

void append(DnsAnswer& answer, const ares_addrinfo* list) {
  for (const auto* n = list->nodes; n != nullptr; n = n->ai_next) {
    const auto address = net::from_sockaddr(n->ai_addr);
    if (!address) continue;
    const std::chrono::seconds ttl(std::max(0, n->ai_ttl));
    answer.ttl = answer.addresses.empty() ? ttl : std::min(answer.ttl, ttl);
    answer.addresses.push_back(*address);
  }
}

constexpr ares_addrinfo_hints hints_for(int family) {
  return {ARES_AI_NOSORT, family, SOCK_STREAM, 0};
}

// The name's addresses by the hosts file alone; reads a local file, asks nobody.
DnsAnswer read_hosts_file(const std::string& host) {
  DnsAnswer out;
  ares_channel channel = nullptr;
  ares_options options{};
  std::array<char, 2> files_only = {'f', '\0'};
  options.lookups = files_only.data();
  if (ares_init_options(&channel, &options, ARES_OPT_LOOKUPS) != ARES_SUCCESS) return out;
  const auto take = [](void* arg, int status, int, ares_addrinfo* found) {
    if (status != ARES_SUCCESS) return;
    append(*static_cast<DnsAnswer*>(arg), found);
    ares_freeaddrinfo(found);
  };
  const auto hints = hints_for(AF_UNSPEC);
  ares_getaddrinfo(channel, host.c_str(), nullptr, &hints, take, &out);
  ares_destroy(channel);
  return out;
}

class AresQuery final : public DnsQuery, public std::enable_shared_from_this<AresQuery> {
 public:
  AresQuery(asio::any_io_executor executor, Done done, SteadyTime end)
      : executor_(executor), done_(std::move(done)), end_(end), timer_(executor) {}

  ~AresQuery() override { stop(); }

  void run(const std::string& host, const DnsQueryOptions& options) {
    if (library_ready()) answers_[0] = read_hosts_file(host);
    if (!answers_[0].addresses.empty()) {
      families_left_ = 0;
      return finish_soon();
    }
    if (!library_ready() || !open_channel(options)) {
      families_left_ = 0;
      failure_ = ARES_ENOMEM;
      return finish_soon();
    }
    for (const int family : {AF_INET, AF_INET6}) {
      const auto hints = hints_for(family);
      const auto take = family == AF_INET ? &AresQuery::on_answer<0> : &AresQuery::on_answer<1>;
      ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, take, this);
    }
    arm_timer();
  }

  void stop() override {
    done_ = nullptr;
    timer_.cancel();
    // Answers ARES_EDESTRUCTION to what is under way and closes the sockets through on_socket().
    if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
  }

 private:
  struct Socket {
    explicit Socket(asio::any_io_executor executor) : descriptor(executor) {}

    asio::posix::stream_descriptor descriptor;
    bool want_read = false;
    bool want_write = false;
    bool reading = false;  // a wait is under way
    bool writing = false;
  };

  bool open_channel(const DnsQueryOptions& options) {
    ares_options o{};
    o.timeout = static_cast<int>(std::max<int64_t>(1, options.timeout.count() / 4));
    o.tries = kTries;
    o.sock_state_cb = [](void* self, int fd, int read, int write) {
      static_cast<AresQuery*>(self)->on_socket(fd, read != 0, write != 0);
    };
    o.sock_state_cb_data = this;
    std::array<char, 2> dns_only = {'b', '\0'};
    o.lookups = dns_only.data();
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;
    if (!options.servers.empty()) {
      o.flags = ARES_FLAG_NOSEARCH;
      mask |= ARES_OPT_FLAGS;
    }
    if (ares_init_options(&channel_, &o, mask) != ARES_SUCCESS) return false;
    if (options.servers.empty()) return true;
    return ares_set_servers_ports_csv(channel_, join(options.servers).c_str()) == ARES_SUCCESS;
  }

  template <size_t kFamily>
  static void on_answer(void* arg, int status, int, ares_addrinfo* found) {
    static_cast<AresQuery*>(arg)->take(kFamily, status, found);
  }

  void take(size_t family, int status, ares_addrinfo* found) {
    if (status == ARES_EDESTRUCTION) return;
    --families_left_;
    if (status == ARES_SUCCESS) {
      append(answers_.at(family), found);
      ares_freeaddrinfo(found);
    } else if (status != ARES_ENOTFOUND && status != ARES_ENODATA) {
      failure_ = status;
    }
    if (families_left_ == 0) return finish_soon();
    if (!answers_.at(family).addresses.empty())
      end_ = std::min(end_, steady_clock::now() + kOtherFamily);
  }

  // c-ares must not be ended from within its own callback.
  void finish_soon() {
    asio::post(executor_, [self = shared_from_this()] { self->finish(); });
  }

  void finish() {
    if (!done_) return;
    const Done done = std::exchange(done_, nullptr);
    auto result = outcome();
    stop();
    done(std::move(result));
  }

  Result<DnsAnswer> outcome() {
    DnsAnswer out = answers_[0];
    const auto& v6 = answers_[1];
    if (!v6.addresses.empty()) out.ttl = out.addresses.empty() ? v6.ttl : std::min(out.ttl, v6.ttl);
    out.addresses.insert(out.addresses.end(), v6.addresses.begin(), v6.addresses.end());
    const bool complete = families_left_ == 0 && !failure_;
    if (!out.addresses.empty()) {
      if (!complete) out.ttl = std::chrono::seconds(0);
      return out;
    }
    if (complete) return fail(Errc::kNotFound, "host not found");
    if (out_of_descriptors()) return fail(Errc::kInternal, "no file descriptor left");
    if (families_left_ > 0 || failure_ == ARES_ETIMEOUT)
      return fail(Errc::kTimeout, "no name server answered in time");
    return fail(Errc::kUnavailable, "the name servers failed to answer");
  }

  void on_socket(int fd, bool read, bool write) {
    const auto it = sockets_.find(fd);
    if (!read && !write) {
      if (it == sockets_.end()) return;
      it->second->descriptor.release();  // c-ares closes it
      sockets_.erase(it);
      return;
    }
    auto socket = it != sockets_.end() ? it->second : std::make_shared<Socket>(executor_);
    if (it == sockets_.end()) {
      error_code ec;
      socket->descriptor.assign(fd, ec);
      if (ec) return;  // no exception may cross c-ares; the query times out
      sockets_.emplace(fd, socket);
    }
    socket->want_read = read;
    socket->want_write = write;
    wait(socket);
  }

  void wait(const std::shared_ptr<Socket>& socket) {
    using Descriptor = asio::posix::stream_descriptor;
    if (socket->want_read && !socket->reading) {
      socket->reading = true;
      socket->descriptor.async_wait(
          Descriptor::wait_read, [self = shared_from_this(), socket](const error_code& ec) {
            socket->reading = false;
            if (!ec) self->on_ready(socket, socket->descriptor.native_handle(), ARES_SOCKET_BAD);
          });
    }
    if (socket->want_write && !socket->writing) {
      socket->writing = true;
      socket->descriptor.async_wait(
          Descriptor::wait_write, [self = shared_from_this(), socket](const error_code& ec) {
            socket->writing = false;
            if (!ec) self->on_ready(socket, ARES_SOCKET_BAD, socket->descriptor.native_handle());
          });
    }
  }

  void on_ready(const std::shared_ptr<Socket>& socket, int readable, int writable) {
    // Closed meanwhile: the number may belong to another socket already.
    if (channel_ == nullptr || !socket->descriptor.is_open()) return;
    ares_process_fd(channel_, readable, writable);
    if (socket->descriptor.is_open()) wait(socket);
    arm_timer();
  }

  void arm_timer() {
    if (channel_ == nullptr) return;
    auto next = end_;
    timeval buffer{};
    if (const timeval* after = ares_timeout(channel_, nullptr, &buffer)) {
      next = std::min(next, steady_clock::now() + std::chrono::seconds(after->tv_sec) +
                                std::chrono::microseconds(after->tv_usec));
    }
    timer_.expires_at(next);
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec) self->on_timer();
    });
  }

  void on_timer() {
    if (channel_ == nullptr) return;
    if (steady_clock::now() >= end_) return finish();
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timer();
  }

  asio::any_io_executor executor_;
  Done done_;
  SteadyTime end_;
  asio::steady_timer timer_;
  ares_channel channel_ = nullptr;
  std::unordered_map<int, std::shared_ptr<Socket>> sockets_;
  std::array<DnsAnswer, 2> answers_;  // IPv4, IPv6
  int families_left_ = 2;
  std::optional<int> failure_;  // of a family, other than that there is no address
};

}  // namespace

std::shared_ptr<DnsQuery> DnsQuery::start(asio::any_io_executor executor, const std::string& host,
                                          const DnsQueryOptions& options, Done done) {
  auto query =
      std::make_shared<AresQuery>(executor, std::move(done), steady_clock::now() + options.timeout);
  query->run(host, options);
  return query;
}

}  // namespace eventhorn::outbound
