#include "config/fields.h"
#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

namespace eventhorn::config {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// A file of its own for each test, gone with it.
class TomlFile {
 public:
  explicit TomlFile(std::string_view text) {
    std::string name = testing::TempDir() + "eventhorn_config_XXXXXX";
    const int fd = mkstemp(name.data());
    EXPECT_GE(fd, 0);
    close(fd);
    path_ = name;
    std::ofstream(path_) << text;
  }

  ~TomlFile() { std::remove(path_.c_str()); }

  TomlFile(const TomlFile&) = delete;
  TomlFile& operator=(const TomlFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Loaded load_text(std::string_view toml) {
  const TomlFile file(toml);
  Sources sources;
  sources.file = file.path();
  return load(sources);
}

Loaded load_set(std::vector<std::pair<std::string, std::string>> settings) {
  Sources sources;
  for (auto& [key, text] : settings) sources.settings.push_back({key, text, "--set"});
  return load(sources);
}

TEST(Config, ManualEqualsTheDefaultsAndNamesEveryKey) {
  const Loaded loaded = load_text(default_toml());
  EXPECT_THAT(loaded.findings.errors, IsEmpty());
  EXPECT_EQ(loaded.config, Config{});

  // Equal values could also come from a manual that leaves keys out.
  const auto entries = parse_toml(default_toml());
  ASSERT_TRUE(entries);
  std::set<std::string> in_manual;
  for (const FileEntry& entry : *entries) in_manual.insert(entry.key);
  std::set<std::string> in_table;
  for (const Field& field : fields()) in_table.insert(std::string(field.key));
  EXPECT_EQ(in_manual, in_table);
}

TEST(Config, DefaultsHaveNoFindings) {
  const Findings findings = validate(Config{});
  EXPECT_THAT(findings.errors, IsEmpty());
  EXPECT_THAT(findings.warnings, IsEmpty());
}

TEST(Config, EachKeyHasItsOwnMember) {
  Config config;
  std::set<const void*> members;
  for (const Field& field : fields()) {
    members.insert(std::visit([](auto* member) { return static_cast<const void*>(member); },
                              field.member(config)));
  }
  EXPECT_EQ(members.size(), fields().size());
}

TEST(Config, LaterSourcesWin) {
  const TomlFile file(
      "[delivery]\ntimeout = \"1s\"\nconnect_timeout = \"1s\"\ndrain_timeout = \"1s\"\n");
  Sources sources;
  sources.file = file.path();
  sources.environment = {"EVENTHORN_DELIVERY_TIMEOUT=2s", "EVENTHORN_DELIVERY_DRAIN_TIMEOUT=2s",
                         "PATH=/bin"};
  sources.settings = {{"delivery.timeout", "3s", "--set"}, {"delivery.timeout", "4s", "--set"}};
  const Loaded loaded = load(sources);
  EXPECT_THAT(loaded.findings.errors, IsEmpty());
  EXPECT_EQ(loaded.config.delivery.connect_timeout, seconds(1));
  EXPECT_EQ(loaded.config.delivery.drain_timeout, seconds(2));
  EXPECT_EQ(loaded.config.delivery.timeout, seconds(4));
}

TEST(Config, SetTakesTomlBareWordsAndCommaLists) {
  const Loaded loaded = load_set({{"delivery.allow_networks", R"(["127.0.0.0/8", "::1/128"])"},
                                  {"delivery.retry_schedule", "1s, 2m"},
                                  {"domains.auto_create", "true"},
                                  {"delivery.max_in_flight", "2_000"},
                                  {"delivery.retry_jitter", "0"},
                                  {"delivery.success", "200"},
                                  {"delivery.user_agent", "'quoted'"},
                                  {"store.data", "2026"},
                                  {"store.min_free", "1GiB"},
                                  {"server.max_body_bytes", "4096"},
                                  {"server.allowed_hosts", ""},
                                  {"log.level", "debug"}});
  EXPECT_THAT(loaded.findings.errors, IsEmpty());
  const Config& c = loaded.config;
  EXPECT_THAT(c.delivery.allow_networks, ElementsAre("127.0.0.0/8", "::1/128"));
  EXPECT_THAT(c.delivery.retry_schedule, ElementsAre(seconds(1), minutes(2)));
  EXPECT_TRUE(c.domains.auto_create);
  EXPECT_EQ(c.delivery.max_in_flight, 2000U);
  EXPECT_EQ(c.delivery.retry_jitter, 0);
  EXPECT_EQ(c.delivery.success, Success::k200);
  EXPECT_EQ(c.delivery.user_agent, "quoted");
  EXPECT_EQ(c.store.data, "2026");
  EXPECT_EQ(c.store.min_free_bytes, 1ULL << 30);
  EXPECT_EQ(c.server.max_body_bytes, 4096U);
  EXPECT_THAT(c.server.allowed_hosts, IsEmpty());
  EXPECT_EQ(c.log.level, LogLevel::kDebug);
}

TEST(Config, WrongTypesNameKeyRuleAndPlace) {
  const auto only_error = [](std::string key, std::string text) {
    const Loaded loaded = load_set({{std::move(key), std::move(text)}});
    return loaded.findings.errors.size() == 1 ? loaded.findings.errors[0] : "no single error";
  };
  EXPECT_EQ(only_error("dev", "yes"), "dev: must be true or false (--set)");
  EXPECT_THAT(only_error("delivery.timeout", "10"),
              StartsWith("delivery.timeout: must be a duration such as"));
  EXPECT_THAT(only_error("delivery.retry_schedule", "5m,soon"), HasSubstr("must be a duration"));
  std::string many = "1s";
  for (int i = 1; i < 32; ++i) many += ",1s";
  EXPECT_THAT(load_set({{"delivery.retry_schedule", many}}).findings.errors, testing::IsEmpty());
  EXPECT_THAT(only_error("delivery.retry_schedule", many + ",1s"),
              HasSubstr("must have at most 32 delays"));
  EXPECT_THAT(only_error("delivery.retry_schedule", "[5]"), HasSubstr("must be a list of strings"));
  EXPECT_THAT(only_error("store.min_free", "10MB"), HasSubstr("must be a size"));
  EXPECT_THAT(only_error("store.min_free", "99999999TiB"), HasSubstr("must be a size"));
  EXPECT_THAT(only_error("store.min_free", "-1"), HasSubstr("must be a size"));
  EXPECT_THAT(only_error("server.threads", "4294967296"), HasSubstr("whole number"));
  EXPECT_THAT(only_error("server.threads", "-1"), HasSubstr("whole number"));
  EXPECT_THAT(only_error("delivery.retry_jitter", "much"), HasSubstr("must be a number"));
  EXPECT_THAT(only_error("delivery.success", "3xx"), HasSubstr(R"(must be one of "2xx", "200")"));
  EXPECT_THAT(only_error("store.data", "\"open"), HasSubstr("not TOML"));
  EXPECT_THAT(only_error("dev", "true\n[store]\nurl = \"x\""), StartsWith("dev: "));
}

TEST(Config, BoundsAreCheckedAtBothEnds) {
  const auto errors = [](std::string key, std::string text) {
    return load_set({{std::move(key), std::move(text)}}).findings.errors;
  };
  EXPECT_THAT(errors("delivery.timeout", "9ms"),
              ElementsAre("delivery.timeout: must be between 10ms and 10m"));
  EXPECT_THAT(errors("delivery.timeout", "11m"),
              ElementsAre("delivery.timeout: must be between 10ms and 10m"));
  EXPECT_THAT(errors("delivery.timeout", "10ms"), IsEmpty());
  EXPECT_THAT(errors("delivery.timeout", "10m"), IsEmpty());
  EXPECT_THAT(errors("delivery.retry_jitter", "nan"),
              ElementsAre(HasSubstr("must be between 0 and 0.5")));
  EXPECT_THAT(errors("delivery.retry_schedule", "5m,0s"),
              ElementsAre(HasSubstr("each item must be between 1ms and 7d")));
  EXPECT_THAT(errors("server.max_body_bytes", "2GiB"),
              ElementsAre(HasSubstr("must be between 1KiB and 1GiB")));
  EXPECT_THAT(errors("store.data", "\"\""), ElementsAre("store.data: must not be empty"));
  EXPECT_THAT(errors("server.allowed_hosts", "a" + std::string(200, ',')),
              testing::Contains(HasSubstr("at most 100")));
}

TEST(Config, UnknownKeysAreErrorsWithAGuess) {
  const Loaded file = load_text("[delivery]\n\ntimeot = \"1s\"\n");
  ASSERT_EQ(file.findings.errors.size(), 1U);
  EXPECT_THAT(file.findings.errors[0],
              AllOf(StartsWith("delivery.timeot: unknown key"), HasSubstr(":3)"),
                    HasSubstr("did you mean delivery.timeout?")));
  const auto guess = [](std::string key) {
    return load_set({{std::move(key), "1"}}).findings.errors.at(0);
  };
  EXPECT_EQ(guess("delivery.verify_host"),
            "delivery.verify_host: unknown key (--set); did you mean webhooks.verify_host?");
  EXPECT_EQ(guess("x"), "x: unknown key (--set)");
  EXPECT_EQ(guess("a\nb"), "a\\nb: unknown key (--set)");
  EXPECT_EQ(load_text("delivery = 5").findings.errors.size(), 1U);
}

TEST(Config, EnvironmentKnowsWhatIsNotASetting) {
  Sources sources;
  sources.environment = {"EVENTHORN_API_KEY=secret", "EVENTHORN_SIGNING_KEY=secret",
                         "EVENTHORN_STORE_DATA=", "EVENTHORN_PORT=tcp://10.0.0.1:8480"};
  const Loaded loaded = load(sources);
  EXPECT_EQ(loaded.config, Config{});
  EXPECT_THAT(loaded.findings.errors, IsEmpty());
  EXPECT_THAT(loaded.findings.warnings,
              ElementsAre("EVENTHORN_PORT: is no setting's variable; ignored"));
}

TEST(Config, AllErrorsAreToldAtOnce) {
  const Loaded loaded = load_text(
      "[server]\nlisten = \"localhost\"\ntls_cert = \"c.pem\"\npublic_url = "
      "\"https://a/b\"\nthreads = \"two\"\n"
      "allowed_hosts = [\"http://a\"]\ntrusted_proxies = [\"10.0.0.1\", \"proxy\"]\n"
      "[store]\nurl = \"redis://x\"\n[delivery]\nallow_networks = [\"10.0.0.0/33\"]\nuser_agent = "
      "\"a\\r\\nb\"\nproxy = \"https://p:1\"\nsource_address = [\"eth0\"]\n[dns]\nservers = "
      "[\"ns.example\"]\n");
  for (const char* key :
       {"server.listen", "server.tls_key", "server.public_url", "server.threads",
        "server.allowed_hosts", "server.trusted_proxies", "store.url", "delivery.allow_networks",
        "delivery.user_agent", "delivery.proxy", "delivery.source_address", "dns.servers"}) {
    EXPECT_THAT(loaded.findings.errors, testing::Contains(StartsWith(std::string(key) + ": ")))
        << key;
  }
  EXPECT_EQ(loaded.findings.errors.size(), 12U);
}

TEST(Config, UnreadableFilesSayWhatToDo) {
  Sources sources;
  sources.file = "/nonexistent/eventhorn.toml";
  EXPECT_THAT(
      load(sources).findings.errors,
      ElementsAre(AllOf(HasSubstr("no such file or directory"), HasSubstr("check --config"))));
  sources.file = testing::TempDir();
  EXPECT_THAT(load(sources).findings.errors, ElementsAre(HasSubstr("directory")));
  EXPECT_THAT(load_text("[delivery\n").findings.errors, ElementsAre(HasSubstr("line 1")));
  EXPECT_THAT(load_text(std::string((1 << 20) + 1, '#')).findings.errors,
              ElementsAre(HasSubstr("at most 1 MiB")));
}

TEST(Config, TheAlertsUrlFollowsTheRulesOfWebhooks) {
  EXPECT_THAT(load_text("[alerts]\nurl = \"https://me:secret@ops.example.org/x\"").findings.errors,
              IsEmpty());
  EXPECT_THAT(load_text("[alerts]\nurl = \"ftp://me:secret@ops.example.org/\"").findings.errors,
              ElementsAre("alerts.url: invalid URL scheme"));
  EXPECT_THAT(load_text("[alerts]\nurl = \"https://ops.example.org:25/\"").findings.errors,
              ElementsAre("alerts.url: port 25 is not allowed"));
}

TEST(Config, DangerousCombinationsAreWarnings) {
  const auto warnings = [](std::vector<std::pair<std::string, std::string>> settings) {
    const Loaded loaded = load_set(std::move(settings));
    EXPECT_THAT(loaded.findings.errors, IsEmpty());
    return loaded.findings.warnings;
  };
  EXPECT_THAT(warnings({{"server.listen", "0.0.0.0:0"}}), ElementsAre(HasSubstr("without TLS")));
  EXPECT_THAT(warnings({{"server.listen", "0.0.0.0:0"}, {"server.trusted_proxies", "10.0.0.0/8"}}),
              IsEmpty());
  EXPECT_THAT(warnings({{"server.listen", "[::1]:0"}, {"dev", "true"}}), IsEmpty());
  EXPECT_THAT(
      warnings({{"server.listen", "[::]:0"}, {"server.trusted_proxies", "::/0"}, {"dev", "true"}}),
      ElementsAre(StartsWith("dev: ")));
  EXPECT_THAT(warnings({{"delivery.timeout", "11s"}}),
              ElementsAre(StartsWith("delivery.drain_timeout: ")));
  EXPECT_THAT(warnings({{"delivery.connect_timeout", "11s"}}),
              ElementsAre(StartsWith("delivery.connect_timeout: ")));
  EXPECT_THAT(warnings({{"delivery.allow_networks", "::/0"}}),
              ElementsAre(HasSubstr("turns the guard off")));
  EXPECT_THAT(warnings({{"delivery.max_in_flight", "8"}}),
              ElementsAre(HasSubstr("one URL can take every slot")));
  EXPECT_THAT(warnings({{"server.max_body_bytes", "1KiB"}}),
              ElementsAre(HasSubstr("can't arrive")));
}

TEST(Config, DevAllowsLoopbackOnce) {
  const Loaded loaded = load_set({{"delivery.allow_networks", "127.0.0.0/8"}, {"dev", "true"}});
  EXPECT_THAT(loaded.config.delivery.allow_networks, ElementsAre("127.0.0.0/8", "::1/128"));
  EXPECT_TRUE(loaded.config.domains.auto_create);
}

TEST(Config, RenderIsReadBackAsItWas) {
  const Loaded loaded = load_set({{"delivery.retry_schedule", "1500ms,2m"},
                                  {"delivery.retry_jitter", "0"},
                                  {"delivery.success", "200"},
                                  {"delivery.user_agent", "a \"b\" \\c"},
                                  {"store.data", "tab\there \xc3\xa9"},
                                  {"store.min_free", "1000"},
                                  {"server.allowed_hosts", "a.example,b.example"},
                                  {"log.level", "error"},
                                  {"dev", "true"}});
  ASSERT_THAT(loaded.findings.errors, IsEmpty());
  const std::string text = render(loaded.config);
  EXPECT_THAT(text, HasSubstr("# How long events are kept"));
  const Loaded again = load_text(text);
  EXPECT_THAT(again.findings.errors, IsEmpty());
  EXPECT_EQ(again.config, loaded.config);
  EXPECT_EQ(render(Config{}), default_toml());
}

TEST(Config, NetworkOfDeliveries) {
  const Loaded good = load_set({{"delivery.proxy", "\"http://me:pw@[::1]:3128\""},
                                {"delivery.source_address", "192.0.2.1,2001:db8::1"},
                                {"dns.servers", "192.0.2.53,[2001:db8::53]:5353,192.0.2.54:54"},
                                {"dns.timeout", "2s"}});
  EXPECT_THAT(good.findings.errors, IsEmpty());
  EXPECT_THAT(good.findings.warnings, IsEmpty());
  EXPECT_THAT(good.config.dns.servers, testing::SizeIs(3));
  for (const char* bad : {"http://p", "http://:1", "http://p:0", "http://p:65536", "socks5://p:1",
                          "http://p:1/path", "http://p:", "p:1"}) {
    EXPECT_THAT(load_set({{"delivery.proxy", std::string("\"") + bad + '"'}}).findings.errors,
                ElementsAre(StartsWith("delivery.proxy: must be http://")))
        << bad;
  }
  EXPECT_THAT(load_set({{"delivery.source_address", "192.0.2.1,192.0.2.2"}}).findings.errors,
              ElementsAre(HasSubstr("at most one address of each family")));
  EXPECT_THAT(load_set({{"delivery.allow_networks", "10.0.0.1/8"}}).findings.errors,
              ElementsAre(HasSubstr("10.0.0.0/8 was probably meant")));
  EXPECT_THAT(load_set({{"dns.servers", "192.0.2.53:99999"}}).findings.errors,
              ElementsAre(StartsWith("dns.servers: ")));
}

// Reliability A10: what people paste into issues holds no password, nor does a message about it.
// What would be dropped at the start, without a word, is refused.
TEST(Config, HostsAreWholeNames) {
  for (const char* bad :
       {"*.example.com", "::1", "a.example:x", "a.example:0", "a b", "a.example/x"}) {
    EXPECT_THAT(
        load_set({{"server.allowed_hosts", std::string("[\"") + bad + "\"]"}}).findings.errors,
        ElementsAre(HasSubstr("server.allowed_hosts")))
        << bad;
  }
  for (const char* good : {"a.example", "a.example:8480", "192.0.2.1", "[::1]", "localhost"}) {
    EXPECT_THAT(
        load_set({{"server.allowed_hosts", std::string("[\"") + good + "\"]"}}).findings.errors,
        IsEmpty())
        << good;
  }
  EXPECT_THAT(load_set({{"server.public_url", "https://ev.example:x"}}).findings.errors,
              ElementsAre(HasSubstr("server.public_url")));
}

TEST(Config, PasswordsAreNotShown) {
  const Loaded loaded = load_set({{"store.url", "postgresql://me:se:cr@t@db/x"}});
  EXPECT_THAT(render(loaded.config),
              AllOf(HasSubstr("url = \"***\""), testing::Not(HasSubstr("cr@t"))));
  const Loaded by_token = load_set({{"delivery.proxy", "\"http://token@proxy:3128\""}});
  EXPECT_THAT(render(by_token.config), HasSubstr("http://***@proxy:3128"));
  const Loaded proxied = load_set({{"delivery.proxy", "\"http://me:se:cr@t@proxy:3128\""}});
  EXPECT_THAT(render(proxied.config), HasSubstr("http://me:***@proxy:3128"));
  const Loaded alerted = load_set({{"alerts.url", "\"https://me:se:cr%40t@a.example/x\""}});
  EXPECT_THAT(render(alerted.config),
              AllOf(HasSubstr("me:***@a.example/x"), testing::Not(HasSubstr("cr%40t"))));
  EXPECT_THAT(load_set({{"delivery.proxy", "\"ftp://me:secret@proxy\""}}).findings.errors,
              ElementsAre(testing::Not(HasSubstr("secret"))));
  EXPECT_THAT(load_set({{"store.url", "redis://me:secret@db"}}).findings.errors,
              ElementsAre(testing::Not(HasSubstr("secret"))));
}

TEST(Config, ListenAddressIsAnIpLiteralWithAPort) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:0")->port, 0);
  EXPECT_EQ(parse_listen_address("[::1]:65535")->address, "::1");
  for (const char* bad :
       {"", "8480", ":8480", "localhost:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80",
        "[127.0.0.1]:1", "[::1]", "127.0.0.1:+1", "[::1]x:1"}) {
    EXPECT_FALSE(parse_listen_address(bad)) << bad;
  }
}

}  // namespace
}  // namespace eventhorn::config
