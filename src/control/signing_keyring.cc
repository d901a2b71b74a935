#include "control/signing_keyring.h"

#include "base/log.h"
#include "base/strings.h"
#include "control/secret_file.h"
#include "crypto/random.h"
#include "json/reader.h"
#include "json/writer.h"

#include <utility>

namespace eventhorn::control {
namespace {

constexpr const char* kStatesFile = "signing_keys";
constexpr const char* kCurrentFile = "signing_key";

/// The stored form. `current` is there once a key was rotated.
struct Stored {
  std::optional<NamedKey> current;
  std::optional<NamedKey> staged;
  std::optional<NamedKey> previous;
  std::optional<SystemTime> previous_until;
};

void write_key(json::Writer& w, const char* name, const NamedKey& key) {
  w.key(name).begin_object().key("key").value(key.text);
  if (key.created_at) w.key("created_us").value(to_micros(*key.created_at));
  w.end_object();
}

std::string encode(const Stored& stored) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  if (stored.current) write_key(w, "current", *stored.current);
  if (stored.staged) write_key(w, "staged", *stored.staged);
  if (stored.previous) write_key(w, "previous", *stored.previous);
  if (stored.previous_until) w.key("previous_until_us").value(to_micros(*stored.previous_until));
  w.end_object();
  return out + "\n";
}

Result<std::optional<SystemTime>> read_time(const json::Value& in, const char* name) {
  const auto* value = in.find(name);
  if (value == nullptr) return std::nullopt;
  const auto us = value->as_int();
  if (!us) return fail(Errc::kCorruption, std::string(name) + ": must be an integer");
  return from_micros(*us);
}

Result<std::optional<NamedKey>> read_key(const json::Value& in, const char* name) {
  const auto* value = in.find(name);
  if (value == nullptr) return std::nullopt;
  const auto* key = value->find("key");
  const auto* text = key == nullptr ? nullptr : key->as_string();
  if (text == nullptr || text->empty())
    return fail(Errc::kCorruption, std::string(name) + ": must have a key");
  TRY(const auto created_at, read_time(*value, "created_us"));
  return NamedKey{*text, created_at};
}

Result<Stored> decode(std::string_view text) {
  const auto value = json::parse(text);
  if (!value || value->as_object() == nullptr)
    return fail(Errc::kCorruption, "must be a JSON object");
  Stored out;
  TRY(out.current, read_key(*value, "current"));
  TRY(out.staged, read_key(*value, "staged"));
  TRY(out.previous, read_key(*value, "previous"));
  TRY(out.previous_until, read_time(*value, "previous_until_us"));
  return out;
}

Result<Stored> load(const std::filesystem::path& path) {
  TRY(const auto text, read_secret_file(path));
  if (!text) return Stored();
  auto stored = decode(*text);
  if (!stored)
    return fail(Errc::kCorruption,
                "the key file " + path.string() + " is damaged: " + stored.error().message);
  return stored;
}

std::string random_key() {
  return "key-" + to_hex(crypto::random_bytes(16));
}

}  // namespace

std::string NamedKey::id() const {
  return to_hex(crypto::bytes_of(crypto::sha256(text))).substr(0, 16);
}

Result<std::unique_ptr<SigningKeyring>> SigningKeyring::open(const std::filesystem::path& directory,
                                                             const std::string& given,
                                                             const Clock& clock) {
  std::unique_ptr<SigningKeyring> out(new SigningKeyring(directory, clock));
  TRY(auto stored, load(directory / kStatesFile));
  KeyStates states{{}, stored.staged, stored.previous, stored.previous_until};
  if (stored.current) {
    out->rotated_ = true;
    states.current = *std::move(stored.current);
    if (!given.empty() && given != states.current.text)
      log_warn("api", "EVENTHORN_SIGNING_KEY is not used: the signing key was rotated by API");
    out->show_current(states);
  } else if (!given.empty()) {
    states.current.text = given;
  } else {
    TRY(states.current.text, read_or_make_secret(directory / kCurrentFile, random_key()));
  }
  out->publish(std::move(states));
  return out;
}

webhook::SigningKeys SigningKeyring::keys() const {
  const auto now = ring();
  if (has_ended(now->states)) return {now->keys.current, nullptr};
  return now->keys;
}

KeyStates SigningKeyring::states() const {
  KeyStates out = ring()->states;
  if (has_ended(out)) {
    out.previous.reset();
    out.previous_until.reset();
  }
  return out;
}

Result<KeyStates> SigningKeyring::stage() {
  const std::lock_guard lock(changing_);
  KeyStates next = states();
  if (next.staged) return fail(Errc::kConflict, "there is a staged signing key already");
  next.staged = make_key();
  return change(std::move(next), rotated_, "staged");
}

Result<KeyStates> SigningKeyring::promote() {
  const std::lock_guard lock(changing_);
  KeyStates next = states();
  if (!next.staged) return fail(Errc::kConflict, "there is no staged signing key");
  next.previous = std::exchange(next.current, *std::move(next.staged));
  next.previous_until.reset();
  next.staged.reset();
  return change(std::move(next), true, "promoted");
}

Result<KeyStates> SigningKeyring::retire() {
  const std::lock_guard lock(changing_);
  KeyStates next = states();
  if (!next.previous) return fail(Errc::kConflict, "there is no previous signing key");
  next.previous.reset();
  next.previous_until.reset();
  return change(std::move(next), rotated_, "retired the one before");
}

Result<KeyStates> SigningKeyring::regenerate() {
  const std::lock_guard lock(changing_);
  KeyStates next = states();
  next.previous = std::exchange(next.current, make_key());
  next.previous_until = clock_.now() + kGrace;
  return change(std::move(next), true, "regenerated");
}

NamedKey SigningKeyring::make_key() const {
  return {random_key(), clock_.now()};
}

bool SigningKeyring::has_ended(const KeyStates& states) const {
  return states.previous_until && *states.previous_until <= clock_.now();
}

std::shared_ptr<const SigningKeyring::Ring> SigningKeyring::ring() const {
  const std::lock_guard lock(mutex_);
  return ring_;
}

void SigningKeyring::publish(KeyStates states) {
  auto next = std::make_shared<Ring>();
  next->keys.current = std::make_shared<const crypto::HmacKey>(states.current.text);
  if (states.previous)
    next->keys.previous = std::make_shared<const crypto::HmacKey>(states.previous->text);
  next->states = std::move(states);
  const std::lock_guard lock(mutex_);
  ring_ = std::move(next);
}

Status SigningKeyring::save(const KeyStates& states, bool rotated) const {
  Stored stored{std::nullopt, states.staged, states.previous, states.previous_until};
  // A key from the environment is not written down while it is only that.
  if (rotated) stored.current = states.current;
  return write_secret_file(directory_ / kStatesFile, encode(stored));
}

// For operators and scripts that read signing_key; what counts is signing_keys, so a failure here,
// or a kill just before, is made good by the next start.
void SigningKeyring::show_current(const KeyStates& states) const {
  const auto path = directory_ / kCurrentFile;
  const auto shown = read_secret_file(path);
  const std::string line = states.current.text + "\n";
  if (shown && *shown == line) return;
  const auto status = write_secret_file(path, line);
  if (!status) log_warn("api", "{}", status.error().message);
}

Result<KeyStates> SigningKeyring::change(KeyStates next, bool rotated, const char* what) {
  TRY_STATUS(save(next, rotated));
  rotated_ = rotated;
  publish(next);
  if (rotated) show_current(next);
  log_info("api", "signing key {}", what);
  return next;
}

}  // namespace eventhorn::control
