// A disk behind a FaultyUnit and over a FaultyStore, and an initiator that drives it: what the
// tests of both start from.
#pragma once

#include "emulator/faulty_store.h"
#include "emulator/faulty_unit.h"
#include "emulator/target.h"
#include "tests/choosers.h"
#include "tests/emulator/disk_rig.h"

namespace usbtwin::tests {

struct FaultRig : emulator::PowerSwitch {
  explicit FaultRig(fault::Plan plan, emulator::FaultyStoreOptions options = {},
                    uint64_t size = 64 << 10, uint64_t seed = 1)
      : chooser(seed),
        player(clock, chooser, std::move(plan)),
        below(clock, size),
        store(clock, below, player, options),
        disk(clock, store, {}),
        target(clock),
        unit(clock, target, player, this),
        host(clock, unit) {
    target.AddUnit(disk);
    Initiator settler(clock, disk);
    settler.ForgetAttentions();
  }

  void LosePower(Duration off) override { power_off.push_back(off); }
  // "1 played, 1 observed".
  std::string Account(fault::Kind kind) const {
    return std::to_string(player.count(kind).injected) + " played, " +
           std::to_string(player.count(kind).observed) + " observed";
  }

  ManualClock clock;
  SeededChooser chooser;
  fault::Player player;
  FaultyStore below;  // the store itself, which can answer late
  emulator::FaultyStore store;
  emulator::Disk disk;
  emulator::Target target;
  emulator::FaultyUnit unit;
  Initiator host;
  std::vector<Duration> power_off;
};

// The kind once, at a command with this operation code.
inline fault::Rule Once(fault::Kind kind, std::optional<uint8_t> opcode = std::nullopt) {
  return {.kind = kind, .opcode = opcode, .times = 1};
}

}  // namespace usbtwin::tests
