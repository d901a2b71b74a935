// TCP to the first of several addresses that answers (RFC 8305). Internal to outbound/.
#pragma once

#include "async/task.h"
#include "net/address.h"
#include "outbound/attempted.h"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

namespace eventhorn::outbound {

struct ConnectOptions {
  /// Bound before connecting to an address of the same family. When some are given, a family
  /// without one is not dialled; empty: the system chooses.
  std::vector<net::IpAddress> source_addresses;
  /// An address gets that long before the next is tried beside it (RFC 8305 section 5).
  std::chrono::milliseconds attempt_delay{250};
};

struct Connected {
  asio::ip::tcp::socket socket;
  net::IpAddress address;
};

/// Tries the addresses in their order, each `attempt_delay` after the one before, or at once when
/// no attempt is left under way; the first to connect wins and the others are closed. The socket is
/// non-blocking and without Nagle's delay.
///
/// kConnect when all refuse, or at the deadline; kLocal when this machine could not even try one;
/// kCancelled.
Task<Attempted<Connected>> connect_first(std::vector<net::IpAddress> addresses, uint16_t port,
                                         const ConnectOptions& options, Deadline deadline);

}  // namespace eventhorn::outbound
