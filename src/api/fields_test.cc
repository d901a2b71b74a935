#include "api/fields.h"

#include "api/own/own_test_support.h"

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr FieldRule kRules[] = {{"a"}, {"b", Shape::kMany}, {"c"}, {"d", Shape::kPairs}};

Texts read(const std::string& query, const std::string& type, const std::string& body) {
  auto request = TestApi::request("POST", "/");
  request.query = query;
  request.fields.add("Content-Type", type);
  request.body = body;
  const auto form = read_fields(request, kRules);
  if (!form) return {std::to_string(form.error().answer.status), form.error().answer.body};
  Texts out;
  for (const auto& field : form->fields()) out.push_back(field.name + "=" + field.value);
  return out;
}

Texts read_form_body(const std::string& body) {
  return read("", "application/x-www-form-urlencoded", body);
}

Texts read_json(const std::string& body) {
  return read("", "Application/JSON; charset=utf-8", body);
}

auto refused(const std::string& message) {
  return ElementsAre("400", HasSubstr("{\"message\":\"" + message));
}

TEST(Fields, ComeInQueryFormOrJson) {
  EXPECT_THAT(read_form_body("a=1&b=x+y&b[]=z"), ElementsAre("a=1", "b=x y", "b[]=z"));
  EXPECT_THAT(read_json(R"({"a":"x","b":[1,2.5,true],"c":null,"d":{"k":"v"}})"),
              ElementsAre("a=x", "b=1", "b=2.5", "b=yes", "c=", "d=k: v"));
  EXPECT_THAT(read_json(R"({"a":false,"b":[]})"), ElementsAre("a=no", "b="));
  EXPECT_THAT(read_json(""), IsEmpty());
  EXPECT_THAT(read("a=1", "application/json", R"({"b":2})"), ElementsAre("a=1", "b=2"));
  EXPECT_THAT(read("a=1&b=2", "", ""), ElementsAre("a=1", "b=2"));
}

TEST(Fields, MalformedBodies) {
  EXPECT_THAT(read_json("[1]"), refused("body: must be a json object"));
  EXPECT_THAT(read_json("{\"a\":"), ElementsAre("400", HasSubstr("invalid json")));
  std::string many = "{\"b\":[1";
  for (size_t i = 0; i < 2000; ++i) many += ",1";
  EXPECT_THAT(read_json(many + "]}"),
              ElementsAre("413", HasSubstr("body: has more than 2000 values")));
  EXPECT_THAT(read("", "text/plain", "a=1"), ElementsAre("415", HasSubstr("content-type")));
}

TEST(Fields, UnknownOnesAreNamed) {
  const std::string rule = "e: is not known here: may be a, b, c, d";
  EXPECT_THAT(read_form_body("a=1&e=2"), refused(rule));
  EXPECT_THAT(read_json(R"({"e":2})"), refused(rule));
  EXPECT_THAT(read_json(R"({"e":{"f":[]}})"), refused(rule));
  EXPECT_THAT(read("e=1", "", ""), refused(rule));
  EXPECT_THAT(read_form_body("A=1"), refused("A: is not known here"));
}

TEST(Fields, OneValueIsGivenOnce) {
  const std::string rule = "a: must be given once";
  EXPECT_THAT(read_form_body("a=1&a=1"), refused(rule));
  EXPECT_THAT(read_json(R"({"a":1,"a":2})"), refused(rule));
  EXPECT_THAT(read("a=1", "application/json", R"({"a":1})"), refused(rule));
  EXPECT_THAT(read_form_body("a=1&a[]=2"), refused("a[]: must be given once"));
}

TEST(Fields, OtherShapesAreRefused) {
  EXPECT_THAT(read_json(R"({"a":[1]})"), refused("a: must be one value"));
  EXPECT_THAT(read_json(R"({"a":{"k":1}})"), refused("a: must be one value"));
  for (const auto* body : {R"({"b":[[1]]})", R"({"b":{"k":1}})"})
    EXPECT_THAT(read_json(body), refused("b: must be a value or a list of values"));
  for (const auto* body : {R"({"d":[[1]]})", R"({"d":{"k":[1]}})", R"({"d":{"k:l":1}})"})
    EXPECT_THAT(read_json(body), refused("d: must be a value, a list of values or an object"));
}

}  // namespace
}  // namespace eventhorn::api::testing
