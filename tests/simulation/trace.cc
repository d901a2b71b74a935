#include "simulation/trace.h"

#include <algorithm>

namespace eventhorn::simulation {

void Trace::add(std::string_view what, std::string_view detail) {
  if (ended_) return;
  auto& line = last_[lines_++ % kKept];
  line.step = step_;
  line.time = time_;
  line.text.assign(what);
  if (!detail.empty()) line.text.append(" ").append(detail);
  const int64_t time = time_.count();
  mix({reinterpret_cast<const char*>(&time), sizeof time});
  mix(line.text);
  if (print_ != nullptr) print(print_, line);
}

void Trace::mix(std::string_view bytes) {
  for (const char c : bytes) hash_ = (hash_ ^ static_cast<uint8_t>(c)) * 0x100000001b3;
}

void Trace::print(std::FILE* to, const Line& line) {
  const auto us = line.time.count();
  std::fprintf(to, "%8llu %10lld.%06lld  %s\n", static_cast<unsigned long long>(line.step),
               static_cast<long long>(us / 1'000'000), static_cast<long long>(us % 1'000'000),
               line.text.c_str());
}

void Trace::print_last(std::FILE* to) const {
  const uint64_t count = std::min<uint64_t>(lines_, kKept);
  for (uint64_t i = lines_ - count; i < lines_; ++i) print(to, last_[i % kKept]);
}

}  // namespace eventhorn::simulation
