#include "api/api_test_support.h"

#include <gtest/gtest.h>

#include <chrono>

namespace eventhorn::api {
namespace {

using testing::message;
using testing::parsed;
using testing::TestApi;
using testing::TestOptions;
using testing::text_at;

constexpr const char* kList = "/eventhorn/v1/notices";
constexpr const char* kStream = "/eventhorn/v1/notices/stream";

void post(TestApi& api, const std::string& url) {
  control::Notice notice;
  notice.kind = control::NoticeKind::kParked;
  notice.at = api.clock.now();
  notice.url = url;
  api.notices.post(std::move(notice));
}

std::string id_at(const TestApi& api, uint64_t back) {
  return std::to_string(api.notices.last_id() - back);
}

// An open stream, read a piece at a time.
class Stream {
 public:
  Stream(TestApi& api, http::Request request) : api_(api), response_(api.send(std::move(request))) {
    if (response_.stream) EXPECT_EQ(next(), ":\n\n");
  }

  ~Stream() {
    // On its core, as the server does it.
    std::promise<void> gone;
    asio::post(api_.cores.at(0), [&] {
      response_.stream = nullptr;
      gone.set_value();
    });
    gone.get_future().wait();
  }

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const http::Response& response() const { return response_; }

  std::future<std::optional<std::string>> begin_next() {
    return asio::co_spawn(api_.cores.at(0), response_.stream(), asio::use_future);
  }

  std::string next() { return begin_next().get().value_or("end"); }

 private:
  TestApi& api_;
  http::Response response_;
};

TEST(Notices, NeedTheKey) {
  TestApi api;
  for (const char* path : {kList, kStream}) {
    auto request = TestApi::request("GET", path);
    request.fields = {};
    EXPECT_EQ(api.ask(std::move(request)), "401 Forbidden");
  }
}

TEST(Notices, ListsTheNewestInOrder) {
  TestApi api;
  EXPECT_EQ(api.ask("GET", kList), "200 {\"items\":[]}\n");
  for (const char* url : {"http://a/", "http://b/", "http://c/"}) post(api, url);
  const auto line = [&](uint64_t back, const std::string& url) {
    return R"({"id":)" + id_at(api, back) +
           R"(,"kind":"endpoint.parked","at":"2026-03-11T09:00:03.000Z","url":")" + url + "\"}";
  };
  EXPECT_EQ(api.ask("GET", std::string(kList) + "?limit=2"),
            "200 {\"items\":[" + line(1, "http://b/") + "," + line(0, "http://c/") + "]}\n");
  EXPECT_EQ(api.ask("GET", kList + std::string("?limit=1&after=") + id_at(api, 2)),
            "200 {\"items\":[" + line(1, "http://b/") + "]}\n");
}

TEST(Notices, RefuseBadParameters) {
  TestApi api;
  for (const char* limit : {"0", "1001", "-1", "x", ""}) {
    EXPECT_EQ(api.ask("GET", std::string(kList) + "?limit=" + limit),
              message(400, "limit: must be a number from 1 to 1000"));
  }
  for (const char* path : {kList, kStream}) {
    EXPECT_EQ(api.ask("GET", std::string(path) + "?after=x"),
              message(400, "after: must be the id of a notice"));
  }
  auto request = TestApi::request("GET", kStream);
  request.fields.add("Last-Event-ID", "x");
  EXPECT_EQ(api.ask(std::move(request)), message(400, "Last-Event-ID: must be the id of a notice"));
}

TEST(NoticeStream, GivesWhatIsPostedFromNowOn) {
  TestApi api;
  post(api, "http://old/");
  Stream stream(api, TestApi::request("GET", kStream));
  EXPECT_EQ(stream.response().fields.get("Content-Type"), "text/event-stream");
  auto next = stream.begin_next();
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  post(api, "http://new/");  // from a thread that is not the stream's
  EXPECT_EQ(next.get(), "id: " + id_at(api, 0) +
                            "\nevent: endpoint.parked\ndata: {\"id\":" + id_at(api, 0) +
                            ",\"kind\":\"endpoint.parked\",\"at\":\"2026-03-11T09:00:03.000Z\","
                            "\"url\":\"http://new/\"}\n\n");
  post(api, "http://third/");
  EXPECT_NE(stream.next().find("http://third/"), std::string::npos);
}

TEST(NoticeStream, ResumesWhereTheClientWas) {
  TestApi api;
  for (const char* url : {"http://a/", "http://b/", "http://c/"}) post(api, url);
  auto request = TestApi::request("GET", kStream + std::string("?after=") + id_at(api, 2));
  {
    Stream stream(api, request);
    const auto piece = stream.next();
    EXPECT_EQ(piece.find("http://a/"), std::string::npos);
    EXPECT_LT(piece.find("http://b/"), piece.find("http://c/"));
  }
  request.fields.add("Last-Event-ID", id_at(api, 1));  // wins
  Stream stream(api, request);
  EXPECT_EQ(stream.next().find("id: " + id_at(api, 0) + "\n"), 0U);
}

// An id from before a restart: all that is kept comes, and what follows.
TEST(NoticeStream, ResumesFromAnIdOfAnotherProcess) {
  TestApi api;
  auto request = TestApi::request("GET", kStream);
  request.fields.add("Last-Event-ID", "5");
  Stream stream(api, request);
  auto next = stream.begin_next();
  post(api, "http://a/");
  EXPECT_NE(next.get().value_or("end").find("http://a/"), std::string::npos);
  post(api, "http://b/");
  EXPECT_NE(stream.next().find("http://b/"), std::string::npos);
}

TEST(NoticeStream, SaysNowAndThenThatItIsThere) {
  TestOptions options;
  options.api.heartbeat = std::chrono::milliseconds(5);
  TestApi api(options);
  Stream stream(api, TestApi::request("GET", kStream));
  EXPECT_EQ(stream.next(), ":\n\n");
  EXPECT_EQ(stream.next(), ":\n\n");
}

TEST(NoticeStream, EndsForAClientThatTheBoardHasOverrun) {
  TestApi api;
  Stream stream(api, TestApi::request("GET", kStream));
  for (size_t i = 0; i < control::NoticeBoard::kKeep; ++i) post(api, "http://a/");
  EXPECT_NE(stream.next(), "end");
  for (size_t i = 0; i < control::NoticeBoard::kKeep; ++i) post(api, "http://a/");
  EXPECT_EQ(stream.next(), "end");
}

TEST(NoticeStream, PiecesAreBounded) {
  TestApi api;
  for (size_t i = 0; i < control::NoticeBoard::kKeep; ++i)
    post(api, "http://a/" + std::string(2000, 'x'));
  Stream stream(api, TestApi::request("GET", kStream + std::string("?after=0")));
  size_t pieces = 0;
  for (std::string piece; piece.find("id: " + id_at(api, 0)) == std::string::npos; ++pieces) {
    piece = stream.next();
    EXPECT_LT(piece.size(), size_t{256} * 1024);
  }
  EXPECT_GT(pieces, 1U);
}

}  // namespace
}  // namespace eventhorn::api
