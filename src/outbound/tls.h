// TLS as the client of deliveries speaks it: 1.2 and up, certificates always verified, HTTP/1.1
// only, no renegotiation, and the client certificates that receivers ask for. Internal to
// outbound/, except check_client_certificate().
#pragma once

#include "base/result.h"

#include <boost/system/error_code.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct ssl_ctx_st;     // SSL_CTX
struct ssl_st;         // SSL
struct x509_store_st;  // X509_STORE

namespace eventhorn::outbound {

/// OK when the PEM texts are a certificate, with the rest of its chain behind it, and its private
/// key, not encrypted, that belong together. kInvalidArgument "client certificate: ..." or "client
/// key: ..." otherwise, without a part of either. Both empty is OK: no certificate.
Status check_client_certificate(const std::string& certificate_pem, const std::string& key_pem);

/// The contexts of one client, which share the machine's trusted authorities (SSL_CERT_FILE and
/// SSL_CERT_DIR count). Lives on one core.
class ClientTls {
 public:
  ClientTls();

  /// The context with this client certificate, made once for as long as somebody holds it; both
  /// texts empty: the one without. Errors as check_client_certificate().
  Result<std::shared_ptr<ssl_ctx_st>> context(const std::string& certificate_pem,
                                              const std::string& key_pem);

 private:
  std::shared_ptr<x509_store_st> trusted_;
  std::shared_ptr<ssl_ctx_st> plain_;
  std::unordered_map<std::string, std::weak_ptr<ssl_ctx_st>> by_hash_;
};

/// A new connection that accepts only certificates for `host`; names are also sent as SNI. The
/// caller owns it; nullptr when there is no memory.
ssl_st* make_client_ssl(ssl_ctx_st& context, const std::string& host);

/// One line, beginning with "TLS: ", that tells what is wrong and with what (reliability R20).
std::string describe_tls_failure(ssl_st* ssl, const boost::system::error_code& ec);

}  // namespace eventhorn::outbound
