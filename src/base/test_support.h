// Helpers of tests in every module.
#pragma once

#include "base/check.h"
#include "base/result.h"

#include <filesystem>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <utility>

namespace eventhorn {

/// A directory that goes with the object.
class TempDir {
 public:
  TempDir() {
    std::string path = (std::filesystem::temp_directory_path() / "eventhorn-XXXXXX").string();
    CHECK(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }

  ~TempDir() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }

  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The value; ends the test with the error's message when there is none.
template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

}  // namespace eventhorn
