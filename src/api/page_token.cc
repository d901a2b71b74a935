#include "api/page_token.h"

#include "api/sealed_token.h"
#include "base/check.h"

#include <utility>

namespace eventhorn::api {
namespace {

constexpr size_t kMaxCursorIdBytes = event::kMaxIdBytes;

enum Flag : uint64_t {
  kAscending = 1,
  kForward = 2,
  kPretty = 4,
  kCursor = 8,
  kPosition = 16,
  kAllFlags = 31,
};

size_t size_of(const event::Filter::Terms& terms) {
  size_t bytes = 0;
  for (const auto& [field, expression] : terms) bytes += 1 + field.size() + 2 + expression.size();
  return bytes;
}

std::optional<PageToken> parse_payload(std::string_view payload) {
  TokenReader in(payload);
  if (!in.is_of(TokenList::kEvents)) return std::nullopt;
  const uint64_t flags = in.number(1);
  PageToken page;
  page.range.ascending = (flags & kAscending) != 0;
  page.forward = (flags & kForward) != 0;
  page.pretty = (flags & kPretty) != 0;
  page.limit = static_cast<unsigned>(in.number(2));
  page.range.from_us = static_cast<int64_t>(in.number(8));
  page.range.to_us = static_cast<int64_t>(in.number(8));
  if ((flags & kCursor) != 0) {
    page.cursor = store::PageCursor{static_cast<int64_t>(in.number(8))};
    if ((flags & kPosition) != 0) {
      page.cursor->position = {in.number(8)};
    } else {
      page.cursor->id = in.text(1);
    }
  }
  const auto& range = page.range;
  const bool range_ok =
      range.from_us >= 0 && range.from_us <= range.to_us && range.to_us <= kOpenEndUs;
  const bool cursor_ok = !page.cursor || (page.cursor->timestamp_us >= range.from_us &&
                                          page.cursor->timestamp_us < range.to_us &&
                                          page.cursor->id.empty() == ((flags & kPosition) != 0) &&
                                          page.cursor->id.size() <= kMaxCursorIdBytes);
  const bool flags_ok = flags <= kAllFlags && (page.cursor || (flags & kPosition) == 0);
  if (!in.ok() || !flags_ok || page.limit == 0 || page.limit > kMaxPageLimit || !range_ok ||
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

std::string encode_page_token(const PageToken& page, DomainUid owner, const crypto::HmacKey& key) {
  CHECK(page.limit > 0 && page.limit <= kMaxPageLimit && check_terms_size(page.terms));
  std::string out;
  put_list(out, TokenList::kEvents);
  const bool by_position = page.cursor && page.cursor->id.empty();
  put_number(out,
             (page.range.ascending ? kAscending : 0U) | (page.forward ? kForward : 0U) |
                 (page.pretty ? kPretty : 0U) | (page.cursor ? kCursor : 0U) |
                 (by_position ? kPosition : 0U),
             1);
  put_number(out, page.limit, 2);
  put_number(out, static_cast<uint64_t>(page.range.from_us), 8);
  put_number(out, static_cast<uint64_t>(page.range.to_us), 8);
  if (page.cursor) {
    CHECK(page.cursor->id.size() <= kMaxCursorIdBytes);
    put_number(out, static_cast<uint64_t>(page.cursor->timestamp_us), 8);
    if (by_position) {
      put_number(out, page.cursor->position.value, 8);
    } else {
      put_text(out, page.cursor->id, 1);
    }
  }
  for (const auto& [field, expression] : page.terms) {
    put_text(out, field, 1);
    put_text(out, expression, 2);
  }
  return seal_token(std::move(out), owner, key);
}

Result<PageToken> decode_page_token(std::string_view token, DomainUid owner,
                                    const crypto::HmacKey& key) {
  TRY(const auto payload, open_token(token, owner, key));
  auto page = parse_payload(payload);
  if (!page) return refused_token();
  return *std::move(page);
}

}  // namespace eventhorn::api
