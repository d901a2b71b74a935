#include "http/forms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::http {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kUrlEncoded = "application/x-www-form-urlencoded";
constexpr std::string_view kMultipart = "multipart/form-data; boundary=abc";

std::string part(std::string_view name, std::string_view value) {
  return "--abc\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" +
         std::string(value) + "\r\n";
}

std::string multipart_error(std::string_view body, std::string_view content_type = kMultipart) {
  const auto form = parse_form(content_type, body);
  if (form) return "accepted";
  EXPECT_EQ(form.error().code, Errc::kInvalidArgument);
  return form.error().message;
}

TEST(Query, DecodesPairsInOrder) {
  const auto form =
      parse_query("url=https%3A%2F%2Fa.example%2F%3Fx%3D1&a+b=c+d%2B&flag&empty=&&url=2=3&=x");
  ASSERT_TRUE(form);
  EXPECT_THAT(form->all("url"), ElementsAre("https://a.example/?x=1", "2=3"));
  EXPECT_EQ(form->first("a b"), "c d+");
  EXPECT_EQ(form->first("flag"), "");
  EXPECT_EQ(form->first("empty"), "");
  EXPECT_EQ(form->first(""), "x");
  EXPECT_EQ(form->first("missing"), std::nullopt);
  EXPECT_EQ(form->fields().size(), 6U);
  EXPECT_THAT(parse_query("")->fields(), IsEmpty());
  EXPECT_THAT(parse_query("&&")->fields(), IsEmpty());
}

TEST(Query, ListsComeAsRepeatedKeysOrWithBrackets) {
  const auto form = parse_query("url[]=1&url=2&url%5B%5D=3&urls=4&url[0]=5&[]=6");
  ASSERT_TRUE(form);
  EXPECT_THAT(form->all("url"), ElementsAre("1", "2", "3", "5"));
  EXPECT_EQ(form->first("url"), "1");
  EXPECT_THAT(form->all("url[]"), ElementsAre("1", "3"));
  for (const auto& [name, list] :
       std::vector<std::pair<std::string, std::string>>{{"url", "url"},
                                                        {"url[]", "url"},
                                                        {"url[0]", "url"},
                                                        {"url[17]", "url"},
                                                        {"url[a]", "url[a]"},
                                                        {"url[0", "url[0"},
                                                        {"url0]", "url0]"},
                                                        {"url[0][1]", "url[0]"},
                                                        {"url[-1]", "url[-1]"},
                                                        {"[]", ""},
                                                        {"[0]", ""},
                                                        {"]", "]"},
                                                        {"", ""}}) {
    EXPECT_EQ(list_name(name), list) << name;
  }
  EXPECT_THAT(form->all(""), ElementsAre("6"));
}

TEST(Query, BrokenEscapesNameTheField) {
  for (const char* bad : {"a=1&b=%zz", "a=1&%=2", "a=1&b=%4"}) {
    const auto form = parse_query(bad);
    ASSERT_FALSE(form) << bad;
    EXPECT_EQ(form.error().code, Errc::kInvalidArgument);
    EXPECT_EQ(form.error().message, "form field 2 has a broken percent escape");
  }
}

TEST(Query, FieldsAndNamesAreLimited) {
  std::string text;
  for (size_t i = 0; i < kMaxFormFields; ++i) text += "a&";
  EXPECT_TRUE(parse_query(text));
  EXPECT_EQ(parse_query(text + "a").error().code, Errc::kTooLarge);
  EXPECT_TRUE(parse_query(std::string(kMaxFieldNameBytes, 'n')));
  EXPECT_EQ(parse_query(std::string(kMaxFieldNameBytes + 1, 'n')).error().message,
            "form field names must have at most 256 bytes");
}

TEST(FormType, IgnoresCaseAndParameters) {
  EXPECT_EQ(form_type(""), FormType::kNone);
  EXPECT_EQ(form_type("  "), FormType::kNone);
  EXPECT_EQ(form_type("Application/X-WWW-Form-Urlencoded; charset=UTF-8"), FormType::kUrlEncoded);
  EXPECT_EQ(form_type("multipart/form-data ;boundary=x"), FormType::kMultipart);
  EXPECT_EQ(form_type("application/json"), FormType::kOther);
  EXPECT_EQ(form_type("multipart/mixed; boundary=x"), FormType::kOther);
  EXPECT_EQ(form_type("; boundary=x"), FormType::kOther);
  EXPECT_EQ(media_type(" Application/JSON ; charset=utf-8"), "application/json");
}

TEST(Form, TheTypeDecidesHowTheBodyIsRead) {
  EXPECT_EQ(parse_form(kUrlEncoded, "a=b")->first("a"), "b");
  EXPECT_EQ(parse_form(kMultipart, part("a", "b") + "--abc--")->first("a"), "b");
  EXPECT_EQ(multipart_error("a=b", ""), "content-type is missing");
  EXPECT_EQ(multipart_error("{}", "application/json"),
            "content-type must be multipart/form-data or application/x-www-form-urlencoded");
}

