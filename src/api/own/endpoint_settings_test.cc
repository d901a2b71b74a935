#include "control/endpoint_settings.h"

#include "api/own/find_endpoints.h"
#include "api/own/own_test_support.h"
#include "http/tls_files_test_support.h"

#include <boost/asio/post.hpp>

#include <fstream>
#include <future>
#include <vector>

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

constexpr const char* kByUrl =
    "/eventhorn/v1/endpoints/settings?url=https%3A%2F%2Fa.example%2Fhook";
const std::string kById = "/eventhorn/v1/endpoints/" + endpoint_id(kUrl) + "/settings";
const std::string kSecrets = "/eventhorn/v1/endpoints/" + endpoint_id(kUrl) + "/secrets";
const std::string kCertificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const std::string kKey = "-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----\n";

std::string settings_json(const std::string& rest) {
  return "{\"id\":\"" + endpoint_id(kUrl) + R"(","url":"https://a.example/hook",)" + rest + "}\n";
}

const std::string kNothingSet = settings_json(
    R"("rate_limit":0,"max_concurrency":0,"retry_schedule":null,"headers":{},"bearer":null,)"
    R"("standard_webhooks":false,"secrets":0,"client_certificate":null,"client_key":null)");

TEST(EndpointSettings, BeforeAWebhookNamesTheUrl) {
  OwnApi api;
  EXPECT_EQ(api.ok("GET", kByUrl), kNothingSet);
  EXPECT_EQ(api.ask("GET", kById), message(404, "Endpoint not found"));
  const auto expected = settings_json(
      R"("rate_limit":0.5,"max_concurrency":3,"retry_schedule":["1s","5m"],"headers":{},)"
      R"("bearer":null,"standard_webhooks":false,"secrets":0,"client_certificate":null,)"
      R"("client_key":null)");
  EXPECT_EQ(
      api.ok(
          "PUT", kByUrl,
          Pairs{{"rate_limit", "0.5"}, {"max_concurrency", "3"}, {"retry_schedule", "1s, 300s"}}),
      expected);
  EXPECT_EQ(api.ok("GET", kById), expected);
  EXPECT_EQ(api.ok("GET", kByUrl), expected);
  const auto& told = api.deliveries.settings_of.at(kUrl);
  EXPECT_EQ(told.rate_limit, 0.5);
  const auto kept = expect(control::load_endpoint_settings(*api.store));
  EXPECT_EQ(kept.at(kUrl), told);
}

// Reliability L14: changes that wait for the disk, or for each other, hold no reader.
TEST(EndpointSettings, L14ChangesUnderWayHoldNoReader) {
  OwnApi api;
  std::promise<void> disk;
  auto slow = disk.get_future();
  asio::post(api.writer.executor(), [&] { slow.wait(); });
  std::vector<std::future<http::Response>> changes;
  for (const char* rate : {"5", "6", "7"}) {
    const std::string target = std::string(kByUrl) + "&rate_limit=" + rate;
    changes.push_back(api.begin(api.request("PUT", target)));
  }
  EXPECT_EQ(api.ok("GET", kByUrl), kNothingSet);
  disk.set_value();
  for (auto& change : changes) EXPECT_EQ(change.get().status, 200);
  EXPECT_EQ(api.deliveries.settings_of[kUrl].rate_limit, 7) << "in the order in which they came";
}

TEST(EndpointSettings, ChangeWhatIsGivenOnly) {
  OwnApi api;
  api.ok("PUT", kByUrl, Pairs{{"rate_limit", "5"}, {"retry_schedule", "1s"}});
  api.ok("PUT", kById, Pairs{{"max_concurrency", "2"}});
  EXPECT_EQ(api.deliveries.settings_of[kUrl].rate_limit, 5);
  EXPECT_EQ(api.deliveries.settings_of[kUrl].max_concurrency, 2U);
  EXPECT_TRUE(api.deliveries.settings_of[kUrl].retry_schedule);
  api.send_json("PUT", kById, R"({"retry_schedule":null,"rate_limit":0,"max_concurrency":""})");
  EXPECT_EQ(api.deliveries.settings_of[kUrl], store::EndpointSettings());
}

