// A self-signed certificate and its key in a directory of their own, for tests.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

namespace eventhorn::http::testing {

class TlsFiles {
 public:
  explicit TlsFiles(long serial) {
    std::string name = (std::filesystem::temp_directory_path() / "eventhorn-tls-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    write(serial);
  }

  ~TlsFiles() { std::filesystem::remove_all(directory_); }

  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  std::string cert() const { return directory_ / "cert.pem"; }

  std::string key() const { return directory_ / "key.pem"; }

  /// Replaces both by new ones.
  void write(long serial) const {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_pair(EVP_EC_gen("P-256"),
                                                                       EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> x509(X509_new(), X509_free);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
    X509_set_pubkey(x509.get(), key_pair.get());
    auto* name = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(x509.get(), name);
    X509_sign(x509.get(), key_pair.get(), EVP_sha256());
    const File cert_file(std::fopen(cert().c_str(), "w"), std::fclose);
    PEM_write_X509(cert_file.get(), x509.get());
    const File key_file(std::fopen(key().c_str(), "w"), std::fclose);
    PEM_write_PrivateKey(key_file.get(), key_pair.get(), nullptr, nullptr, 0, nullptr, nullptr);
  }

 private:
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

  std::filesystem::path directory_;
};

}  // namespace eventhorn::http::testing
