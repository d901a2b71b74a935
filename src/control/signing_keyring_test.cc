#include "control/signing_keyring.h"

#include "base/strings.h"
#include "base/test_support.h"
#include "control/keys.h"
#include "control/secret_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <latch>
#include <mutex>
#include <sys/stat.h>
#include <thread>

namespace eventhorn::control {
namespace {

using namespace std::chrono_literals;

constexpr const char* kApiKey = "0123456789abcdef0123456789abcdef-01234567-89abcdef";
constexpr const char* kGiven = "key-given";

std::string text_of(const std::filesystem::path& path) {
  return expect(read_secret_file(path)).value_or("absent");
}

void write(const std::filesystem::path& path, std::string_view text) {
  const auto status = write_secret_file(path, text);
  EXPECT_TRUE(status) << status.error().message;
}

struct SigningKeyringTest : ::testing::Test {
  std::unique_ptr<SigningKeyring> open(const std::string& given = kGiven) const {
    return expect(SigningKeyring::open(temp.path(), given, clock));
  }

  std::filesystem::path file(const char* name) const { return temp.path() / name; }

  TempDir temp;
  FakeClock clock;
};

bool signs(const std::shared_ptr<const crypto::HmacKey>& key, const std::string& text) {
  return key && key->sign({"data"}) == crypto::hmac_sha256(text, "data");
}

/// What two states have in common for receivers and operators.
std::string summary(const KeyStates& states) {
  return states.current.text + " " + (states.staged ? states.staged->text : "-") + " " +
         (states.previous ? states.previous->text : "-");
}

TEST_F(SigningKeyringTest, BeginsWithTheGivenKeyAndWritesNothingDown) {
  const auto ring = open();
  EXPECT_EQ(summary(ring->states()), "key-given - -");
  EXPECT_EQ(ring->states().current.created_at, std::nullopt);
  EXPECT_TRUE(signs(ring->keys().current, kGiven));
  EXPECT_EQ(ring->keys().previous, nullptr);
  EXPECT_TRUE(std::filesystem::is_empty(temp.path()));
}

TEST_F(SigningKeyringTest, MakesAKeyOnceWhenNoneIsGiven) {
  const std::string made = open("")->states().current.text;
  EXPECT_EQ(made.size(), 4U + 32U);
  EXPECT_EQ(text_of(file("signing_key")), made + "\n");
  EXPECT_EQ(open("")->states().current.text, made);
  EXPECT_EQ(open(kGiven)->states().current.text, kGiven) << "not rotated: the environment wins";
}

TEST_F(SigningKeyringTest, A3StagePromoteRetire) {
  const auto ring = open();
  const auto staged = expect(ring->stage());
  EXPECT_EQ(staged.current.text, kGiven);
  EXPECT_EQ(staged.staged->created_at, clock.now());
  EXPECT_NE(staged.staged->text, kGiven);
  EXPECT_TRUE(signs(ring->keys().current, kGiven)) << "a staged key does not sign";
  EXPECT_EQ(ring->keys().previous, nullptr);

  const auto promoted = expect(ring->promote());
  EXPECT_EQ(summary(promoted), staged.staged->text + " - " + kGiven);
  EXPECT_EQ(promoted.previous_until, std::nullopt);
  EXPECT_TRUE(signs(ring->keys().current, staged.staged->text));
  EXPECT_TRUE(signs(ring->keys().previous, kGiven));
  clock.advance(24h * 365);
  EXPECT_TRUE(signs(ring->keys().previous, kGiven)) << "only retire() ends it";

  EXPECT_EQ(summary(expect(ring->retire())), staged.staged->text + " - -");
  EXPECT_EQ(ring->keys().previous, nullptr);
}

TEST_F(SigningKeyringTest, StepsOutOfTurnChangeNothing) {
  const auto ring = open();
  EXPECT_EQ(ring->promote().error().code, Errc::kConflict);
  EXPECT_EQ(ring->retire().error().code, Errc::kConflict);
  EXPECT_EQ(summary(ring->states()), "key-given - -");
  const auto staged = expect(ring->stage());
  EXPECT_EQ(ring->stage().error().code, Errc::kConflict);
  EXPECT_EQ(summary(ring->states()), summary(staged));
}

TEST_F(SigningKeyringTest, RegenerateSwitchesAtOnceAndTheOldKeyEndsByItself) {
  const auto ring = open();
  const auto staged = expect(ring->stage());
  const auto made = expect(ring->regenerate());
  EXPECT_NE(made.current.text, kGiven);
  EXPECT_EQ(made.staged->text, staged.staged->text);
  EXPECT_EQ(made.previous_until, clock.now() + SigningKeyring::kGrace);
  EXPECT_TRUE(signs(ring->keys().current, made.current.text));
  clock.advance(SigningKeyring::kGrace - 1us);
  EXPECT_TRUE(signs(ring->keys().previous, kGiven));
  EXPECT_TRUE(signs(open()->keys().previous, kGiven));
  clock.advance(1us);
  EXPECT_EQ(ring->keys().previous, nullptr);
  EXPECT_TRUE(signs(ring->keys().current, made.current.text));
  EXPECT_EQ(ring->states().previous, std::nullopt);
  EXPECT_EQ(ring->retire().error().code, Errc::kConflict);
  EXPECT_EQ(open()->keys().previous, nullptr);
}

// A restart, clean or not, finds what the last answered step left.
TEST_F(SigningKeyringTest, EveryStepIsOnDiskWhenItReturns) {
  const auto ring = open();
  using Step = Result<KeyStates> (SigningKeyring::*)();
  for (const Step step :
       {&SigningKeyring::stage, &SigningKeyring::promote, &SigningKeyring::stage,
        &SigningKeyring::promote, &SigningKeyring::retire, &SigningKeyring::regenerate}) {
    const auto after = expect((ring.get()->*step)());
    const auto again = open()->states();
    EXPECT_EQ(summary(again), summary(after));
    EXPECT_EQ(again.current.created_at, after.current.created_at);
    EXPECT_EQ(again.previous_until, after.previous_until);
  }
}

TEST_F(SigningKeyringTest, OnceRotatedTheFileWinsOverTheEnvironment) {
  const auto ring = open();
  expect(ring->stage());
  EXPECT_EQ(open("key-other")->states().current.text, "key-other") << "not rotated yet";
  const auto promoted = expect(ring->promote());
  for (const char* given : {"key-other", kGiven, ""})
    EXPECT_EQ(summary(open(given)->states()), summary(promoted)) << given;
}

TEST_F(SigningKeyringTest, TheWarningAboutTheEnvironmentNamesNoKey) {
  expect(open()->regenerate());
  ::testing::internal::CaptureStderr();
  const auto ring = open();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("EVENTHORN_SIGNING_KEY is not used"), std::string::npos) << log;
  EXPECT_EQ(log.find("key-"), std::string::npos) << log;
  ::testing::internal::CaptureStderr();
  const auto same = open(ring->states().current.text);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

// Reliability A10.
TEST_F(SigningKeyringTest, A10StepsLogNoKey) {
  const auto ring = open();
  ::testing::internal::CaptureStderr();
  expect(ring->stage());
  expect(ring->promote());
  expect(ring->retire());
  expect(ring->regenerate());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 4) << log;
  EXPECT_EQ(log.find("key-"), std::string::npos) << log;
}

// A kill between the two files of a rotation: the next start makes the second follow the first.
TEST_F(SigningKeyringTest, AKillWithinAStepIsMadeGood) {
  const auto ring = open("");
  const std::string old = text_of(file("signing_key"));
  const auto made = expect(ring->regenerate());
  EXPECT_EQ(text_of(file("signing_key")), made.current.text + "\n");
  write(file("signing_key"), old);
  EXPECT_EQ(summary(open("")->states()), summary(made));
  EXPECT_EQ(text_of(file("signing_key")), made.current.text + "\n");
  // Killed while the first was written: what is half done does not count.
  std::ofstream(file("signing_keys.part")) << "{\"current\":{\"key\":\"ke";
  EXPECT_EQ(summary(open("")->states()), summary(made));
  expect(open("")->stage());
}

TEST_F(SigningKeyringTest, ADamagedFileRefusesToStartNamingIt) {
  for (const char* text :
       {"", "x", "[]", "{", R"({"current":"key"})", R"({"staged":{}})", R"({"current":{"key":""}})",
        R"({"current":{"key":"a","created_us":"1"}})", R"({"previous_until_us":1.5})"}) {
    write(file("signing_keys"), text);
    const auto ring = SigningKeyring::open(temp.path(), kGiven, clock);
    ASSERT_FALSE(ring) << text;
    EXPECT_EQ(ring.error().code, Errc::kCorruption) << text;
    EXPECT_NE(ring.error().message.find(file("signing_keys").string()), std::string::npos);
  }
}

TEST_F(SigningKeyringTest, WhatCannotBeWrittenChangesNothing) {
  const auto ring = open();
  std::filesystem::create_directory(file("signing_keys.part"));
  const auto staged = ring->stage();
  ASSERT_FALSE(staged);
  EXPECT_EQ(staged.error().code, Errc::kUnavailable);
  EXPECT_EQ(ring->regenerate().error().code, Errc::kUnavailable);
  EXPECT_EQ(summary(ring->states()), "key-given - -");
  EXPECT_TRUE(signs(ring->keys().current, kGiven));
  std::filesystem::remove(file("signing_keys.part"));
  expect(ring->stage());
}

// Reliability A3: attempts are signed on other cores while keys are rotated. Whatever moment they
// hit: the body's key is one that receivers were told before, and the second header's is the one
// before it.
TEST_F(SigningKeyringTest, A3NoAttemptIsSignedWithAKeyThatReceiversDoNotKnow) {
  const auto ring = open();
  std::mutex mutex;
  std::vector<std::string> told = {kGiven};  // guarded by mutex
  std::atomic<bool> done = false;
  std::atomic<int> bad = 0;
  const auto index_of = [&](const auto& key) {
    const std::lock_guard lock(mutex);
    const auto at = std::ranges::find_if(told, [&](const auto& text) { return signs(key, text); });
    return at == told.end() ? -1 : static_cast<int>(at - told.begin());
  };
  constexpr int kThreads = 3;
  std::latch under_way(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      under_way.count_down();
      while (!done) {
        const auto keys = ring->keys();
        const int current = index_of(keys.current);
        const bool good =
            current >= 0 && (!keys.previous || index_of(keys.previous) == current - 1);
        bad += good ? 0 : 1;
      }
    });
  }
  under_way.wait();
  for (int i = 0; i < 20; ++i) {
    const auto staged = expect(ring->stage());
    {
      const std::lock_guard lock(mutex);
      told.push_back(staged.staged->text);
    }
    expect(ring->promote());
    expect(ring->retire());
  }
  done = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
}

