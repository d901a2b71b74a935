// The server's certificate and key, read again when a file changes.
#pragma once

#include "base/result.h"
#include "base/time.h"

#include <memory>
#include <string>

struct ssl_ctx_st;  // SSL_CTX

namespace eventhorn::http {

/// Lives on one thread, the acceptor's.
class TlsContext {
 public:
  /// Reads a PEM certificate chain and its PEM private key (not encrypted). kInvalidArgument names
  /// the path when a file can't be read or is of no use, or the two do not belong together. `clock`
  /// must outlive the context.
  static Result<std::shared_ptr<TlsContext>> load(std::string cert_path, std::string key_path,
                                                  const Clock& clock);

  /// What the next connection is to use: TLS 1.2 and up. Looks at the files at most once a second.
  /// When they have changed for the worse it keeps the old ones and logs why, once per change.
  std::shared_ptr<ssl_ctx_st> current();

 private:
  TlsContext(std::string cert_path, std::string key_path, const Clock& clock);
  std::string stamp() const;

  const std::string cert_path_;
  const std::string key_path_;
  const Clock& clock_;
  SteadyTime next_look_;
  std::string stamp_;  // of the files that were tried last
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace eventhorn::http
