// A twin that speaks UAS on a bus that plays faults, once it is open and was written: what the
// tests of faults of UAS start from.
#pragma once

#include <optional>

#include "host/block_device.h"
#include "tests/twin/uas_stack.h"

namespace usbtwin::tests::uas_faults {

using fault::Kind;
using fault::Rule;
using std::chrono::milliseconds;
using std::chrono::seconds;
using usb::Speed;

inline constexpr uint64_t kLba = 64;
inline constexpr uint32_t kLength = 4096;
inline constexpr Duration kArmed =
    seconds(1);  // nothing happens until the disk is open and was written

inline constexpr bool kRead = true, kWrite = false;
inline const std::array kSpeeds{Speed::kHigh, Speed::kSuper};
inline constexpr Speed kHigh = Speed::kHigh, kSuper = Speed::kSuper;

struct Case {
  Rule rule;
  Speed speed;
  bool read;
  const char* transport;  // what one command over the transport comes to
  const char* recovery;   // the highest rung
  int block_ms;           // how long a block device takes, which always succeeds
};
inline std::ostream& operator<<(std::ostream& out, const Case& row) {
  return out << fault::Info(row.rule.kind).name << " at " << row.rule.nth << ", "
             << usb::Name(row.speed) << (row.read ? ", read" : ", write");
}

inline std::vector<Kind> Swept() {
  std::vector<Kind> kinds;
  for (const fault::KindInfo& info : fault::Kinds()) {
    if (std::string_view(info.name).starts_with("uas.")) kinds.push_back(info.kind);
  }
  return kinds;
}

struct Work {
  explicit Work(const Case& row) : stack({.speed = row.speed, .faults = {Armed(row.rule)}}) {
    stack.Open({.protocol = host::StorageProtocol::kUas});
    block.emplace(*stack.transport);
    BOOST_REQUIRE(Run(stack.clock, block->Open()).has_value());
    stack.Write(kLba, before);
    stack.clock.Advance(kArmed);
  }
  static Rule Armed(Rule rule) {
    rule.times = 1;
    rule.after = kArmed;
    return rule;
  }
  // Whatever was made of the fault, it is over.
  void CheckAfterwards(const Case& row) {
    BOOST_TEST(stack.player.count(row.rule.kind).injected == 1u);
    BOOST_TEST(stack.player.count(row.rule.kind).observed == 1u);
    CheckDisk();
  }
  void CheckDisk() {
    stack.player.Stop();
    for (int tries = 0; tries < 2 && stack.Write(kLba, after) != "good, 4096 bytes"; ++tries) {
    }
    std::vector<uint8_t> room(kLength, 0xa5);
    BOOST_TEST(stack.Read(kLba, room) == "good, 4096 bytes");
    BOOST_TEST((room == after));
  }

  UasStack stack;
  std::optional<host::BlockDevice> block;
  std::vector<uint8_t> before = UasStack::Pattern(kLength, 1);
  std::vector<uint8_t> after = UasStack::Pattern(kLength, 2);
};

}  // namespace usbtwin::tests::uas_faults