TEST_F(SigningKeyringTest, StepsAtTheSameTimeComeOneAfterTheOther) {
  const auto ring = open();
  std::atomic<int> staged = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { staged += ring->stage().has_value() ? 1 : 0; });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(staged, 1);
  EXPECT_EQ(summary(open()->states()), summary(ring->states()));
}

struct SecretFile : SigningKeyringTest {
  mode_t mode(const char* name) const {
    struct stat info{};
    EXPECT_EQ(::stat(file(name).c_str(), &info), 0);
    return info.st_mode & 07777;
  }
};

// Reliability A10: whatever an earlier crash or another hand has left there.
TEST_F(SecretFile, A10IsForItsOwnerAlone) {
  std::ofstream(file("a.part")) << "left";
  ::chmod(file("a.part").c_str(), 0666);
  write(file("a"), "secret");
  EXPECT_EQ(mode("a"), 0600U);
  EXPECT_EQ(text_of(file("a")), "secret");
  expect(open()->regenerate());
  for (const char* name : {"signing_keys", "signing_key"}) EXPECT_EQ(mode(name), 0600U) << name;
}

TEST_F(SecretFile, WhatCannotBeReadIsNotReplaced) {
  std::filesystem::create_symlink("loop", file("loop"));
  const auto made = read_or_make_secret(file("loop"), "made");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_symlink(file("loop")));
  std::ofstream(file("large")) << std::string(64 * 1024 + 1, 'x');
  EXPECT_FALSE(read_or_make_secret(file("large"), "made"));
  EXPECT_FALSE(Keys::load(file("large"), "", "", clock)) << "no directory";
}

