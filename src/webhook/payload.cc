#include "webhook/payload.h"

namespace eventhorn::webhook {

// Nothing is escaped: all parts are digits and hexadecimal digits of our own making.
std::string payload_prefix(const Signature& signature, std::string_view parent_signature) {
  std::string out;
  out.reserve(320);
  out.append(R"({"signature":{"timestamp":")").append(signature.timestamp);
  out.append(R"(","token":")").append(signature.token);
  out.append(R"(","signature":")").append(signature.signature);
  if (!parent_signature.empty()) {
    out.append(R"(","parent-signature":")").append(parent_signature);
  }
  out.append(R"("},"event-data":)");
  return out;
}

}  // namespace eventhorn::webhook