TEST(EndpointSettings, SecretsAreNotShown) {
  OwnApi api;
  const auto body =
      api.send_json("PUT", kByUrl,
                    R"({"headers":{"X-Api-Key":"k3y","X-Other":"0ther"},"bearer":"t0ken"})")
          .body;
  EXPECT_THAT(body, HasSubstr(R"("headers":{"X-Api-Key":"***","X-Other":"***"},"bearer":"***")"));
  EXPECT_THAT(api.deliveries.settings_of[kUrl].headers,
              ElementsAre(Pair("X-Api-Key", "k3y"), Pair("X-Other", "0ther"),
                          Pair("Authorization", "Bearer t0ken")));
  // Given back as they are shown, they stay.
  api.send_json("PUT", kById, R"({"headers":{"x-api-key":"***","X-New":"n"},"bearer":"***"})");
  EXPECT_THAT(api.deliveries.settings_of[kUrl].headers,
              ElementsAre(Pair("x-api-key", "k3y"), Pair("X-New", "n"),
                          Pair("Authorization", "Bearer t0ken")));
  api.ok("PUT", kById, Pairs{{"headers", "X-A: b:c"}, {"headers", "X-B:"}});
  EXPECT_THAT(
      api.deliveries.settings_of[kUrl].headers,
      ElementsAre(Pair("X-A", "b:c"), Pair("X-B", ""), Pair("Authorization", "Bearer t0ken")));
  api.ok("PUT", kById, Pairs{{"headers", ""}, {"bearer", ""}});
  EXPECT_THAT(api.deliveries.settings_of[kUrl].headers, IsEmpty());
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(EndpointSettings, ClientCertificate) {
  OwnApi api;
  const http::testing::TlsFiles files(1);
  const std::string certificate = read_file(files.cert());
  const std::string key = read_file(files.key());
  const auto body =
      api.ok("PUT", kByUrl, Pairs{{"client_certificate", certificate}, {"client_key", key}});
  EXPECT_THAT(body, HasSubstr("\"client_certificate\":\"-----BEGIN CERTIFICATE-----\\nMIIB"));
  EXPECT_THAT(body, HasSubstr(R"("client_key":"***")"));
  EXPECT_EQ(api.deliveries.settings_of[kUrl].client_certificate, certificate);
  EXPECT_EQ(api.deliveries.settings_of[kUrl].client_key, key);
  // With the line ends of Windows.
  const auto with_crlf = [](std::string pem) {
    for (size_t at = 0; (at = pem.find('\n', at)) != std::string::npos; at += 2)
      pem.insert(at, 1, '\r');
    return pem;
  };
  api.ok("PUT", kByUrl,
         Pairs{{"client_certificate", with_crlf(certificate)}, {"client_key", with_crlf(key)}});
  EXPECT_EQ(api.deliveries.settings_of[kUrl].client_certificate, certificate);
  EXPECT_EQ(api.deliveries.settings_of[kUrl].client_key, key);
  // Renewed for the same key.
  const auto renewed = certificate + certificate;
  api.ok("PUT", kById, Pairs{{"client_certificate", renewed}, {"client_key", "***"}});
  EXPECT_EQ(api.deliveries.settings_of[kUrl].client_certificate, renewed);
  EXPECT_EQ(api.deliveries.settings_of[kUrl].client_key, key);
  EXPECT_EQ(api.ask("PUT", kById, Pairs{{"client_key", ""}}),
            message(400, "client_certificate: must be set together with client_key"));
  files.write(2);
  EXPECT_EQ(api.ask("PUT", kById, Pairs{{"client_key", read_file(files.key())}}),
            message(400, "client_key: does not belong to the client certificate"));
  EXPECT_EQ(api.deliveries.settings_of[kUrl].client_key, key);
  api.ok("PUT", kById, Pairs{{"client_certificate", ""}, {"client_key", ""}});
  EXPECT_EQ(api.deliveries.settings_of[kUrl], store::EndpointSettings());
}

TEST(EndpointSettings, AreChecked) {
  OwnApi api;
  const std::pair<Pairs, std::string> cases[] = {
      {{{"rate_limit", "-1"}}, "rate_limit: must be 0 (none) or a number from 0.001 to 1000000"},
      {{{"rate_limit", "1000001"}},
       "rate_limit: must be 0 (none) or a number from 0.001 to 1000000"},
      {{{"rate_limit", "0.0001"}},
       "rate_limit: must be 0 (none) or a number from 0.001 to 1000000"},
      {{{"rate_limit", "nan"}}, "rate_limit: must be 0 (none) or a number from 0.001 to 1000000"},
      {{{"rate_limit", "5x"}}, "rate_limit: must be 0 (none) or a number from 0.001 to 1000000"},
      {{{"max_concurrency", "10001"}}, "max_concurrency: must be a number from 0 to 10000"},
      {{{"max_concurrency", "1.5"}}, "max_concurrency: must be a number from 0 to 10000"},
      {{{"headers", "X-A"}}, R"(headers: must be \"Name: value\")"},
      {{{"headers", "X-A: ***"}}, "headers: *** stands for a value that is not set"},
      {{{"standard_webhooks", "maybe"}}, "standard_webhooks: must be yes or no"},
      {{{"standard_webhooks", "yes"}},
       "standard_webhooks: needs a secret: make one at .../secrets first"},
      {{{"client_certificate", kKey}, {"client_key", kKey}},
       "client_certificate: must be a certificate in PEM"},
      {{{"client_certificate", kCertificate}, {"client_key", kCertificate}},
       "client_key: must be a private key in PEM"},
      {{{"client_certificate", "x"}, {"client_key", kKey}},
       "client_certificate: must be a certificate in PEM"},
      {{{"client_certificate", kCertificate}, {"client_key", kKey}},
       "client_certificate: must be a certificate in PEM"},
      {{{"client_certificate", kCertificate}},
       "client_certificate: must be set together with client_key"},
      {{{"client_certificate", "-----BEGIN CERTIFICATE-----\n" + std::string(70'000, 'A') +
                                   "\n-----END CERTIFICATE-----\n"},
        {"client_key", kKey}},
       "client_certificate: must be at most 64 KiB"},
  };
  for (const auto& [form, expected] : cases)
    EXPECT_EQ(api.ask("PUT", kByUrl, form), message(400, expected));
  const std::pair<Pairs, const char*> elsewhere[] = {
      {{{"retry_schedule", "soon"}}, "400 {\"message\":\"retry_schedule: retry schedule entry 1"},
      {{{"retry_schedule", "0s"}}, "400 {\"message\":\"retry_schedule: retry schedule entry 1"},
      {{{"headers", "Host: x"}}, "400 {\"message\":\"headers: Host: can't be set"},
      {{{"headers", "X-A: 1"}, {"headers", "x-a: 2"}}, "400 {\"message\":\"headers: x-a: must not"},
      {{{"headers", "Authorization: Basic x"}, {"bearer", "x"}},
       "400 {\"message\":\"bearer: can't be set beside an Authorization in headers"},
      {{{"bearer", "a\nb"}}, "400 {\"message\":\"bearer: must have no line breaks"},
      {{{"bearer", "a\r\n"}}, "400 {\"message\":\"bearer: must have no line breaks"},
      {{{"bearer", "\xe4"}}, "400 {\"message\":\"bearer: must be printable ASCII"},
      {{{"headers", "X-A: 1\r\nX-B: 2"}}, "400 {\"message\":\"headers: must have no line breaks"},
      {{{"headers", "X-A: 1\n"}}, "400 {\"message\":\"headers: must have no line breaks"},
      {{{"ratelimit", "5"}}, "400 {\"message\":\"ratelimit: is not known here: may be url, rate"},
      {{{"rate_limit", "5"}, {"rate_limit", "6"}},
       "400 {\"message\":\"rate_limit: must be given once"},
  };
  for (const auto& [form, expected] : elsewhere)
    EXPECT_THAT(api.ask("PUT", kByUrl, form), StartsWith(expected));
  EXPECT_THAT(api.deliveries.calls, IsEmpty());
  EXPECT_TRUE(expect(control::load_endpoint_settings(*api.store)).empty());
}

TEST(EndpointSettings, OfUrlsThatAWebhookMayHave) {
  OwnApi api;
  const std::string base = "/eventhorn/v1/endpoints/settings";
  EXPECT_EQ(api.ask("PUT", base), message(400, "Missing parameter 'url'"));
  EXPECT_THAT(api.ask("PUT", base + "?url=ftp%3A%2F%2Fa.example"), HasSubstr("is not a valid url"));
  EXPECT_THAT(api.ask("PUT", base + "?url=http%3A%2F%2F10.0.0.1%2F"),
              HasSubstr("is not a valid url"));
}

TEST(EndpointSettings, AreRemoved) {
  OwnApi api;
  api.ok("PUT", kByUrl, Pairs{{"rate_limit", "5"}});
  EXPECT_EQ(api.ask("DELETE", kById), message(200, "Settings have been removed"));
  EXPECT_EQ(api.ok("GET", kByUrl), kNothingSet);
  EXPECT_EQ(api.deliveries.settings_of[kUrl], store::EndpointSettings());
  EXPECT_EQ(api.ask("GET", kById), message(404, "Endpoint not found"));
}

TEST(EndpointSecrets, TwoAreActiveAtOnce) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  const auto add = [&] { return parsed(api.ok("POST", kSecrets)); };
  const auto first = add();
  EXPECT_THAT(text_at(first, "secret"), StartsWith("whsec_"));
  EXPECT_EQ(text_at(first, "created_at"), "2026-03-11T09:00:03.000Z");
  api.ok("PUT", kById, Pairs{{"standard_webhooks", "yes"}});
  const auto second = add();
  EXPECT_EQ(api.ask("POST", kSecrets),
            message(409, "secrets: two are active already; delete one first"));
  const auto& told = api.deliveries.settings_of[kUrl];
  EXPECT_TRUE(told.standard_webhooks);
  ASSERT_EQ(told.secrets.size(), 2U);
  EXPECT_EQ(told.secrets[0].text, text_at(second, "secret"));
  EXPECT_EQ(told.secrets[1].text, text_at(first, "secret"));
  EXPECT_NE(told.secrets[0].text, told.secrets[1].text);
  const auto list = api.ok("GET", kSecrets);
  EXPECT_THAT(column(list, "id"), ElementsAre(text_at(second, "id"), text_at(first, "id")));
  EXPECT_THAT(column(list, "secret"), ElementsAre("***", "***"));
  EXPECT_THAT(api.ok("GET", kById), HasSubstr(R"("standard_webhooks":true,"secrets":2)"));

  EXPECT_EQ(api.ask("DELETE", kSecrets + "/" + text_at(first, "id")),
            message(200, "Secret has been deleted"));
  EXPECT_EQ(api.ask("DELETE", kSecrets + "/" + text_at(first, "id")),
            message(404, "Secret not found"));
  EXPECT_EQ(api.deliveries.settings_of[kUrl].secrets.size(), 1U);
  const auto last = kSecrets + "/" + text_at(second, "id");
  EXPECT_EQ(api.ask("DELETE", last),
            message(409,
                    "secrets: the last one signs; set standard_webhooks to no, or make another "
                    "first"));
  api.ok("PUT", kById, Pairs{{"standard_webhooks", "no"}});
  EXPECT_EQ(api.ask("DELETE", last), message(200, "Secret has been deleted"));
}

TEST(EndpointSecrets, BeforeAWebhookNamesTheUrl) {
  OwnApi api;
  const std::string by_url = "/eventhorn/v1/endpoints/secrets";
  const std::string query = "?url=https%3A%2F%2Fa.example%2Fhook";
  const auto made = parsed(api.ok("POST", by_url + query));
  EXPECT_THAT(text_at(made, "secret"), StartsWith("whsec_"));
  EXPECT_THAT(column(api.ok("GET", by_url + query), "id"), ElementsAre(text_at(made, "id")));
  api.ok("PUT", kByUrl, Pairs{{"standard_webhooks", "yes"}});
  api.ok("POST", by_url, Pairs{{"url", kUrl}});
  EXPECT_EQ(api.ask("DELETE", by_url + "/" + text_at(made, "id") + query),
            message(200, "Secret has been deleted"));
  EXPECT_EQ(api.ask("POST", by_url), message(400, "Missing parameter 'url'"));
  EXPECT_THAT(api.ask("POST", by_url + "?url=http%3A%2F%2F10.0.0.1%2F"),
              HasSubstr("is not a valid url: "));
}

TEST(DomainSettings, RetrySchedule) {
  OwnApi api;
  const std::string path = "/eventhorn/v1/domains/EXAMPLE.org/settings";
  const auto with = [](const char* schedule) {
    return std::string(R"({"domain":"example.org","retry_schedule":)") + schedule + "}\n";
  };
  EXPECT_EQ(api.ok("GET", path), with("null"));
  EXPECT_EQ(api.send_json("PUT", path, R"({"retry_schedule":["90s","1h"]})").body,
            with(R"(["90s","1h"])"));
  EXPECT_EQ(api.ok("GET", path), with(R"(["90s","1h"])"));
  EXPECT_EQ(api.directory.find("example.org")->retry_schedule->size(), 2U);
  EXPECT_EQ(api.ok("PUT", path, Pairs{{"retry_schedule", "1s"}, {"retry_schedule", "2s"}}),
            with(R"(["1s","2s"])"));
  EXPECT_EQ(api.send_json("PUT", path, R"({"retry_schedule":null})").body, with("null"));
  EXPECT_EQ(api.ok("PUT", path, Pairs{{"retry_schedule", ""}}), with("null"));
  EXPECT_THAT(api.ask("PUT", path, Pairs{{"retry_schedule", "1s,x"}}),
              StartsWith("400 {\"message\":\"retry_schedule: retry schedule entry 2"));
  EXPECT_EQ(api.ask("PUT", path, Pairs{}), message(400, "Missing parameter 'retry_schedule'"));
  EXPECT_EQ(api.ask("GET", "/eventhorn/v1/domains/no.example/settings"),
            message(404, "Domain not found"));
  EXPECT_EQ(
      api.ask("PUT", "/eventhorn/v1/domains/no.example/settings", Pairs{{"retry_schedule", "1s"}}),
      message(404, "Domain not found"));
}

}  // namespace
}  // namespace eventhorn::api::testing
