// Content codings of what we send: compresses a body piece by piece. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace eventhorn::http {

enum class Coding { kIdentity, kGzip, kZstd };

/// As in Content-Encoding: "identity", "gzip", "zstd".
std::string_view to_string(Coding coding);

/// The coding that a client likes best of those we have, by its Accept-Encoding (RFC 9110 section
/// 12.5.3); of several that it likes as much zstd, then gzip. What it does not name it does not
/// get, whatever it says of `*`.
Coding choose_coding(std::string_view accept_encoding);

class Encoder {
 public:
  explicit Encoder(Coding coding);
  ~Encoder();
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;

  /// The next piece, encoded. What came up to here can be decoded to the last byte of `plain`.
  std::string encode(std::string_view plain);

  /// The end of the body. Nothing is called after it.
  std::string finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::http
