// Who the receiver is: certificates, and the words for what is wrong with them.
#include "outbound/tls.h"

#include "http/tls_files_test_support.h"
#include "outbound/client_test_support.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace eventhorn::outbound {
namespace {

using http::testing::TlsFiles;
using ::testing::HasSubstr;
using testing::kOk;
using testing::Peer;
using testing::ScriptedReceiver;
using webhook::FailureKind;

testing::TlsSetup certificate_of(const TlsFiles& files) {
  return [&files](SSL_CTX* context) {
    SSL_CTX_use_certificate_chain_file(context, files.cert().c_str());
    SSL_CTX_use_PrivateKey_file(context, files.key().c_str(), SSL_FILETYPE_PEM);
  };
}

void serve(Peer& peer, int) {
  peer.serve(kOk);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Trusts the certificate of `files` alone, which is for "localhost".
class ClientTlsTest : public testing::ClientFixture {
 protected:
  ClientTlsTest() { ::setenv("SSL_CERT_FILE", files.cert().c_str(), 1); }

  ~ClientTlsTest() override { ::unsetenv("SSL_CERT_FILE"); }

  const TlsFiles files{1};
};

// R20: certificates are verified, names too; a good one works and its connection is kept.
TEST_F(ClientTlsTest, R20CertificatesAreVerified) {
  ScriptedReceiver receiver(serve, {.tls = certificate_of(files)});
  const auto first = post(receiver.url("localhost"));
  EXPECT_EQ(first.result.status, 200);
  EXPECT_GT(first.result.phases.tls.count(), 0);
  EXPECT_GT(first.result.phases.connect.count(), 0);
  EXPECT_EQ(post(receiver.url("localhost")).result.status, 200);
  EXPECT_EQ(receiver.connections(), 1);
  forget();
  const auto wrong_name = post(receiver.url("127.0.0.1"));
  EXPECT_EQ(wrong_name.result.kind, FailureKind::kTls);
  EXPECT_EQ(wrong_name.result.error, "TLS: the certificate is for another host");
  EXPECT_GT(wrong_name.result.phases.tls.count(), 0) << "the time of what failed, too";
  EXPECT_EQ(wrong_name.result.phases.exchange.count(), 0);
  const TlsFiles others(2);
  ScriptedReceiver stranger(serve, {.tls = certificate_of(others)});
  const auto unknown = post(stranger.url("localhost"));
  EXPECT_EQ(unknown.result.kind, FailureKind::kTls);
  EXPECT_EQ(unknown.result.error, "TLS: the certificate is self-signed");
}

// R20: each flaw of the handshake has words of its own.
TEST_F(ClientTlsTest, R20FlawsAreNamed) {
  const auto error_with = [&](const std::function<void(SSL_CTX*)>& flaw) {
    ScriptedReceiver receiver(serve, {.tls = [&](SSL_CTX* context) {
                                certificate_of(files)(context);
                                flaw(context);
                              }});
    const auto reply = post(receiver.url("localhost"));
    forget();
    EXPECT_EQ(reply.result.kind, FailureKind::kTls);
    return reply.result.error;
  };
  EXPECT_EQ(error_with([](SSL_CTX* context) {
              SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
              SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
              SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
            }),
            "TLS: the receiver has no protocol version of 1.2 or later");
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto error = error_with([version](SSL_CTX* context) {
      SSL_CTX_set_max_proto_version(context, version);
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    });
    if (version == TLS1_2_VERSION) {
      EXPECT_EQ(error, "TLS: the receiver wants a client certificate");
    }
  }
  ScriptedReceiver plain([](Peer& peer, int) { peer.send("220 mail.example ESMTP\r\n"); });
  auto url = plain.url("localhost");
  url.replace(0, 4, "https");
  EXPECT_EQ(post(url).result.error, "TLS: the receiver does not speak TLS");
}

// A client certificate is sent to the target it is set for; a pair that does not fit is refused.
TEST_F(ClientTlsTest, ClientCertificate) {
  const auto pem = read_file(files.cert());
  const auto key = read_file(files.key());
  ScriptedReceiver receiver(
      [](Peer& peer, int) {
        const bool known = SSL_get0_peer_certificate(peer.ssl()) != nullptr;
        peer.serve(known ? kOk : "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
      },
      {.tls = [&](SSL_CTX* context) {
        certificate_of(files)(context);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
      }});
  make_client();
  auto with =
      open(receiver.url("localhost"), {.client_certificate_pem = pem, .client_key_pem = key});
  const auto sent = post_to(with);
  EXPECT_EQ(sent.result.status, 200) << sent.result.error;
  close(std::move(with));
  EXPECT_EQ(post(receiver.url("localhost")).result.status, 403)
      << "a connection of another certificate must not be shared";
  forget();

  EXPECT_TRUE(check_client_certificate("", ""));
  EXPECT_TRUE(check_client_certificate(pem, key));
  const TlsFiles others(2);
  EXPECT_THAT(check_client_certificate(pem, read_file(others.key())).error().message,
              HasSubstr("client key: does not belong to the client certificate"));
  EXPECT_THAT(check_client_certificate("x", key).error().message,
              HasSubstr("client certificate: must be a certificate in PEM"));
}

}  // namespace
}  // namespace eventhorn::outbound
