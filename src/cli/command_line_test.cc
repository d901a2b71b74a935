#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

Command parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "eventhorn");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

auto is_setting(const char* key, const char* text, const char* origin) {
  return AllOf(Field(&config::Setting::key, key), Field(&config::Setting::text, text),
               Field(&config::Setting::origin, origin));
}

// The exit of a mistake; an unexpected command shows as code -1.
Exit mistake(std::vector<const char*> arguments) {
  const Command command = parse(std::move(arguments));
  const auto* exit = std::get_if<Exit>(&command);
  return exit == nullptr ? Exit{-1, ""} : *exit;
}

TEST(CommandLine, ServeNeedsNoOptions) {
  const Command command = parse({"serve"});
  const auto* serve = std::get_if<Serve>(&command);
  ASSERT_NE(serve, nullptr);
  EXPECT_EQ(serve->sources.file, "");
  EXPECT_THAT(serve->sources.settings, IsEmpty());
}

TEST(CommandLine, DedicatedOptionsComeAfterEverySet) {
  const Command command = parse({"serve", "--data", "d", "--listen=127.0.0.1:0", "--dev", "--store",
                                 "postgresql://h/db", "--config", "c.toml", "--set",
                                 "delivery.timeout=2s", "--set=store.data=x=y"});
  const auto* serve = std::get_if<Serve>(&command);
  ASSERT_NE(serve, nullptr);
  EXPECT_EQ(serve->sources.file, "c.toml");
  EXPECT_THAT(
      serve->sources.settings,
      ElementsAre(is_setting("delivery.timeout", "2s", "--set"),
                  is_setting("store.data", "x=y", "--set"), is_setting("store.data", "d", "--data"),
                  is_setting("server.listen", "127.0.0.1:0", "--listen"),
                  is_setting("store.url", "postgresql://h/db", "--store"),
                  is_setting("dev", "true", "--dev")));
}

TEST(CommandLine, SetTakesListsAndEmptyValuesWhole) {
  const Command command =
      parse({"serve", "--set", R"(delivery.allow_networks=["127.0.0.0/8", "::1/128"])", "--set",
             "store.url="});
  const auto* serve = std::get_if<Serve>(&command);
  ASSERT_NE(serve, nullptr);
  EXPECT_THAT(
      serve->sources.settings,
      ElementsAre(is_setting("delivery.allow_networks", R"(["127.0.0.0/8", "::1/128"])", "--set"),
                  is_setting("store.url", "", "--set")));
}

TEST(CommandLine, ConfigPrintTakesTheOptionsOfServe) {
  const Command command = parse({"config", "print", "--config", "c.toml", "--dev"});
  const auto* print = std::get_if<ConfigPrint>(&command);
  ASSERT_NE(print, nullptr);
  EXPECT_EQ(print->sources.file, "c.toml");
  EXPECT_THAT(print->sources.settings, ElementsAre(is_setting("dev", "true", "--dev")));
}

TEST(CommandLine, SelftestHasDefaultsAndBounds) {
  const Command command = parse({"selftest", "--hostile"});
  const auto* selftest = std::get_if<Selftest>(&command);
  ASSERT_NE(selftest, nullptr);
  EXPECT_EQ(selftest->options.events, 2000U);
  EXPECT_EQ(selftest->options.kills, 5U);
  EXPECT_EQ(selftest->options.seconds, std::chrono::seconds(15));
  const Command sized =
      parse({"selftest", "--hostile", "--events", "9", "--kills=0", "--seconds", "2"});
  ASSERT_TRUE(std::holds_alternative<Selftest>(sized));
  EXPECT_EQ(std::get<Selftest>(sized).options.events, 9U);
  EXPECT_EQ(std::get<Selftest>(sized).options.kills, 0U);
  EXPECT_EQ(std::get<Selftest>(sized).options.seconds, std::chrono::seconds(2));
  EXPECT_THAT(mistake({"selftest"}).text,
              AllOf(HasSubstr("--hostile"), HasSubstr("Try: eventhorn selftest --help")));
  EXPECT_EQ(mistake({"selftest", "--hostile", "--events", "0"}).code, 2);
  EXPECT_EQ(mistake({"selftest", "--hostile", "--seconds", "0"}).code, 2);
}

TEST(CommandLine, VersionIsACommandAndAFlag) {
  EXPECT_TRUE(std::holds_alternative<Version>(parse({"version"})));
  EXPECT_TRUE(std::holds_alternative<Version>(parse({"--version"})));
}

