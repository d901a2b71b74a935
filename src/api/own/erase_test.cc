#include "api/own/own_test_support.h"
#include "async/task_group.h"

#include <boost/asio/post.hpp>

#include <future>
#include <thread>

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kDana = "/eventhorn/v1/example.org/recipients/dana%40inbox.example";

// An API whose erasures are worked on.
struct EraseApi : OwnApi {
  EraseApi() {
    const asio::any_io_executor executor = cores.at(0).get_executor();
    std::promise<void> begun;
    asio::post(executor, [&] {
      group.emplace(executor, clock);
      group->spawn("erasures", erasures.run(executor));
      begun.set_value();
    });
    begun.get_future().wait();
  }

  ~EraseApi() {
    block_on(cores.at(0).get_executor(), end());
    erasure_pool.join();
  }

  Task<void> end() {
    group->cancel();
    co_await group->join(Deadline::max());
    group.reset();
  }

  // Ingests as clients do; the answer.
  std::string ingest(const std::string& events) {
    auto request = TestApi::request("POST", "/v3/example.org/events");
    request.fields.add("Content-Type", "application/json");
    request.body = events;
    return begin(std::move(request)).get().body;
  }

  std::string event_of(const std::string& id, const std::string& recipient,
                       const std::string& more = "", int64_t ago = 10) const {
    return R"({"event":"delivered","id":")" + id + R"(","recipient":")" + recipient +
           R"(","timestamp":)" + std::to_string(to_micros(clock.now()) / 1'000'000 - ago) + ".5" +
           more + "}";
  }

  // Until it is done; its answer.
  std::string erase_dana() {
    EXPECT_EQ(send("DELETE", kDana).status, 202);
    for (;;) {
      const auto answer = send("GET", kDana);
      if (answer.status != 202) return answer.body;
      std::this_thread::yield();
    }
  }

  Texts ids(const std::string& query) {
    return column(ok("GET", "/v3/example.org/events?ascending=yes&begin=0&" + query), "id");
  }

  std::optional<TaskGroup> group;
};

TEST(Erase, TheRecipientsEventsGoAndTheAddressGoesFromOthers) {
  EraseApi api;
  api.ingest("[" + api.event_of("a", "dana@inbox.example") + "," +
             api.event_of("b", "Dana@Inbox.Example", R"(,"tags":["x"])") + "," +
             api.event_of("c", "a@b.c", R"(,"user-variables":{"cc":"dana@inbox.example"})") + "," +
             api.event_of("d", "jordana@inbox.example") + "]");
  EXPECT_THAT(api.ids("recipient=dana@inbox.example"), ElementsAre("a", "b"));
  const auto done = parsed(api.erase_dana());
  EXPECT_EQ(text_at(done, "state"), "done");
  EXPECT_EQ(done.find("removed")->as_int(), 2);
  EXPECT_EQ(done.find("redacted")->as_int(), 1);
  EXPECT_THAT(api.ids(""), ElementsAre("c", "d"));
  EXPECT_THAT(api.ids("recipient=dana@inbox.example"), IsEmpty());
  EXPECT_THAT(api.ids("tags=x"), IsEmpty());
  const auto all = api.ok("GET", "/v3/example.org/events?pretty=no");
  EXPECT_THAT(all, Not(HasSubstr("\"dana@")));
  EXPECT_THAT(all, HasSubstr(R"("cc":"erased@erased.invalid")"));
  EXPECT_THAT(column(api.ok("GET", "/eventhorn/v1/example.org/events?after=0"), "id"),
              ElementsAre("c", "d"));
}

TEST(Erase, ItemsThatAreNotLaterAreRefused) {
  EraseApi api;
  api.erase_dana();
  const auto refused = api.ingest(api.event_of("old", "dana@inbox.example"));
  EXPECT_THAT(refused, HasSubstr("an address of this event was erased at"));
  EXPECT_THAT(refused, HasSubstr(R"("stored":0)"));
  EXPECT_THAT(api.ingest(api.event_of("mention", "a@b.c", R"(,"x":"dana@inbox.example")")),
              HasSubstr(R"("stored":0)"));
  EXPECT_THAT(api.ingest(api.event_of("other", "a@b.c")), HasSubstr(R"("stored":1)"));
  EXPECT_THAT(api.ingest(api.event_of("new", "dana@inbox.example", "", -10)),
              HasSubstr(R"("stored":1)"));
  EXPECT_THAT(api.ids("recipient=dana@inbox.example&end=4000000000"), ElementsAre("new"));
}

TEST(Erase, AnIdThatHasTheAddressGoes) {
  EraseApi api;
  api.ingest(api.event_of("m/dana@inbox.example", "a@b.c"));
  api.erase_dana();
  const auto ids = api.ids("");
  ASSERT_EQ(ids.size(), 1U);
  EXPECT_THAT(ids[0], ::testing::StartsWith("erased-"));
  EXPECT_EQ(expect(api.store->find_events(api.uid(), {"m/dana@inbox.example"})).front(),
            kNoPosition);
  EXPECT_NE(expect(api.store->find_events(api.uid(), {ids[0]})).front(), kNoPosition);
}

TEST(Erase, RefusesWhatIsNoAddress) {
  OwnApi api;
  EXPECT_EQ(api.send("DELETE", "/eventhorn/v1/example.org/recipients/dana").status, 400);
  EXPECT_EQ(api.send("DELETE", "/eventhorn/v1/none.org/recipients/a%40b.c").status, 404);
  EXPECT_EQ(api.ask("GET", kDana), message(404, "address: was not erased"));
}

}  // namespace
}  // namespace eventhorn::api::testing
