// Reads a file, or stdin, piece by piece; gzip and zstd are seen by their first bytes and
// decompressed.
#pragma once

#include "base/result.h"

#include <memory>
#include <optional>
#include <string>

namespace eventhorn::client {

class Input {
 public:
  /// "-" is stdin. kNotFound, naming it, for a file that cannot be opened.
  static Result<Input> open(const std::string& path);
  Input(Input&&) noexcept;
  Input& operator=(Input&&) noexcept;
  ~Input();

  /// The next piece, of some 100 KB; nullopt at the end. kCorruption for what cannot be
  /// decompressed, also where the end is missing.
  Result<std::optional<std::string>> read();

  /// How much of the file was read, in percent; nullopt where its size is not known.
  std::optional<int> percent() const;

 private:
  struct Impl;
  explicit Input(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::client
