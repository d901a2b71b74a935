#include "event/normalize.h"

#include <gtest/gtest.h>

namespace eventhorn::event {
namespace {

constexpr int64_t kNow = 1'773'222'400'000'000;

Result<Event> normalize(std::string_view item) {
  Normalizer normalizer([] { return std::string("Zm9vYmFyYmF6cXV4MDEyMw"); });
  const NormalizeContext context{"mg.example.com", "5f1c9a2be77d4a0c31b8e6d2", from_micros(kNow), 10'000};
  return normalizer.normalize(item, context);
}

TEST(Normalize, CompletesAnEvent) {
  const auto event = normalize(
      R"( {"event" : "opened", "id":"a", "timestamp":1773222312.5, "recipient":"A@b.example"} )");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->bytes,
            R"({"event":"opened","id":"a","timestamp":1773222312.500000,"recipient":"A@b.example",)"
            R"("log-level":"info","account":{"id":"5f1c9a2be77d4a0c31b8e6d2"},)"
            R"("domain":{"name":"mg.example.com"},"tags":[],"campaigns":[],"user-variables":{}})");
  EXPECT_EQ(event->id, "a");
  EXPECT_EQ(event->name, Name::kOpened);
  EXPECT_EQ(event->timestamp_us, 1'773'222'312'500'000);
}

TEST(PeekId, ReadsTheIdOfABrokenItem) {
  EXPECT_EQ(peek_id(R"({"event":"nonsense","id":"a\u0042c","x":NaN})"), "aBc");
  EXPECT_EQ(peek_id(R"({"message":{"id":"inner"},"id":"outer"})"), "outer");
}

TEST(PeekId, GivesNothingThatCannotBeTrusted) {
  for (const char* item : {"", "[]", "{}", "{\"x\":NaN,\"id\":\"a\"}", R"({"id":7})", R"({"id":""})",
                           R"({"id":"a\nb"})", "{\"id\":\"a", "\"id\""}) {
    EXPECT_EQ(peek_id(item), "") << item;
  }
}

}  // namespace
}  // namespace eventhorn::event