// mailgun.js sends an empty POST body under a multipart header, others no type at all.
TEST(Form, AnEmptyBodyIsAnEmptyForm) {
  for (const std::string_view type :
       {std::string_view(""), kUrlEncoded, kMultipart, std::string_view("multipart/form-data"),
        std::string_view("application/json")}) {
    const auto form = parse_form(type, "");
    ASSERT_TRUE(form) << type;
    EXPECT_THAT(form->fields(), IsEmpty());
  }
}

// mailgun-php sends this for calls without parameters.
TEST(Multipart, OnlyTheClosingDelimiterIsAnEmptyForm) {
  for (const char* body :
       {"--abc--", "--abc--\r\n", "\r\n--abc--\r\n", "preamble\r\n--abc--\r\nepilogue"}) {
    const auto form = parse_form(kMultipart, body);
    ASSERT_TRUE(form) << body;
    EXPECT_THAT(form->fields(), IsEmpty());
  }
}

TEST(Multipart, BoundaryQuotedOrNotAndInAnyOrder) {
  const std::string body = part("id", "clicked") + "--abc--\r\n";
  for (const char* type :
       {"multipart/form-data; boundary=abc", "multipart/form-data; charset=UTF-8; boundary=abc",
        "multipart/form-data; boundary=\"abc\"", "multipart/form-data; boundary=abc; charset=UTF-8",
        "Multipart/Form-Data;BOUNDARY=\"abc\" ; charset=\"utf-8\"",
        "multipart/form-data;; boundary = abc ;"}) {
    const auto form = parse_form(type, body);
    ASSERT_TRUE(form) << type << form.error().message;
    EXPECT_EQ(form->first("id"), "clicked") << type;
  }
}

TEST(Multipart, FieldsKeepOrderNamesAndBytes) {
  const std::string value = "\0\r\n--abcd\r\n --abc--\r\n\xff--abc\r\n"s;
  const auto form = parse_form(kMultipart, part("url", "1") + part("v:x", value) +
                                               part("url[]", "2") + part("empty", "") + "--abc--");
  ASSERT_TRUE(form) << form.error().message;
  EXPECT_THAT(form->all("url"), ElementsAre("1", "2"));
  EXPECT_EQ(form->first("v:x"), value);
  EXPECT_EQ(form->first("empty"), "");
  EXPECT_EQ(form->fields().size(), 4U);
  EXPECT_EQ(form->fields()[0].filename, std::nullopt);
  EXPECT_EQ(form->fields()[0].content_type, "");
}

TEST(Multipart, FilesHaveNameAndType) {
  const auto file = [](std::string_view disposition) {
    const auto form =
        parse_form(kMultipart,
                   "--abc\r\ncontent-type:text/csv; charset=utf-8\r\nContent-Length: 3\r\n"
                   "Content-Transfer-Encoding: binary\r\n"
                   "CONTENT-DISPOSITION: form-data; " +
                       std::string(disposition) + "\r\n\r\na,b\r\n--abc--\r\n");
    EXPECT_TRUE(form) << disposition << form.error().message;
    return form ? form->fields().at(0) : FormField{};
  };
  const FormField field = file("name=\"file\"; filename=\"a;\\\"b\\\".csv\"");
  EXPECT_EQ(field.name, "file");
  EXPECT_EQ(field.value, "a,b");
  EXPECT_EQ(field.filename, "a;\"b\".csv");
  EXPECT_EQ(field.content_type, "text/csv; charset=utf-8");
  EXPECT_EQ(file("filename=x.csv; name=file").filename, "x.csv");
  EXPECT_EQ(file("name=f; filename=\"\"").filename, "");
  EXPECT_EQ(file(R"(name=f; filename="C:\dir\x.csv")").filename, R"(C:\dir\x.csv)");
  EXPECT_EQ(file("name=f; filename=\"n.txt\"; filename*=utf-8''na%C3%AFve.txt").filename,
            "na\xc3\xafve.txt");
}

TEST(Multipart, APartMayLackTheEmptyLineWhenItHasNoValue) {
  const auto form =
      parse_form(kMultipart, "--abc\r\nContent-Disposition: form-data; name=a\r\n\r\n--abc--");
  ASSERT_TRUE(form) << form.error().message;
  EXPECT_EQ(form->first("a"), "");
}

TEST(Multipart, DelimiterLinesMayEndInSpaces) {
  const auto form = parse_form(
      kMultipart, "--abc \t\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--abc-- ");
  ASSERT_TRUE(form) << form.error().message;
  EXPECT_EQ(form->first("a"), "x");
}

TEST(Multipart, ErrorsNameWhatIsWrongWithTheType) {
  const std::string body = part("a", "b") + "--abc--";
  EXPECT_EQ(multipart_error(body, "multipart/form-data"), "multipart boundary is missing");
  EXPECT_EQ(multipart_error(body, "multipart/form-data; boundary="),
            "multipart boundary is missing");
  EXPECT_EQ(multipart_error(body, "multipart/form-data; boundary=\"abc"),
            "content-type is malformed");
  EXPECT_EQ(multipart_error(body, "multipart/form-data; boundary"), "content-type is malformed");
  EXPECT_EQ(multipart_error(body, "multipart/form-data; boundary=\"abc\"x"),
            "content-type is malformed");
  EXPECT_EQ(multipart_error(body, "multipart/form-data; boundary=abc; boundary=abd"),
            "content-type is malformed");
  EXPECT_EQ(multipart_error(body, "multipart/form-data; boundary=" + std::string(71, 'x')),
            "multipart boundary must have at most 70 bytes on one line");
}

