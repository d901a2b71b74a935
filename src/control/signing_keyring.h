// The webhook signing key and its rotation, kept in the data directory. Receivers can learn a new
// key before it signs (stage, promote, retire), or it changes at once (regenerate); either way the
// one before it goes on signing beside it (reliability A3).
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "webhook/signature.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace eventhorn::control {

/// A signing key with its secret text.
struct NamedKey {
  std::string text;
  /// nullopt for the key that the installation began with.
  std::optional<SystemTime> created_at;

  /// 16 hexadecimal digits of the text's SHA-256: names the key without telling it.
  std::string id() const;
};

/// Which keys there are.
struct KeyStates {
  NamedKey current;
  /// Known to receivers, does not sign yet.
  std::optional<NamedKey> staged;
  /// Signs beside the current one.
  std::optional<NamedKey> previous;
  /// When `previous` ends by itself; nullopt when only retire() ends it.
  std::optional<SystemTime> previous_until;
};

/// Thread-safe. Changes block on the disk and come one after the other; the keys can be read
/// meanwhile. A change counts, here and for readers, once it is on disk: a kill at any point leaves
/// the states before it or after it. One that fails (kUnavailable) changes nothing, though a
/// restart may find it done.
class SigningKeyring {
 public:
  /// How long the key before regenerate() goes on as the previous one.
  static constexpr std::chrono::hours kGrace{24};

  /// Reads `directory`. Until the first promote() or regenerate() the current key is `given`
  /// (EVENTHORN_SIGNING_KEY) or, when that is empty, that of the file signing_key, made if there is
  /// none. After it the file signing_keys decides, with a warning if `given` is another key, and
  /// signing_key follows it. kUnavailable when a file cannot be read or written, kCorruption for a
  /// signing_keys that is damaged. `clock` must outlive the keyring.
  static Result<std::unique_ptr<SigningKeyring>> open(const std::filesystem::path& directory,
                                                      const std::string& given, const Clock& clock);

  /// What signs now; cheap enough for every attempt.
  webhook::SigningKeys keys() const;

  KeyStates states() const;

  /// Makes a key that does not sign yet. kConflict when there is one.
  Result<KeyStates> stage();
  /// The staged key becomes the current one, the current one the previous one, whose predecessor
  /// ends. kConflict without a staged key.
  Result<KeyStates> promote();
  /// Ends the previous key. kConflict when there is none.
  Result<KeyStates> retire();
  /// A new key signs at once; the current one goes on as the previous one for kGrace. A staged key
  /// stays.
  Result<KeyStates> regenerate();

 private:
  struct Ring {
    KeyStates states;
    webhook::SigningKeys keys;
  };

  SigningKeyring(std::filesystem::path directory, const Clock& clock)
      : directory_(std::move(directory)), clock_(clock) {}

  NamedKey make_key() const;
  bool has_ended(const KeyStates& states) const;
  std::shared_ptr<const Ring> ring() const;
  void publish(KeyStates states);
  Status save(const KeyStates& states, bool rotated) const;
  void show_current(const KeyStates& states) const;
  Result<KeyStates> change(KeyStates next, bool rotated, const char* what);

  // Constant after construction
  const std::filesystem::path directory_;
  const Clock& clock_;
  // Held while a change is made, the disk included
  std::mutex changing_;
  bool rotated_ = false;  // guarded by changing_
  // Held for a moment
  mutable std::mutex mutex_;
  std::shared_ptr<const Ring> ring_;  // guarded by mutex_
};

}  // namespace eventhorn::control