// Reliability A10: the id goes out with events.
TEST_F(SecretFile, A10TheIdOfAnApiKeyTellsNothingThatMayBeGuessed) {
  const auto id = [&](const char* key) {
    return expect(Keys::load(temp.path(), key, kGiven, clock)).find(key)->key_id;
  };
  EXPECT_EQ(id(kApiKey), "01234567-89abcdef");
  for (const char* key : {"my-secret-password", "key-0123456789abcdef", "01234567-89abcdef", "k",
                          "x-0123456A-89abcdef"}) {
    const std::string digest = to_hex(crypto::bytes_of(crypto::sha256(key)));
    EXPECT_EQ(id(key), digest.substr(0, 8)) << key;
  }
}

// Reliability A1: all of the key counts.
TEST_F(SecretFile, A1OnlyTheWholeApiKeyIsAccepted) {
  const Keys keys = expect(Keys::load(temp.path(), kApiKey, kGiven, clock));
  const std::string key = kApiKey;
  EXPECT_TRUE(keys.find(key));
  for (size_t i = 0; i < key.size(); ++i) {
    std::string other = key;
    other[i] = other[i] == '0' ? '1' : '0';
    EXPECT_FALSE(keys.find(other)) << i;
    EXPECT_FALSE(keys.find(key.substr(0, i))) << i;
  }
  EXPECT_FALSE(keys.find(key + "0"));
  EXPECT_FALSE(keys.find(key + '\0'));
}

TEST_F(SecretFile, IsMadeOnce) {
  EXPECT_EQ(expect(read_or_make_secret(file("a"), "one")), "one");
  EXPECT_EQ(expect(read_or_make_secret(file("a"), "two")), "one");
  write(file("a"), "  three \r\n");
  EXPECT_EQ(expect(read_or_make_secret(file("a"), "two")), "three");
}

}  // namespace
}  // namespace eventhorn::control
