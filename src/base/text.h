// Text in any script, as people compare it: without regard to case, and by words. ICU stays behind
// this header. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace eventhorn {

/// `text` with full case folding, in Unicode's form NFC: texts that differ only in case, or in how
/// accents are encoded, become the same bytes. Folding again changes nothing. Bytes that are not
/// UTF-8 stay as they are, and belong to no word.
std::string fold_text(std::string_view text);

/// The words of a folded text, each between two zero bytes: "\0spring\0sale\0"; empty when there
/// are none. So one text holds the words of another, following each other, exactly when its joined
/// words hold the other's (see contains()).
///
/// Words are those of UAX 29, cut further at every character that is neither letter, digit nor a
/// mark on one of these: "example.com" is two words. As UAX 29 has no words for Han, Hiragana and
/// the scripts of South East Asia, each of their letters is a word.
std::string join_words(std::string_view folded);

/// Calls `each(word)` for the words of join_words(), in order.
template <class F>
void for_each_word(std::string_view words, F each) {
  while (words.size() > 1) {
    words.remove_prefix(1);
    const auto end = words.find('\0');
    each(words.substr(0, end));
    words.remove_prefix(end);
  }
}

/// The version of Unicode's tables that both go by, 1 to 255: with another one texts may fold, and
/// fall into words, in another way.
uint8_t unicode_version();

/// Whether `part` is in `text`, in time linear in both, whatever they are.
bool contains(std::string_view text, std::string_view part);

}  // namespace eventhorn
