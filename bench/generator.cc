#include "generator.h"

#include "base/strings.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace eventhorn::bench {
namespace {

constexpr std::array<std::string_view, 32> kFirstNames = {
    "dana",  "omar", "lena", "ivan", "mei",   "paul", "sara",  "tomas", "nina",   "hugo",  "aisha",
    "erik",  "rosa", "jan",  "yuki", "clara", "amir", "eva",   "felix", "gita",   "henry", "ines",
    "jonas", "kira", "luca", "maya", "noah",  "olga", "petra", "quinn", "rafael", "sofia"};
constexpr std::array<std::string_view, 32> kLastNames = {
    "ruiz",   "keller", "novak",  "okafor", "tanaka",  "lindt",  "moreau", "silva",
    "brandt", "costa",  "dubois", "engel",  "fischer", "garcia", "haas",   "ito",
    "jensen", "kovacs", "larsen", "meyer",  "nagy",    "olsen",  "petrov", "quist",
    "rossi",  "santos", "tran",   "ueda",   "vargas",  "weber",  "young",  "zeman"};

struct Provider {
  std::string_view domain;
  std::string_view name;
  unsigned percent;
};

constexpr std::array<Provider, 6> kProviders = {{{"gmail.example", "Gmail", 44},
                                                 {"outlook.example", "Outlook 365", 19},
                                                 {"yahoo.example", "Yahoo", 12},
                                                 {"icloud.example", "Apple iCloud", 9},
                                                 {"inbox.example", "Other", 10},
                                                 {"corp-mail.example", "Other", 6}}};

constexpr std::array<std::string_view, 20> kOpenings = {"Your weekly summary:",
                                                        "Reminder:",
                                                        "Last chance:",
                                                        "New for you:",
                                                        "Thank you for your order,",
                                                        "Action needed:",
                                                        "We miss you,",
                                                        "Receipt for",
                                                        "Invoice for",
                                                        "Welcome aboard,",
                                                        "Good news about",
                                                        "Save 20 % on",
                                                        "An update on",
                                                        "Please confirm",
                                                        "Just arrived:",
                                                        "Don\u2019t forget",
                                                        "Votre reçu pour",
                                                        "Neuigkeiten über",
                                                        "Seen on your list:",
                                                        "Ready to collect:"};
constexpr std::array<std::string_view, 10> kTopics = {
    "your parcel is on its way", "summer garden tools",      "the annual plan",
    "your account security",     "five recipes for tonight", "the spring collection",
    "your next appointment",     "flights to the coast",     "the members’ meeting",
    "a refurbished laptop"};
static_assert(kOpenings.size() * kTopics.size() == kSubjects);

struct Platform {
  std::string_view info;  // client-info up to the version
  std::string_view rest;  // user agent after it
  unsigned first_version;
};

constexpr std::array<Platform, 5> kPlatforms = {{
    {R"("client-type":"browser","client-os":"Windows","device-type":"desktop","client-name":"Chrome","user-agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/)",
     ".0.0.0 Safari/537.36", 135},
    {R"("client-type":"browser","client-os":"OS X","device-type":"desktop","client-name":"Safari","user-agent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/)",
     ".1 Safari/605.1.15", 9},
    {R"("client-type":"mobile browser","client-os":"iOS","device-type":"mobile","client-name":"Mobile Safari","user-agent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E)",
     "", 140},
    {R"("client-type":"mobile browser","client-os":"Android","device-type":"mobile","client-name":"Chrome Mobile","user-agent":"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/)",
     ".0.0.0 Mobile Safari/537.36", 135},
    {R"("client-type":"email client","client-os":"Linux","device-type":"desktop","client-name":"Thunderbird","user-agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/)",
     ".0", 128},
}};

constexpr std::array<std::string_view, 12> kTags = {
    "newsletter",  "shipping", "order-update", "welcome", "receipt",  "reminder",
    "spring-sale", "security", "digest",       "invoice", "win-back", "onboarding"};

