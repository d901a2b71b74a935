#include "api/page_token.h"

#include "base/check.h"
#include "base/strings.h"

#include <utility>

namespace eventhorn::api {
namespace {

constexpr uint64_t kVersion = 1;
constexpr size_t kMacBytes = 16;
constexpr size_t kMaxCursorIdBytes = event::kMaxIdBytes;
constexpr size_t kMaxPayloadBytes = 1 + 1 + 2 + 16 + 8 + 1 + kMaxCursorIdBytes + kMaxTermsBytes;
constexpr size_t kMaxTokenBytes = ((kMaxPayloadBytes + kMacBytes) * 4 + 2) / 3;
constexpr std::string_view kLabel = "page token";

enum Flag : uint64_t { kAscending = 1, kForward = 2, kPretty = 4, kCursor = 8, kAllFlags = 15 };

void put(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

void put_text(std::string& out, std::string_view text, size_t length_bytes) {
  put(out, text.size(), length_bytes);
  out += text;
}

// Takes values off the front of `rest`. Beyond the end everything is zero and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view rest) : rest_(rest) {}

  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (const char c : text_of(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }

  std::string text(size_t length_bytes) { return std::string(text_of(number(length_bytes))); }

  bool ok() const { return ok_; }

  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view text_of(size_t bytes) {
    if (bytes > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto out = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return out;
  }

  std::string_view rest_;
  bool ok_ = true;
};

size_t size_of(const event::Filter::Terms& terms) {
  size_t bytes = 0;
  for (const auto& [field, expression] : terms) bytes += 1 + field.size() + 2 + expression.size();
  return bytes;
}

std::string sign(std::string_view payload, DomainUid domain, const crypto::HmacKey& key) {
  std::string uid;
  put(uid, domain.value, 8);
  const auto digest = key.sign({kLabel, uid, payload});
  return std::string(crypto::bytes_of(digest).substr(0, kMacBytes));
}

tl::unexpected<Error> refused() {
  return fail(Errc::kInvalidArgument, "Invalid page token");
}

std::optional<PageToken> parse_payload(std::string_view payload) {
  Reader in(payload);
  if (in.number(1) != kVersion) return std::nullopt;
  const uint64_t flags = in.number(1);
  PageToken page;
  page.range.ascending = (flags & kAscending) != 0;
  page.forward = (flags & kForward) != 0;
  page.pretty = (flags & kPretty) != 0;
  page.limit = static_cast<unsigned>(in.number(2));
  page.range.from_us = static_cast<int64_t>(in.number(8));
  page.range.to_us = static_cast<int64_t>(in.number(8));
  if ((flags & kCursor) != 0) {
    const auto timestamp = static_cast<int64_t>(in.number(8));
    page.cursor = store::PageCursor{timestamp, in.text(1)};
  }
  const auto& range = page.range;
  const bool range_ok =
      range.from_us >= 0 && range.from_us <= range.to_us && range.to_us <= kOpenEndUs;
  const bool cursor_ok =
      !page.cursor ||
      (page.cursor->timestamp_us >= range.from_us && page.cursor->timestamp_us < range.to_us &&
       !page.cursor->id.empty() && page.cursor->id.size() <= kMaxCursorIdBytes);
  if (!in.ok() || flags > kAllFlags || page.limit == 0 || page.limit > kMaxPageLimit || !range_ok ||
      !cursor_ok)
    return std::nullopt;
  while (!in.at_end()) {
    auto field = in.text(1);
    auto expression = in.text(2);
    page.terms.emplace_back(std::move(field), std::move(expression));
  }
  if (!in.ok() || size_of(page.terms) > kMaxTermsBytes) return std::nullopt;
  return page;
}

}  // namespace

Status check_terms_size(const event::Filter::Terms& terms) {
  if (size_of(terms) <= kMaxTermsBytes) return {};
  return fail(Errc::kInvalidArgument, "the filters must not be longer than " +
                                          std::to_string(kMaxTermsBytes) + " bytes together");
}

std::string seal_page_token(std::string payload, DomainUid domain, const crypto::HmacKey& key) {
  const auto mac = sign(payload, domain, key);
  return base64url_encode(payload + mac);
}

std::string encode_page_token(const PageToken& page, DomainUid domain, const crypto::HmacKey& key) {
  CHECK(page.limit > 0 && page.limit <= kMaxPageLimit && check_terms_size(page.terms));
  std::string out;
  put(out, kVersion, 1);
  put(out,
      (page.range.ascending ? kAscending : 0U) | (page.forward ? kForward : 0U) |
          (page.pretty ? kPretty : 0U) | (page.cursor ? kCursor : 0U),
      1);
  put(out, page.limit, 2);
  put(out, static_cast<uint64_t>(page.range.from_us), 8);
  put(out, static_cast<uint64_t>(page.range.to_us), 8);
  if (page.cursor) {
    CHECK(!page.cursor->id.empty() && page.cursor->id.size() <= kMaxCursorIdBytes);
    put(out, static_cast<uint64_t>(page.cursor->timestamp_us), 8);
    put_text(out, page.cursor->id, 1);
  }
  for (const auto& [field, expression] : page.terms) {
    put_text(out, field, 1);
    put_text(out, expression, 2);
  }
  return seal_page_token(std::move(out), domain, key);
}

Result<std::string> open_page_token(std::string_view token, DomainUid domain,
                                    const crypto::HmacKey& key) {
  if (token.size() > kMaxTokenBytes) return refused();
  auto bytes = base64url_decode(token);
  if (!bytes || bytes->size() < kMacBytes) return refused();
  const auto payload = std::string_view(*bytes).substr(0, bytes->size() - kMacBytes);
  const auto mac = std::string_view(*bytes).substr(payload.size());
  if (!crypto::constant_time_equal(mac, sign(payload, domain, key))) return refused();
  bytes->resize(payload.size());
  return *std::move(bytes);
}

Result<PageToken> decode_page_token(std::string_view token, DomainUid domain,
                                    const crypto::HmacKey& key) {
  TRY(const auto payload, open_page_token(token, domain, key));
  auto page = parse_payload(payload);
  if (!page) return refused();
  return *std::move(page);
}

}  // namespace eventhorn::api
