// Ingest bodies. Never a crash; what is taken is valid JSON, is small, and is taken again with the
// same bytes, also when somebody has indented it; what is refused is refused in one line.
#include "base/check.h"
#include "event/normalize.h"
#include "json/reader.h"
#include "json/split.h"
#include "json/writer.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace eventhorn;

constexpr size_t kMaxItemBytes = 1 << 16;
// Added fields, and a number such as 1e15 written out for each integer field.
constexpr size_t kMaxGrowth = 8;

event::NormalizeContext context_with(size_t max_item_bytes) {
  return {"mg.example.com", "5f1c9a2be77d4a0c31b8e6d2", from_micros(1'773'222'400'123'456),
          from_micros(1'773'222'700'123'456), max_item_bytes};
}

void check_item(event::Normalizer& normalizer, std::string_view item) {
  event::peek_id(item);
  const auto event = normalizer.normalize(item, context_with(kMaxItemBytes));
  if (!event) {
    const std::string& message = event.error().message;
    CHECK(!message.empty() && message.size() < 500);
    CHECK(message.find_first_of("\r\n") == std::string::npos);
    return;
  }
  CHECK(!event->id.empty() && event->id.size() <= event::kMaxIdBytes);
  const int64_t fraction = event->timestamp_us % 1'000'000;
  CHECK(fraction > 50 && fraction < 999'950);
  CHECK(event->bytes.size() <= 512 + kMaxGrowth * item.size());
  const auto value = json::parse(event->bytes);
  CHECK(value && *value->find("id")->as_string() == event->id);
  CHECK(*value->find("event")->as_string() == to_string(event->name));
  for (const std::string& text : {event->bytes, json::pretty(event->bytes)}) {
    const auto again = normalizer.normalize(text, context_with(SIZE_MAX));
    CHECK(again && again->bytes == event->bytes && again->id == event->id);
    CHECK(again->timestamp_us == event->timestamp_us && again->order_key == event->order_key);
    CHECK(again->name == event->name && again->severity == event->severity);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  event::Normalizer normalizer([] { return std::string("Zm9vYmFyYmF6cXV4MDEyMw"); });
  for (const bool ndjson : {false, true}) {
    const auto items = json::split_items(body, ndjson, 100);
    if (!items) continue;
    CHECK(items->size() <= 100);
    for (const std::string_view item : *items) {
      CHECK(item.empty() ||
            (item.data() >= body.data() && item.data() + item.size() <= body.data() + body.size()));
      check_item(normalizer, item);
    }
  }
  return 0;
}
