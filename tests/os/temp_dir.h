// A directory of its own for one test, removed with all that is in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace usbtwin::tests {

class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "usbtwin-XXXXXX").string()) {
    CHECK(mkdtemp(path_.data()) != nullptr);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  // A file of holes alone, with that many bytes.
  std::string Sparse(const std::string& name, uint64_t size) const {
    std::ofstream(path(name)).close();
    std::filesystem::resize_file(path(name), size);
    return path(name);
  }
  std::string File(const std::string& name, Bytes content) const {
    std::ofstream file(path(name), std::ios::binary);
    const void* data = content.data();
    file.write(static_cast<const char*>(data), static_cast<std::streamsize>(content.size()));
    return path(name);
  }

 private:
  std::string path_;
};

inline std::vector<uint8_t> FileContent(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace usbtwin::tests
