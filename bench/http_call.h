// One HTTP request after the other on a keep-alive connection of this machine, each awaited.
#pragma once

#include "net.h"

#include <string>
#include <string_view>

namespace eventhorn::bench {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

/// One thread at a time. Connects at the first call.
class HttpCaller {
 public:
  explicit HttpCaller(const Address& address) : address_(address) {}

  /// Sends the bytes of a whole request and awaits its answer; 429 is obeyed and the request sent
  /// again. kTimeout for an answer of 503, and for one of 400 that says "too wide" or "narrow": the
  /// server gave up a search. kInternal for any other status than 200; kUnavailable when the
  /// connection breaks.
  Result<HttpAnswer> call(std::string_view request);

 private:
  Result<HttpAnswer> exchange(std::string_view request);
  Status send(std::string_view bytes);
  /// More of the answer, behind what there is.
  Status receive();

  std::string_view received() const { return {buffer_.data(), used_}; }

  Address address_;
  Fd fd_;
  std::string buffer_;
  size_t used_ = 0;  // bytes of buffer_ that are of this answer
};

}  // namespace eventhorn::bench
