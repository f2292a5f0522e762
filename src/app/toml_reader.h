// Reads the tables of a TOML file one key at a time. The first thing that is wrong is kept as a
// Failure with file, line and key; after it every answer is empty, so callers read on and look at
// the end. A private header of config.cc and fault_config.cc:
// it brings toml++ along.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#define TOML_EXCEPTIONS 0
// toml++ 3.3 asserts that "[{" begins a key before it refuses it: its assertions are of no use for
// hostile texts, and as assumptions of the compiler (NDEBUG) they would be worse.
#define TOML_ASSERT(expr) static_assert(true)
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

#include "app/failure.h"

namespace usbtwin::app {

// The file being read, and what is wrong with it.
struct TomlFile {
  std::string path;
  std::optional<Failure> failure;

  // "path:12: key 'unit.size': "; without "key" where `key` is empty.
  std::string Place(const toml::source_region& where, std::string_view key) const;
  // The same, and what is wrong there.
  void Fail(const toml::source_region& where, std::string_view key, const std::string& what);
};

// "a, b, c".
std::string JoinNames(std::initializer_list<std::string_view> names);

class TomlTable {
 public:
  using Names = std::initializer_list<std::string_view>;

  // `keys` are all the table may hold. `name` is the table's; empty for the file itself.
  TomlTable(TomlFile& file, const toml::table& table, std::string name, Names keys);

  // Absent keys are nullopt, null or empty; so are wrong ones, after a failure.
  std::optional<bool> Boolean(std::string_view key) const;
  struct Range {
    int64_t min = 0;
    int64_t max = 0;
  };
  std::optional<int64_t> Integer(std::string_view key, Range range) const;
  // Whole or not.
  std::optional<double> Number(std::string_view key) const;
  // Two integers, the first no larger than the last, both within the range.
  std::optional<Range> Interval(std::string_view key, Range range) const;
  std::optional<std::string> Text(std::string_view key) const;
  // The index of the text in `names`.
  std::optional<size_t> Choice(std::string_view key, Names names) const;
  // The indexes, in the order written; none of them twice.
  std::vector<size_t> Choices(std::string_view key, Names names) const;
  // Nullopt where the key is absent, which is not the same as an empty array.
  std::optional<std::vector<int64_t>> Integers(std::string_view key, Range range) const;
  // A size in bytes: "64M", or a plain number.
  std::optional<uint64_t> Size(std::string_view key) const;
  const toml::table* Table(std::string_view key) const;
  std::vector<const toml::table*> Tables(std::string_view key) const;

  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  // A failure about a key of this table, or about the table where it is absent.
  void Fail(std::string_view key, const std::string& what) const;
  // What such a failure begins with.
  std::string Place(std::string_view key) const;

 private:
  const toml::node* Find(std::string_view key) const;
  const toml::source_region& SourceOf(std::string_view key) const;
  void FailType(std::string_view key, const char* wanted) const;
  std::string FullName(std::string_view key) const;

  TomlFile& file_;
  const toml::table& table_;
  std::string name_;
};

}  // namespace usbtwin::app
