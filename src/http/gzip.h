// Decodes gzip request bodies as they arrive, within a cap on what comes out (reliability A8).
// Several members in a row are one body (RFC 1952 section 2.2); anything else after a member is an
// error. Not thread-safe.
#pragma once

#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace eventhorn::http {

class GzipDecoder {
 public:
  /// `max_inflated_bytes` bounds the whole decoded body, whatever the ratio.
  explicit GzipDecoder(size_t max_inflated_bytes);
  ~GzipDecoder();
  GzipDecoder(GzipDecoder&&) noexcept;
  GzipDecoder& operator=(GzipDecoder&&) noexcept;

  /// Appends what `compressed`, the next piece, decodes to, at most `room` bytes, and says how much
  /// of the piece was used. kTooLarge: there is more than the cap,
  /// and `out` has as much as that; kInvalidArgument: not gzip, or damaged. After an error the
  /// decoder is of no more use.
  Result<size_t> feed(std::string_view compressed, std::string& out, size_t room = SIZE_MAX);

  /// Whether the last feed ended for want of room. There may be more to come even if all of the
  /// piece was used: feed what is left of it, or nothing.
  bool is_full() const;

  /// kInvalidArgument unless the input ended with a whole member.
  Status finish() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::http