TEST(CommandLine, HelpHasExamplesForEachCommand) {
  const auto help = [](std::vector<const char*> arguments) {
    const Command command = parse(std::move(arguments));
    const auto* exit = std::get_if<Exit>(&command);
    return exit != nullptr && exit->code == 0 ? exit->text : "no help";
  };
  EXPECT_THAT(help({"--help"}), AllOf(HasSubstr("serve"), HasSubstr("eventhorn serve --dev")));
  EXPECT_THAT(
      help({"serve", "--help"}),
      AllOf(HasSubstr("--set KEY=VALUE"), HasSubstr("eventhorn serve --set delivery.timeout=2s")));
  EXPECT_THAT(help({"config", "--help"}), HasSubstr("print"));
  EXPECT_THAT(help({"config", "print", "--help"}),
              HasSubstr("eventhorn config print > eventhorn.toml"));
  EXPECT_THAT(help({"selftest", "--help"}), HasSubstr("eventhorn selftest --hostile --events"));
  EXPECT_THAT(help({"version", "--help"}), HasSubstr("eventhorn version"));
}

TEST(CommandLine, MistakesSayWhatToDoNext) {
  for (const auto& arguments :
       std::vector<std::vector<const char*>>{{}, {"start"}, {"config"}, {"serve", "--prot", "1"}}) {
    const Exit exit = mistake(arguments);
    EXPECT_EQ(exit.code, 2);
    EXPECT_THAT(exit.text, HasSubstr("--help\n"));
  }
  EXPECT_THAT(mistake({"serve", "--prot", "1"}).text,
              AllOf(HasSubstr("--prot"), HasSubstr("Try: eventhorn serve --help")));
  EXPECT_THAT(mistake({"serve", "--set", "dev"}).text,
              HasSubstr("takes key=value, such as delivery.timeout=2s"));
  EXPECT_THAT(mistake({"serve", "--set", "=1"}).text, HasSubstr("takes key=value"));
  EXPECT_EQ(mistake({"serve", "--listen"}).code, 2);
  EXPECT_EQ(mistake({"serve", "--data", "a", "--data", "b"}).code, 2);
}

TEST(CommandLine, Reindex) {
  const Command command = parse({"reindex", "--data", "d"});
  const auto* reindex = std::get_if<Reindex>(&command);
  ASSERT_NE(reindex, nullptr);
  EXPECT_THAT(reindex->sources.settings, ElementsAre(is_setting("store.data", "d", "--data")));
  EXPECT_THAT(mistake({"reindex", "--dta"}).text, HasSubstr("eventhorn reindex --help"));
  const Command help = parse({"reindex", "--help"});
  EXPECT_THAT(std::get<Exit>(help).text, HasSubstr("eventhorn reindex --data"));
}

TEST(CommandLine, Repair) {
  const Command command = parse({"repair", "--check", "--data", "d"});
  const auto* repair = std::get_if<Repair>(&command);
  ASSERT_NE(repair, nullptr);
  EXPECT_TRUE(repair->check);
  EXPECT_THAT(repair->sources.settings, ElementsAre(is_setting("store.data", "d", "--data")));
  EXPECT_FALSE(std::get<Repair>(parse({"repair"})).check);
  EXPECT_EQ(std::get<Repair>(parse({"repair", "--find", "a@b.c"})).find, "a@b.c");
  EXPECT_THAT(mistake({"repair", "--chek"}).text, HasSubstr("eventhorn repair --help"));
  const Command help = parse({"repair", "--help"});
  EXPECT_THAT(std::get<Exit>(help).text, HasSubstr("lost.ndjson"));
}

TEST(CommandLine, Import) {
  const Command command = parse({"import", "--domain", "d.org", "--json", "a.json", "-"});
  const auto* import = std::get_if<Import>(&command);
  ASSERT_NE(import, nullptr);
  EXPECT_EQ(import->options.domain, "d.org");
  EXPECT_EQ(import->options.server.url, "http://127.0.0.1:8480");
  EXPECT_TRUE(import->options.json);
  EXPECT_THAT(import->options.files, ElementsAre("a.json", "-"));
  EXPECT_EQ(mistake({"import", "a.json"}).code, 2);
  EXPECT_THAT(mistake({"import", "a.json"}).text, HasSubstr("Try: eventhorn import --help"));
}

TEST(CommandLine, ExportAndErase) {
  const Command command = parse({"export", "--domain", "d.org", "--filter", "event=failed",
                                 "--filter=tags=a=b", "--output", "x.gz", "--url", "http://h:1"});
  const auto* out = std::get_if<Export>(&command);
  ASSERT_NE(out, nullptr);
  EXPECT_THAT(out->options.filters,
              ElementsAre(std::pair("event", "failed"), std::pair("tags", "a=b")));
  EXPECT_EQ(out->options.output, "x.gz");
  EXPECT_EQ(out->options.server.url, "http://h:1");
  EXPECT_THAT(mistake({"export", "--domain", "d", "--filter", "event"}).text,
              HasSubstr("takes name=value"));
  const Command erasing = parse({"erase", "--domain", "d.org", "dana@example.com"});
  const auto* erase = std::get_if<Erase>(&erasing);
  ASSERT_NE(erase, nullptr);
  EXPECT_EQ(erase->options.address, "dana@example.com");
  EXPECT_EQ(mistake({"erase", "--domain", "d.org"}).code, 2);
}

}  // namespace
}  // namespace eventhorn::cli
