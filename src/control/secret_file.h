// Small files that hold secrets: mode 0600, replaced whole, on disk before anybody relies on them.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::control {

/// The whole text, nullopt when there is no such file. kUnavailable, naming the file, when it is
/// there but cannot be read or is over 64 KiB. Blocks on the disk.
Result<std::optional<std::string>> read_secret_file(const std::filesystem::path& path);

/// Replaces the file. After a crash or power cut at any point there is either the old text or the
/// new one, and the new one once this has returned. kUnavailable, naming the file, when it cannot
/// be written: then a restart may find either. One caller for each path at a time. Blocks on the
/// disk.
Status write_secret_file(const std::filesystem::path& path, std::string_view text);

/// The secret in the file, without space around it; `made` when there is none, after writing it
/// down. kUnavailable as above. Blocks on the disk.
Result<std::string> read_or_make_secret(const std::filesystem::path& path, const std::string& made);

}  // namespace eventhorn::control
