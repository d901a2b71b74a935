#include "http/tls_context.h"

#include "http/tls_files_test_support.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <fstream>

namespace eventhorn::http {
namespace {

using namespace std::chrono_literals;
using testing::TlsFiles;

long serial(TlsContext& tls) {
  return ASN1_INTEGER_get(X509_get0_serialNumber(SSL_CTX_get0_certificate(tls.current().get())));
}

TEST(TlsContext, ReadsChangedFilesAtMostOnceASecond) {
  FakeClock clock;
  const TlsFiles files(1);
  auto tls = TlsContext::load(files.cert(), files.key(), clock);
  ASSERT_TRUE(tls) << tls.error().message;
  EXPECT_EQ(serial(**tls), 1);
  files.write(2);
  clock.advance(999ms);
  EXPECT_EQ(serial(**tls), 1);
  clock.advance(1ms);
  EXPECT_EQ(serial(**tls), 2);
}

TEST(TlsContext, KeepsTheOldOnesWhenTheNewAreBad) {
  FakeClock clock;
  const TlsFiles files(1);
  auto tls = TlsContext::load(files.cert(), files.key(), clock);
  ASSERT_TRUE(tls);
  std::ofstream(files.cert()) << "no certificate";
  clock.advance(1s);
  EXPECT_EQ(serial(**tls), 1);
  std::filesystem::remove(files.cert());
  clock.advance(1s);
  EXPECT_EQ(serial(**tls), 1);
  files.write(3);
  clock.advance(1s);
  EXPECT_EQ(serial(**tls), 3);
}

TEST(TlsContext, SaysWhichFileIsBad) {
  const FakeClock clock;
  const TlsFiles files(1);
  const TlsFiles others(2);
  const auto message = [&](const std::string& cert, const std::string& key) {
    const auto tls = TlsContext::load(cert, key, clock);
    return tls ? std::string() : tls.error().message;
  };
  EXPECT_EQ(message(files.cert() + ".missing", files.key())
                .find("server.tls_cert " + files.cert() + ".missing: "),
            0U);
  EXPECT_EQ(message(files.cert(), files.cert()).find("server.tls_key " + files.cert() + ": "), 0U);
  EXPECT_NE(message(files.cert(), others.key()).find("key values mismatch"), std::string::npos);
}

}  // namespace
}  // namespace eventhorn::http
