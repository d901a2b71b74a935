#include "base/text.h"

#include "base/check.h"
#include "base/strings.h"

#include <cstdint>
#include <cstring>
#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace eventhorn {
namespace {

// What a character is to the words around it. Of the rules of UAX 29 only these matter where words
// also end at every other character.
enum class Part : uint8_t {
  kOther,     // between words
  kMark,      // belongs to the letter or digit before it (WB4)
  kJoining,   // letters and digits make words together (WB5, WB8 to WB10)
  kKatakana,  // makes words among itself (WB13)
  kAlone,     // a word by itself
};

bool is_ascii(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & kHighBits) != 0) return false;
  }
  for (; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) return false;
  }
  return true;
}

bool is_ascii_alnum(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Part part_of(UChar32 c) {
  if (c < 0x80)
    return is_ascii_alnum(static_cast<unsigned char>(c)) ? Part::kJoining : Part::kOther;
  const uint32_t category = U_GET_GC_MASK(c);
  if ((category & U_GC_M_MASK) != 0) return Part::kMark;
  if ((category & U_GC_ND_MASK) != 0) return Part::kJoining;
  if ((category & U_GC_L_MASK) == 0) return Part::kOther;
  switch (u_getIntPropertyValue(c, UCHAR_WORD_BREAK)) {
    case U_WB_ALETTER:
    case U_WB_HEBREW_LETTER:
      return Part::kJoining;
    case U_WB_KATAKANA:
      return Part::kKatakana;
    case U_WB_EXTEND:
      return Part::kMark;
    default:
      return Part::kAlone;
  }
}

// Marks in a row beyond which a run is broken up (UAX 15, "Stream-Safe Text Format").
constexpr int kMaxMarks = 30;

// Breaks up long runs of combining marks, because normalising puts a run in order, in quadratic
// time.
std::string stream_safe(std::string_view text) {
  constexpr std::string_view kGraphemeJoiner = "\u034f";
  std::string out;
  int32_t copied = 0;
  int marks = 0;
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    const int32_t begin = i;
    UChar32 c = 0;
    U8_NEXT_OR_FFFD(text.data(), i, size, c);
    marks = u_getCombiningClass(c) == 0 ? 0 : marks + 1;
    if (marks <= kMaxMarks) continue;
    out.append(text, static_cast<size_t>(copied), static_cast<size_t>(begin - copied));
    out += kGraphemeJoiner;
    copied = begin;
    marks = 1;
  }
  return out.append(text, static_cast<size_t>(copied));
}

std::string fold_unicode(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  const auto piece = [](std::string_view s) {
    return icu::StringPiece(s.data(), static_cast<int32_t>(s.size()));
  };
  std::string composed;
  std::string folded;
  std::string out;
  icu::StringByteSink<std::string> composed_sink(&composed);
  icu::StringByteSink<std::string> folded_sink(&folded);
  icu::StringByteSink<std::string> out_sink(&out);
  const std::string safe = stream_safe(text);
  nfc->normalizeUTF8(0, piece(safe), composed_sink, nullptr, status);
  icu::CaseMap::utf8Fold(0, piece(composed), folded_sink, nullptr, status);
  // Folding takes some characters apart.
  nfc->normalizeUTF8(0, piece(folded), out_sink, nullptr, status);
  CHECK(U_SUCCESS(status));
  return out;
}

}  // namespace

std::string fold_text(std::string_view text) {
  return is_ascii(text) ? to_lower(text) : fold_unicode(text);
}

std::string join_words(std::string_view folded) {
  CHECK(folded.size() < INT32_MAX);
  const auto size = static_cast<int32_t>(folded.size());
  std::string out;
  Part word = Part::kOther;  // what the word under way is made of
  int32_t word_begin = 0;
  const auto end_word = [&](int32_t end) {
    if (word == Part::kOther) return;
    out.push_back('\0');
    out.append(
        folded.substr(static_cast<size_t>(word_begin), static_cast<size_t>(end - word_begin)));
  };
  for (int32_t i = 0; i < size;) {
    const int32_t begin = i;
    UChar32 c = 0;
    U8_NEXT_OR_FFFD(folded.data(), i, size, c);
    const Part part = part_of(c);
    if (part == Part::kMark || (part == word && part != Part::kAlone)) continue;
    end_word(begin);
    word = part;
    word_begin = begin;
  }
  end_word(size);
  if (!out.empty()) out.push_back('\0');
  return out;
}

uint8_t unicode_version() {
  UVersionInfo version{};
  u_getUnicodeVersion(version);
  return version[0];
}

bool contains(std::string_view text, std::string_view part) {
  // Two-way search; std::string_view::find() looks at every place anew.
  return part.empty() || ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

}  // namespace eventhorn
