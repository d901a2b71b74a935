#include "event/edits.h"

#include <algorithm>

namespace eventhorn::event {

void Edits::reset(std::string_view text) {
  text_ = text;
  edits_.clear();
  replacements_.clear();
}

void Edits::replace(std::string_view part, std::string_view by) {
  const auto offset = static_cast<size_t>(part.data() - text_.data());
  edits_.push_back({offset, part.size(), replacements_.size(), by.size()});
  replacements_ += by;
}

std::string Edits::apply() {
  std::sort(edits_.begin(), edits_.end(),
            [](const Edit& a, const Edit& b) { return a.offset < b.offset; });
  std::string out;
  out.reserve(text_.size() + replacements_.size());
  size_t copied = 0;
  for (const Edit& edit : edits_) {
    out.append(text_, copied, edit.offset - copied);
    out.append(replacements_, edit.by_offset, edit.by_size);
    copied = edit.offset + edit.size;
  }
  out.append(text_, copied);
  return out;
}

}  // namespace eventhorn::event