struct City {
  std::string_view country;
  std::string_view region;
  std::string_view city;
  std::string_view timezone;
};

constexpr std::array<City, 6> kCities = {{{"US", "TX", "San Antonio", "America/Chicago"},
                                          {"US", "NY", "Buffalo", "America/New_York"},
                                          {"DE", "BY", "Nuremberg", "Europe/Berlin"},
                                          {"FR", "ARA", "Lyon", "Europe/Paris"},
                                          {"JP", "27", "Osaka", "Asia/Tokyo"},
                                          {"BR", "SP", "Campinas", "America/Sao_Paulo"}}};

struct Failure {
  std::string_view reason;
  unsigned code;
  std::string_view enhanced_code;
  std::string_view message;
};

constexpr std::array<Failure, 3> kTemporary = {
    {{"generic", 452, "4.2.2", "4.2.2 The mailbox is over quota, try again later"},
     {"greylisted", 451, "4.7.1", "4.7.1 Greylisted, please try again in 300 seconds"},
     {"espblock", 421, "4.7.0", "4.7.0 Too many messages from this address, slow down"}}};
constexpr std::array<Failure, 3> kPermanent = {
    {{"bounce", 550, "5.1.1", "5.1.1 The mailbox does not exist here"},
     {"bounce", 552, "5.2.2", "5.2.2 The mailbox is full and no longer read"},
     {"espblock", 554, "5.7.1", "5.7.1 Message refused by the content policy of the receiver"}}};

std::vector<std::string> make_subjects() {
  std::vector<std::string> subjects;
  for (const auto opening : kOpenings) {
    for (const auto topic : kTopics) subjects.push_back(fmt::format("{} {}", opening, topic));
  }
  return subjects;
}

std::vector<std::string> make_client_infos() {
  std::vector<std::string> infos;
  for (const auto& platform : kPlatforms) {
    for (unsigned n = 0; n < kUserAgents / kPlatforms.size(); ++n) {
      infos.push_back(fmt::format(R"({{{}{}{}","bot":""}})", platform.info,
                                  platform.first_version + n, platform.rest));
    }
  }
  return infos;
}

/// Mixes a number so that consecutive ones give unrelated streams.
uint64_t scramble(uint64_t n) {
  return Random(n).next();
}

const Share& pick_share(uint64_t per_mille) {
  for (const auto& share : kMix) {
    if (per_mille < share.per_mille) return share;
    per_mille -= share.per_mille;
  }
  return kMix.front();
}

/// The same recipient has the same provider in every event.
const Provider& provider_of(uint64_t recipient) {
  uint64_t percent = scramble(recipient) % 100;
  for (const auto& provider : kProviders) {
    if (percent < provider.percent) return provider;
    percent -= provider.percent;
  }
  return kProviders.back();
}

std::string make_id(Random& random) {
  std::string bytes(16, '\0');
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = random.next();
    for (size_t k = 0; k < 8; ++k) bytes[i + k] = static_cast<char>(word >> (8 * k));
  }
  return base64url_encode(bytes);
}

/// What several parts of one event repeat.
struct Draft {
  Kind kind;
  std::string_view domain;
  std::string recipient;
  const Provider* provider;
  int64_t seconds;
  uint64_t message;
  std::string_view subject;
};

template <class... Args>
void put(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

/// accepted, delivered and failed carry the whole message and where it is stored (spec: field
/// presence matrix).
void put_message(const Draft& d, Random& random, std::string& out) {
  const std::string key = make_id(random);
  put(out,
      R"(,"message":{{"headers":{{"to":"{}","message-id":"{}.{:016x}@{}","from":"Acme Parcels <notify@{}>","subject":"{}"}},)"
      R"("attachments":[],"size":{}}})",
      d.recipient, d.seconds, d.message, d.domain, d.domain, d.subject,
      2000 + random.below(60'000));
  put(out,
      R"(,"storage":{{"key":"BAABAAVkQ2s7{}","url":"https://storage-us-east4.mail.example/v3/domains/{}/messages/)"
      R"(BAABAAVkQ2s7{}","region":"us-east4","env":"production"}})",
      key, d.domain, key);
}

