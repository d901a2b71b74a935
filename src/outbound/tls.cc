#include "outbound/tls.h"

#include "base/check.h"
#include "base/strings.h"
#include "crypto/hash.h"
#include "net/address.h"

#include <boost/asio/ssl/error.hpp>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

namespace eventhorn::outbound {
namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// RFC 7301: offered alone, so a receiver that speaks only h2 refuses instead of surprising us.
constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
// 112 bits (NIST SP 800-57): no SHA-1 signatures, no RSA below 2048 bits.
constexpr int kSecurityLevel = 2;

// An encrypted key must fail, not ask on the terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

// Where a connection notes that the receiver asked for a certificate and we have none.
int wanted_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int on_certificate_wanted(SSL* ssl, X509**, EVP_PKEY**) {
  SSL_set_ex_data(ssl, wanted_index(), ssl);
  return 0;
}

BioPtr reader(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
}

tl::unexpected<Error> refuse(const char* what, const char* rule) {
  ERR_clear_error();
  return fail(Errc::kInvalidArgument, std::string(what) + ": " + rule);
}

Status use_certificate(SSL_CTX& context, const std::string& certificate_pem,
                       const std::string& key_pem) {
  constexpr const char* kCertificate = "client certificate";
  constexpr const char* kKey = "client key";
  const BioPtr certificates = reader(certificate_pem);
  const X509Ptr first(PEM_read_bio_X509(certificates.get(), nullptr, no_password, nullptr),
                      X509_free);
  if (!first) return refuse(kCertificate, "must be a certificate in PEM");
  if (SSL_CTX_use_certificate(&context, first.get()) != 1)
    return refuse(kCertificate, "is of no use, perhaps its key or signature is too weak");
  for (;;) {
    const X509Ptr next(PEM_read_bio_X509(certificates.get(), nullptr, no_password, nullptr),
                       X509_free);
    if (!next) break;
    if (SSL_CTX_add1_chain_cert(&context, next.get()) != 1)
      return refuse(kCertificate, "has a chain that is of no use");
  }
  // The chain ends where no further PEM block begins; a damaged one must not be passed over.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return refuse(kCertificate, "has a damaged certificate in its chain");
  ERR_clear_error();
  const BioPtr keys = reader(key_pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(keys.get(), nullptr, no_password, nullptr),
                   EVP_PKEY_free);
  if (!key) return refuse(kKey, "must be a private key in PEM, not encrypted");
  if (SSL_CTX_use_PrivateKey(&context, key.get()) != 1)
    return refuse(kKey, "does not belong to the client certificate");
  return {};
}

std::shared_ptr<SSL_CTX> make_context(X509_STORE* trusted) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  CHECK(context);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_security_level(context.get(), kSecurityLevel);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_alpn_protos(context.get(), kHttp11.data(), kHttp11.size());
  SSL_CTX_set_client_cert_cb(context.get(), on_certificate_wanted);
  if (trusted != nullptr) SSL_CTX_set1_cert_store(context.get(), trusted);
  return context;
}

const char* describe_certificate(long code) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the certificate is not valid yet";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "the certificate is self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "the certificate is from an unknown authority, or its chain is incomplete";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the certificate is for another host";
    case X509_V_ERR_CERT_REVOKED:
      return "the certificate is revoked";
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return "the certificate has a weak signature, such as SHA-1";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
      return "the certificate has a key that is too small";
    default:
      return nullptr;
  }
}

const char* describe_alert(int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return "the receiver does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the receiver has no protocol version of 1.2 or later";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return "the receiver does not speak HTTP/1.1 (ALPN)";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
      return "the receiver does not know the host name (SNI)";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the receiver wants a client certificate";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      return "the receiver refused our client certificate";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the receiver refused the handshake, perhaps for want of a common cipher";
    default:
      return nullptr;
  }
}

}  // namespace

Status check_client_certificate(const std::string& certificate_pem, const std::string& key_pem) {
  if (certificate_pem.empty() && key_pem.empty()) return {};
  return use_certificate(*make_context(nullptr), certificate_pem, key_pem);
}

ClientTls::ClientTls() : trusted_(X509_STORE_new(), X509_STORE_free) {
  CHECK(trusted_);
  // Without any file there are no trusted authorities, and every certificate is refused.
  X509_STORE_set_default_paths(trusted_.get());
  ERR_clear_error();
  plain_ = make_context(trusted_.get());
}

Result<std::shared_ptr<SSL_CTX>> ClientTls::context(const std::string& certificate_pem,
                                                    const std::string& key_pem) {
  if (certificate_pem.empty() && key_pem.empty()) return plain_;
  const auto digest = crypto::sha256(certificate_pem + '\0' + key_pem);
  const std::string hash(crypto::bytes_of(digest));
  if (const auto found = by_hash_.find(hash); found != by_hash_.end()) {
    if (auto context = found->second.lock()) return context;
  }
  auto context = make_context(trusted_.get());
  TRY_STATUS(use_certificate(*context, certificate_pem, key_pem));
  std::erase_if(by_hash_, [](const auto& entry) { return entry.second.expired(); });
  by_hash_[hash] = context;
  return context;
}

SSL* make_client_ssl(SSL_CTX& context, const std::string& host) {
  SSL* ssl = SSL_new(&context);
  if (ssl == nullptr) return nullptr;
  if (net::IpAddress::parse(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, host.c_str());
  }
  return ssl;
}

std::string describe_tls_failure(SSL* ssl, const boost::system::error_code& ec) {
  const std::string prefix = "TLS: ";
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) {
    const char* text = describe_certificate(verified);
    return prefix + (text != nullptr ? text : X509_verify_cert_error_string(verified));
  }
  const bool is_ssl = ec.category() == boost::asio::error::get_ssl_category();
  const int reason = is_ssl ? ERR_GET_REASON(static_cast<unsigned long>(ec.value())) : 0;
  // Before TLS 1.3 a missing certificate is refused with alerts of many meanings, or a close.
  const char* text = SSL_get_ex_data(ssl, wanted_index()) != nullptr
                         ? "the receiver wants a client certificate"
                         : describe_alert(reason);
  if (text != nullptr) return prefix + text;
  if (!is_ssl) return prefix + "connection lost in the handshake: " + ec.message();
  return prefix + ec.message();
}

}  // namespace eventhorn::outbound
