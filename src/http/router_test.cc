#include "http/router.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

namespace eventhorn::http {
namespace {

Task<Reply> answer(RequestContext& context) {
  co_return text_response(200, context.request.method + " " + context.params.at("domain"));
}

Route row(std::string method, std::string pattern) {
  return {std::move(method), std::move(pattern), Access::kAnyone, kAnyBody, answer};
}

Router make_router() {
  Router router;
  router.add({row("GET", "/v3/{domain}/events"), row("POST", "/v3/{domain}/events"),
              row("GET", "/v3/{domain}/events/{token}"), row("*", "/bin/{id}/*rest"),
              row("*", "/bin/{id}")});
  router.add({row("GET", "/v3/domains"), row("GET", "/v3/domains/{name}"),
              row("PUT", "/v3/domains/{domain}/webhooks/{name}"), row("GET", "/v3/lists/{address}"),
              row("GET", "/")});
  return router;
}

// "pattern key=value", or the status and Allow.
std::string go(std::string_view method, std::string_view path,
               std::initializer_list<const char*> names = {}) {
  static const Router router = make_router();
  const auto found = router.match(method, path);
  if (found.status != 200) return std::to_string(found.status) + found.allow;
  std::string out = found.route->pattern;
  for (const char* name : names) out += std::string(" ") + name + "=" + found.params.at(name);
  return out;
}

TEST(Router, TakesParameters) {
  EXPECT_EQ(go("GET", "/v3/example.com/events", {"domain"}),
            "/v3/{domain}/events domain=example.com");
  EXPECT_EQ(go("GET", "/v3/example.com/events/abc", {"domain", "token"}),
            "/v3/{domain}/events/{token} domain=example.com token=abc");
  EXPECT_EQ(go("GET", "/"), "/");
}

TEST(Router, LiteralsWin) {
  EXPECT_EQ(go("GET", "/v3/domains/events", {"name"}), "/v3/domains/{name} name=events");
  EXPECT_EQ(go("PUT", "/v3/domains/d/webhooks/opened", {"domain", "name"}),
            "/v3/domains/{domain}/webhooks/{name} domain=d name=opened");
  // Where the literal leads nowhere the parameter gets its turn, with no parameters left over from
  // the first try.
  EXPECT_EQ(go("GET", "/v3/domains/events/t", {"domain", "token"}),
            "/v3/{domain}/events/{token} domain=domains token=t");
}

TEST(Router, TheMostLiteralPatternDecidesTheMethods) {
  EXPECT_EQ(go("POST", "/v3/domains/events"), "405GET, HEAD");
  EXPECT_EQ(go("DELETE", "/v3/example.com/events"), "405GET, POST, HEAD");
  EXPECT_EQ(go("OPTIONS", "/v3/domains"), "405GET, HEAD");
  EXPECT_EQ(go("HEAD", "/v3/domains/d/webhooks/opened"), "405PUT");
}

TEST(Router, HeadGoesToGet) {
  EXPECT_EQ(go("HEAD", "/v3/domains"), "/v3/domains");
}

TEST(Router, RestTakesEverything) {
  EXPECT_EQ(go("PATCH", "/bin/7", {"id"}), "/bin/{id} id=7");
  EXPECT_EQ(go("GET", "/bin/7/", {"id", "rest"}), "/bin/{id}/*rest id=7 rest=");
  EXPECT_EQ(go("GET", "/bin/7/a%20b//c", {"id", "rest"}), "/bin/{id}/*rest id=7 rest=a b//c");
}

TEST(Router, DecodesOnce) {
  EXPECT_EQ(go("GET", "/v3/lists/a%2Fb%40c%2525+", {"address"}),
            "/v3/lists/{address} address=a/b@c%25+");
  EXPECT_EQ(go("GET", "/v3/lists/a%4"), "400");
  EXPECT_EQ(go("GET", "/v3/lists/%zz"), "400");
}

TEST(Router, NotFound) {
  for (const char* path : {"/nope", "/v3", "/v3/", "/v3//events", "/v3/domains/", "/v3/domains/a/b",
                           "", "v3/domains", "/bin", "/bin/", "//", "/V3/domains"}) {
    EXPECT_EQ(go("GET", path), "404") << path;
  }
}

Response ask(const Router& router, const char* method, const char* path) {
  Request request;
  request.method = method;
  request.path = path;
  auto admitted = router.admit(request);
  if (!admitted) return admitted.error();
  admitted->answer_fields.add("X-Answer", "of all");
  RequestContext context{request, admitted->params, Deadline::max()};
  asio::io_context io;
  auto done = asio::co_spawn(io, run(*admitted, context), asio::use_future);
  io.run();
  return done.get();
}

TEST(Router, AdmitsOrAnswersItself) {
  const auto router = make_router();
  const auto answered = ask(router, "GET", "/v3/example.com/events");
  EXPECT_EQ(answered.body, "GET example.com");
  EXPECT_EQ(answered.fields.get("X-Answer"), "of all");
  EXPECT_EQ(ask(router, "GET", "/nope").body, "{\"message\":\"Not Found\"}\n");
  EXPECT_EQ(ask(router, "GET", "/v3/lists/%").status, 400);
  const auto refused = ask(router, "PUT", "/v3/domains");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.fields.get("Allow"), "GET, HEAD");
}

TEST(RouterDeathTest, TablesMustMakeSense) {
  Router router;
  EXPECT_DEATH(router.add({row("GET", "no/slash")}), "");
  EXPECT_DEATH(router.add({row("GET", "/*rest/more")}), "");
  EXPECT_DEATH(router.add({row("GET", "/{}")}), "");
  EXPECT_DEATH(router.add({row("GET", "/{a}"), row("GET", "/{b}")}), "");
}

}  // namespace
}  // namespace eventhorn::http