void put_sending(const Draft& d, Random& random, std::string& out) {
  put(out,
      R"(,"envelope":{{"sender":"notify@{}","targets":"{}","transport":"smtp","sending-ip":"203.0.113.{}"}})",
      d.domain, d.recipient, random.below(250));
  put(out,
      R"(,"flags":{{"is-authenticated":true,"is-routed":false,"is-big":false,"is-system-test":false,"is-test-mode":false}})");
}

void put_accepted(const Draft& d, Random& random, std::string& out) {
  put(out,
      R"(,"method":"HTTP","envelope":{{"sender":"notify@{}","targets":"{}","transport":"smtp"}})",
      d.domain, d.recipient);
  put(out,
      R"(,"flags":{{"is-authenticated":true,"is-test-mode":false}},"originating-ip":"203.0.113.{}",)"
      R"("api-key-id":"413e373c-0aad3c37")",
      random.below(250));
  put_message(d, random, out);
}

void put_host_status(const Draft& d, Random& random, std::string& out) {
  put(out,
      R"("attempt-no":1,"description":"","session-seconds":{}.{:03},"mx-host":"mx{}.{}","mx-host-ip":"198.51.100.{}",)"
      R"("certificate-verified":true,"tls":true,"utf8":true,"first-delivery-attempt-seconds":0.0{}}})",
      random.below(3), 1 + random.below(998), 1 + random.below(4), d.provider->domain,
      random.below(250), 11 + random.below(80));
}

void put_delivered(const Draft& d, Random& random, std::string& out) {
  put_sending(d, random, out);
  put(out,
      R"(,"primary-dkim":"s1._domainkey.{}","delivery-status":{{"code":250,"message":"OK","enhanced-code":"2.0.0",)",
      d.domain);
  put_host_status(d, random, out);
  put_message(d, random, out);
}

void put_failed(const Draft& d, Random& random, std::string& out) {
  const bool temporary = d.kind == Kind::kTemporaryFail;
  const Failure& failure = temporary ? kTemporary[random.below(kTemporary.size())]
                                     : kPermanent[random.below(kPermanent.size())];
  put(out, R"(,"severity":"{}","reason":"{}")", temporary ? "temporary" : "permanent",
      failure.reason);
  put_sending(d, random, out);
  put(out,
      R"(,"delivery-status":{{"code":{},"message":"{}","enhanced-code":"{}","bounce-type":"{}",)",
      failure.code, failure.message, failure.enhanced_code, temporary ? "soft" : "hard");
  if (temporary) put(out, R"("retry-seconds":600,)");
  put_host_status(d, random, out);
  put_message(d, random, out);
}

/// opened, clicked and unsubscribed know the reader and only the message's id.
void put_read(const Draft& d, std::string_view client_info, Random& random, std::string& out) {
  const City& city = kCities[random.below(kCities.size())];
  put(out,
      R"(,"ip":"203.0.113.{}","geolocation":{{"country":"{}","region":"{}","city":"{}","timezone":"{}"}})",
      random.below(250), city.country, city.region, city.city, city.timezone);
  put(out,
      R"(,"client-info":{},"message":{{"headers":{{"message-id":"{}.{:016x}@{}"}}}},"delivered-at":{})",
      client_info, d.seconds, d.message, d.domain, d.seconds);
  if (d.kind == Kind::kClicked) {
    put(out,
        R"(,"url":"https://shop.acme-parcels.example/track/{}?utm_source=mail&utm_medium=email")",
        random.below(1'000'000));
  }
  if (d.kind == Kind::kUnsubscribed)
    put(out, R"(,"mailing-list":{{"address":"news@{}","list-id":"news.{}"}})", d.domain, d.domain);
}

