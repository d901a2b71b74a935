#include "http/tls_context.h"

#include "base/log.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <sys/stat.h>

namespace eventhorn::http {
namespace {

// An encrypted key must fail, not ask on the terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string out = reason == nullptr ? "unknown error" : reason;
  ERR_clear_error();
  return out;
}

Result<std::shared_ptr<SSL_CTX>> make_context(const std::string& cert_path,
                                              const std::string& key_path) {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return fail(Errc::kInternal, "tls: " + openssl_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_default_passwd_cb(context.get(), no_password);
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert_path.c_str()) != 1) {
    return fail(Errc::kInvalidArgument, "server.tls_cert " + cert_path + ": " + openssl_reason());
  }
  // Also checks that the key belongs to the certificate.
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(Errc::kInvalidArgument, "server.tls_key " + key_path + ": " + openssl_reason());
  }
  return context;
}

}  // namespace

TlsContext::TlsContext(std::string cert_path, std::string key_path, const Clock& clock)
    : cert_path_(std::move(cert_path)),
      key_path_(std::move(key_path)),
      clock_(clock),
      next_look_(clock.steady_now() + std::chrono::seconds(1)),
      stamp_(stamp()) {}

Result<std::shared_ptr<TlsContext>> TlsContext::load(std::string cert_path, std::string key_path,
                                                     const Clock& clock) {
  std::shared_ptr<TlsContext> out(new TlsContext(std::move(cert_path), std::move(key_path), clock));
  TRY(out->context_, make_context(out->cert_path_, out->key_path_));
  return out;
}

// What tells two states of the files apart; inodes too, because renewals often rename a new file
// into place.
std::string TlsContext::stamp() const {
  std::string out;
  for (const auto& path : {cert_path_, key_path_}) {
    struct stat info{};
    if (stat(path.c_str(), &info) != 0) continue;
    out += fmt::format("{}/{}.{}/{} ", info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                       info.st_size);
  }
  return out;
}

std::shared_ptr<SSL_CTX> TlsContext::current() {
  const auto now = clock_.steady_now();
  if (now < next_look_) return context_;
  next_look_ = now + std::chrono::seconds(1);
  auto seen = stamp();
  if (seen == stamp_) return context_;
  stamp_ = std::move(seen);
  auto fresh = make_context(cert_path_, key_path_);
  if (fresh) {
    context_ = *std::move(fresh);
    log_info("http", "tls certificate reloaded cert={}", cert_path_);
  } else {
    log_warn("http", "tls certificate kept, the new one is of no use: {}", fresh.error().message);
  }
  return context_;
}

}  // namespace eventhorn::http
