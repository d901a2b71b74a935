#include "event/sample.h"

#include "base/check.h"
#include "event/event.h"
#include "event/normalize.h"
#include "json/writer.h"

namespace eventhorn::event {
namespace {

constexpr std::string_view kRecipient = "alice@example.com";

struct Sample {
  std::string_view hook;
  Name name;
  Severity severity;
  std::string_view domain;
};

Name name_of(std::string_view hook) {
  if (hook == "temporary_fail" || hook == "permanent_fail") return Name::kFailed;
  const auto name = parse_name(hook);
  CHECK(name.has_value());
  return *name;
}

Severity severity_of(std::string_view hook) {
  if (hook == "temporary_fail") return Severity::kTemporary;
  return hook == "permanent_fail" ? Severity::kPermanent : Severity::kNone;
}

std::string at(std::string_view local, std::string_view domain) {
  return std::string(local) + "@" + std::string(domain);
}

void write_envelope(json::Writer& w, const Sample& sample) {
  w.key("envelope").begin_object();
  w.key("sender").value(at("bob", sample.domain)).key("targets").value(kRecipient);
  w.key("transport").value("smtp");
  if (sample.name != Name::kAccepted) w.key("sending-ip").value("203.0.113.200");
  w.end_object();
}

void write_flags(json::Writer& w, const Sample& sample) {
  w.key("flags").begin_object();
  if (sample.name != Name::kComplained) {
    w.key("is-authenticated").value(true).key("is-routed").value(false);
    w.key("is-big").value(false).key("is-system-test").value(false);
  }
  w.key("is-test-mode").value(false).end_object();
}

void write_delivery_status(json::Writer& w, const Sample& sample) {
  w.key("delivery-status").begin_object().key("attempt-no").value(1);
  switch (sample.severity) {
    case Severity::kNone:
      w.key("code").value(250).key("message").value("OK").key("description").value("");
      w.key("enhanced-code").value("2.0.0").key("session-seconds").value(0.433);
      break;
    case Severity::kTemporary:
      w.key("code").value(452);
      w.key("message").value("4.2.2 The mailbox is over quota, try again later");
      w.key("description").value("").key("enhanced-code").value("4.2.2");
      w.key("session-seconds").value(0.478).key("retry-seconds").value(600);
      w.key("bounce-type").value("soft");
      break;
    case Severity::kPermanent:
      w.key("code").value(550).key("message").value("5.1.1 The mailbox does not exist");
      w.key("description").value("").key("enhanced-code").value("5.1.1");
      w.key("session-seconds").value(0.208).key("bounce-type").value("hard");
      break;
  }
  w.key("mx-host").value("mx.example.com").key("certificate-verified").value(true);
  w.key("tls").value(true).key("utf8").value(true).end_object();
}

// Engagement events know the message only by its id (spec/event-types.md, presence matrix).
void write_message(json::Writer& w, const Sample& sample, bool full) {
  w.key("message").begin_object().key("headers").begin_object();
  if (full) {
    w.key("to").value("Alice <" + std::string(kRecipient) + ">");
    w.key("from").value("Bob <" + at("bob", sample.domain) + ">");
    w.key("subject").value("Test " + std::string(sample.hook) + " webhook");
  }
  w.key("message-id").value(at("20180319151102.1.sample", sample.domain)).end_object();
  if (full) {
    w.key("attachments").begin_array().end_array();
    if (sample.name == Name::kAccepted) {
      w.key("recipients").begin_array().value(kRecipient).end_array();
    }
    w.key("size").value(111);
  }
  w.end_object();
}

void write_storage(json::Writer& w, const Sample& sample) {
  const std::string path = "/v3/domains/" + std::string(sample.domain) + "/messages/message_key";
  w.key("storage").begin_object().key("key").value("message_key");
  w.key("url").value("https://storage.example.com" + path).end_object();
}

void write_client(json::Writer& w) {
  w.key("ip").value("203.0.113.77");
  w.key("geolocation").begin_object().key("country").value("US").key("region").value("CA");
  w.key("city").value("San Francisco").end_object();
  w.key("client-info").begin_object().key("client-type").value("browser");
  w.key("client-os").value("Linux").key("device-type").value("desktop");
  w.key("client-name").value("Chrome").key("user-agent");
  w.value(
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
      "Chrome/144.0.0.0 Safari/537.36");
  w.key("bot").value("").end_object();
}

void write_details(json::Writer& w, const Sample& sample) {
  switch (sample.name) {
    case Name::kOpened:
    case Name::kClicked:
    case Name::kUnsubscribed:
      write_client(w);
      if (sample.name == Name::kClicked) w.key("url").value("https://example.com/signup");
      write_message(w, sample, false);
      return;
    case Name::kComplained:
      write_flags(w, sample);
      write_message(w, sample, true);
      return;
    case Name::kAccepted:
      w.key("method").value("HTTP");
      break;
    default:
      write_delivery_status(w, sample);
      break;
  }
  write_envelope(w, sample);
  write_flags(w, sample);
  write_message(w, sample, true);
  write_storage(w, sample);
}

}  // namespace

std::string make_sample(std::string_view hook_name, std::string_view domain,
                        std::string_view account_id, SystemTime now, std::string_view id) {
  const Sample sample{hook_name, name_of(hook_name), severity_of(hook_name), domain};
  std::string out;
  json::Writer w(out);
  w.begin_object().key("event").value(to_string(sample.name)).key("id").value(id);
  // Normalisation fills what is null; here they keep the vendor's order.
  for (const char* key : {"timestamp", "log-level", "account", "domain"}) w.key(key).value(nullptr);
  if (sample.severity != Severity::kNone) {
    const bool permanent = sample.severity == Severity::kPermanent;
    w.key("severity").value(to_string(sample.severity));
    w.key("reason").value(permanent ? "bounce" : "generic");
  }
  write_details(w, sample);
  w.key("recipient").value(kRecipient).key("recipient-domain").value("example.com");
  w.key("tags").begin_array().value("my_tag_1").value("my_tag_2").end_array();
  w.key("campaigns").begin_array().end_array();
  w.key("user-variables").begin_object().key("my_var_1").value("Mailgun Variable #1");
  w.key("my-var-2").value("awesome").end_object().end_object();

  Normalizer normalizer([id] { return std::string(id); });
  // A whole second gets a fraction, and so may end up ahead.
  const SystemTime latest = now + std::chrono::seconds(1);
  auto event = normalizer.normalize(out, {domain, account_id, now, latest, out.size()});
  CHECK(event.has_value());
  return std::move(event->bytes);
}

}  // namespace eventhorn::event
