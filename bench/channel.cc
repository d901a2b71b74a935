#include "channel.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace eventhorn::bench {

TlsFiles::TlsFiles(const std::string& cert_path, const std::string& key_path)
    : context_(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free) {
  if (::SSL_CTX_use_certificate_chain_file(context_.get(), cert_path.c_str()) != 1)
    die(cert_path + ": no certificate");
  if (::SSL_CTX_use_PrivateKey_file(context_.get(), key_path.c_str(), SSL_FILETYPE_PEM) != 1)
    die(key_path + ": no key");
}

Fd accept_from(const Fd& listener) {
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const int one = 1;
  if (fd.get() >= 0) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

Channel::Channel(Fd fd, const TlsFiles* tls)
    : fd_(std::move(fd)), ssl_(tls == nullptr ? nullptr : ::SSL_new(tls->context()), ::SSL_free) {
  if (!ssl_) return;
  ::SSL_set_fd(ssl_.get(), fd_.get());
  ::SSL_set_accept_state(ssl_.get());
}

std::optional<size_t> Channel::read(char* out, size_t room) {
  if (!ssl_) {
    const ssize_t n = ::recv(fd_.get(), out, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    return static_cast<size_t>(n < 0 ? 0 : n);
  }
  ::ERR_clear_error();
  const int n = ::SSL_read(ssl_.get(), out, static_cast<int>(room));
  if (n > 0) return static_cast<size_t>(n);
  // A handshake's answers are small and always fit into the socket.
  if (::SSL_get_error(ssl_.get(), n) == SSL_ERROR_WANT_READ) return std::nullopt;
  return 0;
}

bool Channel::pending() const {
  return ssl_ && ::SSL_pending(ssl_.get()) > 0;
}

bool Channel::write(std::string_view bytes) {
  if (!ssl_) {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  ::ERR_clear_error();
  return ::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size());
}

void Channel::close() {
  ssl_.reset();
  fd_ = Fd();
}

}  // namespace eventhorn::bench
