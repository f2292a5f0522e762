// The choosers: where the choices of one run come from. A seed; every possible list in turn; the
// bytes of a fuzzer; or a list written down before. Recording wraps any of them and keeps the list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/chooser.h"
#include "base/error.h"
#include "base/seeded.h"

namespace usbtwin::sim {

using usbtwin::Seeded;  // choices from a seed

// Every list of choices, depth first. Use:
//   Exhaustive chooser;
//   do { Run(chooser); } while (chooser.Next());
class Exhaustive final : public Chooser {
 public:
  uint64_t Choose(uint64_t bound, std::string_view what) override;
  // Makes ready for the next list; false when all have been.
  bool Next();
  // How many lists began.
  uint64_t count() const { return count_; }

 private:
  struct Choice {
    uint64_t value;
    uint64_t bound;
  };
  std::vector<Choice> choices_;
  size_t position_ = 0;
  uint64_t count_ = 1;
};

// Choices from bytes: as many bytes for each as its bound needs, little endian; 0 when they are
// used up.
class FromBytes final : public Chooser {
 public:
  explicit FromBytes(Bytes bytes) : bytes_(bytes) {}
  uint64_t Choose(uint64_t bound, std::string_view what) override;
  bool empty() const { return bytes_.empty(); }

 private:
  Bytes bytes_;
};

// Choices from a list. A value beyond its bound is taken modulo the bound, and 0 follows the end of
// the list: so a list from which something was cut still is one.
class Replayed final : public Chooser {
 public:
  explicit Replayed(std::vector<uint64_t> values) : values_(std::move(values)) {}
  uint64_t Choose(uint64_t bound, std::string_view what) override;
  // How many choices were asked for; those behind the end of the list count, too.
  size_t used() const { return used_; }

 private:
  const std::vector<uint64_t> values_;
  size_t used_ = 0;
};

// Passes on and keeps what was chosen.
class Recording final : public Chooser {
 public:
  explicit Recording(Chooser& inner) : inner_(inner) {}
  uint64_t Choose(uint64_t bound, std::string_view what) override;

  struct Choice {
    uint64_t value;
    uint64_t bound;
    std::string_view what;
  };
  const std::vector<Choice>& choices() const { return choices_; }
  std::vector<uint64_t> values() const;

 private:
  Chooser& inner_;
  std::vector<Choice> choices_;
};

}  // namespace usbtwin::sim