TEST(Multipart, ErrorsNameWhatIsWrongWithTheBody) {
  EXPECT_EQ(multipart_error("--abx--"), "multipart body does not hold its boundary");
  EXPECT_EQ(multipart_error("x--abc--"), "multipart body does not hold its boundary");
  EXPECT_EQ(multipart_error("--abc"), "multipart body does not hold its boundary");
  EXPECT_EQ(multipart_error(part("a", "b")), "multipart body has no closing delimiter");
  EXPECT_EQ(multipart_error(part("a", "b") + "--abc"), "multipart body has no closing delimiter");
  EXPECT_EQ(multipart_error(part("a", "b") + "--ab--"), "multipart body has no closing delimiter");
}

TEST(Multipart, ErrorsNameThePart) {
  const auto second = [](std::string_view text) {
    return multipart_error(part("a", "b") + "--abc\r\n" + std::string(text) + "\r\n--abc--");
  };
  EXPECT_EQ(second("\r\nvalue"), "multipart part 2: content-disposition is missing");
  EXPECT_EQ(second(""), "multipart part 2: content-disposition is missing");
  EXPECT_EQ(second("Content-Type: text/plain\r\n\r\nv"),
            "multipart part 2: content-disposition is missing");
  EXPECT_EQ(second("Content-Disposition: form-data; filename=x\r\n\r\nv"),
            "multipart part 2: content-disposition has no name");
  EXPECT_EQ(second("Content-Disposition: attachment; name=x\r\n\r\nv"),
            "multipart part 2: content-disposition must be one form-data");
  EXPECT_EQ(second("Content-Disposition: form-data; name=\"x\r\n\r\nv"),
            "multipart part 2: content-disposition must be one form-data");
  EXPECT_EQ(second("Content-Disposition: form-data; name=x\r\nContent-Disposition: form-data; "
                   "name=y\r\n\r\nv"),
            "multipart part 2: content-disposition must be one form-data");
  EXPECT_EQ(second("Content-Disposition: form-data; name=x"),
            "multipart part 2: headers do not end");
  EXPECT_EQ(second("no colon\r\n\r\nv"), "multipart part 2: header line is malformed");
  EXPECT_EQ(second("X: a\r\n b\r\n\r\nv"), "multipart part 2: header line is malformed");
  EXPECT_EQ(second("Content-Disposition: form-data; name=x; filename*=x\r\n\r\nv"),
            "multipart part 2: filename* is malformed");
  EXPECT_EQ(
      second(
          "Content-Disposition: form-data; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\nv"),
      "multipart part 2: content-transfer-encoding must be binary, 8bit or 7bit");
}

// Reliability S11: file names and types end up in the headers of messages.
TEST(Multipart, S11HeadersHoldNoControlCharacters) {
  for (const char* header : {"Content-Type: text/plain\nBcc: x", "Content-Type: a\rb", "X: \x7f"}) {
    EXPECT_EQ(multipart_error("--abc\r\nContent-Disposition: form-data; name=x\r\n" +
                              std::string(header) + "\r\n\r\nv\r\n--abc--"),
              "multipart part 1: header line is malformed");
  }
  EXPECT_EQ(multipart_error("--abc\r\nContent-Disposition: form-data; name=x; "
                            "filename*=utf-8''a%0D%0AX\r\n\r\nv\r\n--abc--"),
            "multipart part 1: filename* is malformed");
}

TEST(Multipart, FieldsNamesHeadersAndParametersAreLimited) {
  std::string body;
  for (size_t i = 0; i < kMaxFormFields; ++i) body += part("a", "");
  EXPECT_TRUE(parse_form(kMultipart, body + "--abc--"));
  EXPECT_EQ(parse_form(kMultipart, body + part("a", "") + "--abc--").error().code, Errc::kTooLarge);
  EXPECT_EQ(parse_form(kMultipart, part(std::string(257, 'n'), "") + "--abc--").error().code,
            Errc::kTooLarge);

  const auto with_header = [](size_t bytes) {
    return parse_form(kMultipart, "--abc\r\nX: " + std::string(bytes, 'x') +
                                      "\r\nContent-Disposition: form-data; name=a\r\n\r\n" +
                                      std::string(20000, 'v') + "\r\n--abc--");
  };
  EXPECT_TRUE(with_header(8000));
  EXPECT_EQ(with_header(8190).error().message,
            "multipart part 1: headers must have at most 8192 bytes");

  std::string many = "--abc\r\nContent-Disposition: form-data; name=a";
  for (int i = 0; i < 16; ++i) many += "; p" + std::to_string(i) + "=x";
  EXPECT_EQ(multipart_error(many + "\r\n\r\nv\r\n--abc--"),
            "multipart part 1: content-disposition must be one form-data");
}

}  // namespace
}  // namespace eventhorn::http
