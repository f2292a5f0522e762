// What the units of a run must answer to questions about themselves: INQUIRY, its serial number
// page, MODE SENSE(6) of all pages, REPORT LUNS and READ CAPACITY(10) and (16), byte by byte.
//
// The invariant: the bytes are put together here from the profile and the standards alone, and
// share nothing with the disk or with the structs of src/wire. Called by DiskRun.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "emulator/profile.h"

namespace usbtwin::sim {

class ExpectedData {
 public:
  // LUN by LUN the profile's units.
  explicit ExpectedData(const emulator::Profile& profile);

  // All that the unit has to say to the command block; empty where that is not known here. Cut to
  // its allocation length by whoever asks.
  Bytes Find(uint8_t lun, Bytes command_block) const;
  // What READ CAPACITY says where it lies (fault::Kind::kLyingCapacity).
  Bytes FindLie(uint8_t lun, Bytes command_block) const;

  // What is wrong with the first bytes of an answer; nothing where they are the first of
  // `expected`.
  static std::optional<std::string> Compare(Bytes expected, Bytes came);

 private:
  struct Unit {
    std::vector<uint8_t> inquiry;
    std::vector<uint8_t> serial;
    std::vector<uint8_t> mode;
    std::vector<uint8_t> capacity;
    std::vector<uint8_t> long_capacity;
    std::vector<uint8_t> lying_capacity;
    std::vector<uint8_t> lying_long_capacity;
  };
  std::vector<Unit> units_;
  std::vector<uint8_t> luns_;
};

}  // namespace usbtwin::sim
