// One side of an accepted connection, plain or TLS, non-blocking. One thread.
#pragma once

#include "net.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;

namespace eventhorn::bench {

/// A certificate and its key for connections that are TLS.
class TlsFiles {
 public:
  /// PEM files. Dies when they are of no use.
  TlsFiles(const std::string& cert_path, const std::string& key_path);

  ssl_ctx_st* context() const { return context_.get(); }

 private:
  std::shared_ptr<ssl_ctx_st> context_;
};

/// Accepts without blocking; no descriptor when nobody waits. Nagle is off.
Fd accept_from(const Fd& listener);

class Channel {
 public:
  /// `tls` null: plain.
  Channel(Fd fd, const TlsFiles* tls);

  const Fd& fd() const { return fd_; }

  /// The bytes read; 0 when the connection is over; nullopt when there are none yet.
  std::optional<size_t> read(char* out, size_t room);
  /// Whether bytes have arrived of which epoll knows nothing.
  bool pending() const;
  /// Everything, at once: false when it does not fit into the socket or the connection is over.
  bool write(std::string_view bytes);
  /// Nothing may be called after it.
  void close();

 private:
  Fd fd_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
};

}  // namespace eventhorn::bench
