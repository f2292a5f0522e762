// A fault plan: which faults happen where, when and how often, as a plain struct. Made from TOML
// (src/app/fault_config.h) or drawn by a simulation; carried out by a fault::Player.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.h"
#include "link/fault_kinds.h"

namespace usbtwin::fault {

struct BlockRange {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;  // included
};

struct Rule {
  Kind kind = Kind::kStall;

  // Where. A condition that is set must hold; what the moment does not know does not hold.
  std::optional<uint8_t> endpoint;  // bEndpointAddress
  std::optional<uint8_t> opcode;    // of the command under way
  std::optional<uint8_t> lun;
  std::optional<BlockRange> blocks;  // the command touches one of these
  std::optional<uint32_t> tag;       // dCBWTag

  // When. Of the moments at which all of the above holds, counted from 1:
  uint64_t nth = 1;                // the first at which it may happen
  std::optional<uint64_t> one_in;  // then on average each one_in-th; absent: each
  // Each of those, drawn by itself: so many times in kCertain. Absent: always.
  static constexpr uint32_t kCertain = 1'000'000'000;
  std::optional<uint32_t> chance;
  std::optional<uint64_t> times;  // at most that often; absent: no bound
  Duration after{};               // virtual or real time since the device was opened
  std::optional<Duration> until;

  // What: the kind's parameter; absent: the kind's default.
  std::optional<Duration> delay;
  std::optional<uint32_t> length;  // bytes
  std::optional<uint32_t> value;

  Duration delay_or_default() const {
    return delay.value_or(std::chrono::milliseconds(Info(kind).parameter_default));
  }
  uint32_t length_or_default() const { return length.value_or(Info(kind).parameter_default); }
  uint32_t value_or_default() const { return value.value_or(Info(kind).parameter_default); }
};

struct Plan {
  std::vector<Rule> rules;  // the first that fits and fires is played
};

}  // namespace usbtwin::fault
