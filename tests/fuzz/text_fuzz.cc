// Any bytes as text. Folding is stable and grows a text no more than Unicode says; a text's words
// are its own, are found in it, and stay the same when other text surrounds it.
#include "base/check.h"
#include "base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace eventhorn;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string folded = fold_text(text);
  CHECK(fold_text(folded) == folded);
  CHECK(folded.size() <= 9 * size);
  const std::string words = join_words(folded);
  CHECK(words.size() <= 2 * folded.size() + 2);
  CHECK(words.empty() || (words.size() > 2 && words.front() == '\0' && words.back() == '\0'));
  CHECK(words.find(std::string_view("\0\0", 2)) == std::string::npos);
  std::string spaced = words;
  std::ranges::replace(spaced, '\0', ' ');
  CHECK(join_words(spaced) == words);
  CHECK(contains(join_words("before " + folded + " after"), words));
  CHECK(contains(folded, folded.substr(folded.size() / 3, folded.size() / 2)));
  return 0;
}