void put_complained(const Draft& d, Random& random, std::string& out) {
  put(out, R"(,"envelope":{{"sending-ip":"203.0.113.{}"}},"flags":{{"is-test-mode":false}})",
      random.below(250));
  put_message(d, random, out);
}

/// Ends the event. One variable holds JSON in a string, as `v:` variables of real senders do.
void put_labels(Random& random, uint64_t customer, std::string& out) {
  const uint64_t tag = random.below(kTags.size());
  const uint64_t other = (tag + 1 + random.below(kTags.size() - 1)) % kTags.size();
  put(out,
      R"(,"tags":["{}","{}"],"campaigns":[],"user-variables":{{"order_id":"{}","customer":"{:016x}",)",
      kTags[tag], kTags[other], random.below(10'000'000), customer);
  put(out,
      R"("campaign":"returning-customers-{:02}","segment":"{{\"plan\": \"pro\", \"cohort\": {}}}"}}}})",
      1 + random.below(52), 10 + random.below(90));
}

std::string_view log_level(Kind kind) {
  if (kind == Kind::kPermanentFail) return "error";
  return kind == Kind::kTemporaryFail || kind == Kind::kComplained ? "warn" : "info";
}

}  // namespace

uint64_t Random::next() {
  state_ += 0x9e3779b97f4a7c15U;
  uint64_t x = state_;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

Generator::Generator(uint64_t seed, SystemTime start, std::string domain, Pace pace)
    : seed_(scramble(seed)),
      start_us_(to_micros(start)),
      domain_(std::move(domain)),
      pace_(pace),
      subjects_(make_subjects()),
      client_infos_(make_client_infos()) {}

std::string Generator::event_id(uint64_t index) const {
  Random random(scramble(seed_ ^ index));
  return make_id(random);
}

/// From numbers of its own, so that an event is the same at every pace but for its times.
Micros Generator::lateness(uint64_t index) const {
  Random random(scramble(~(seed_ ^ index)));
  if (random.below(1000) >= pace_.late_per_mille) return Micros{0};
  return Micros(random.below(static_cast<uint64_t>(pace_.late_by.count())));
}

void Generator::append_event(uint64_t index, std::string& out) const {
  Random random(scramble(seed_ ^ index));
  const std::string id = make_id(random);
  const Share& share = pick_share(random.below(1000));
  const uint64_t recipient = random.below(kRecipients);
  const Provider& provider = provider_of(recipient);
  int64_t time = start_us_ +
                 static_cast<int64_t>(index * pace_.spacing.count() + random.below(2'000'000)) -
                 lateness(index).count();
  if (time % 1'000'000 == 0) ++time;  // a whole second has no fraction to print
  const int64_t seconds = time / 1'000'000;
  const Draft d{share.kind,
                domain_,
                fmt::format("{}.{}{}@{}", kFirstNames[recipient % 32],
                            kLastNames[recipient / 32 % 32], recipient / 1024, provider.domain),
                &provider,
                seconds,
                random.next(),
                subjects_[random.below(kSubjects)]};

  put(out, R"({{"event":"{}","id":"{}","timestamp":{}.{:06},"log-level":"{}")", share.event, id,
      seconds, time % 1'000'000, log_level(share.kind));
  put(out, R"(,"recipient":"{}","recipient-domain":"{}","recipient-provider":"{}")", d.recipient,
      provider.domain, provider.name);
  switch (share.kind) {
    case Kind::kAccepted:
      put_accepted(d, random, out);
      break;
    case Kind::kDelivered:
      put_delivered(d, random, out);
      break;
    case Kind::kTemporaryFail:
    case Kind::kPermanentFail:
      put_failed(d, random, out);
      break;
    case Kind::kComplained:
      put_complained(d, random, out);
      break;
    case Kind::kOpened:
    case Kind::kClicked:
    case Kind::kUnsubscribed:
      put_read(d, client_infos_[random.below(kUserAgents)], random, out);
      break;
  }
  put_labels(random, scramble(~recipient), out);
}

}  // namespace eventhorn::bench
