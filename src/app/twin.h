// Twin: a profile come to life in this process: stores, logical units, functions, a device and the
// bus it is plugged into. A host opens it there like any other device; or it is plugged into a port
// that was given, and its host is whoever is at the other end. It is plugged in from the start;
// destroying it unplugs it and runs the system's loop until nothing of it is under way, so links to
// it are closed before.
//
// Given a fault::Player, the twin plays the faults of its plan that begin in a unit or a store. One
// of them takes its power away: the host sees it unplugged, what its caches held may be lost, and
// after a while it is plugged in again, as from a cold start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/failure.h"
#include "app/system.h"
#include "emulator/bot_function.h"
#include "emulator/device.h"
#include "emulator/disk.h"
#include "emulator/faulty_store.h"
#include "emulator/faulty_unit.h"
#include "emulator/iso_loopback.h"
#include "emulator/port.h"
#include "emulator/profile.h"
#include "emulator/target.h"
#include "emulator/twin_bus.h"
#include "emulator/uas_function.h"

namespace usbtwin::app {

class Twin final : private emulator::PowerSwitch, private Deferred, private Timer {
 public:
  // A Failure of OpenImage, or kUsage where parts of the profile do not fit together. What comes of
  // a file names the place in it. `system` and `player` outlive the twin; without a player nothing
  // of faults is in its path. Rules name a store by its unit's index in the profile, which is its
  // LUN where units are not shared. `port`, where one is given, outlives the twin, too, and has the
  // profile's speed; the twin's own bus is empty then.
  static Result<std::unique_ptr<Twin>, Failure> Make(System& system, emulator::Profile profile,
                                                     fault::Player* player = nullptr);
  static Result<std::unique_ptr<Twin>, Failure> Make(System& system, ProfileFile file,
                                                     fault::Player* player = nullptr,
                                                     emulator::Port* port = nullptr);
  Twin(const Twin&) = delete;
  Twin& operator=(const Twin&) = delete;
  ~Twin();

  usb::Bus& bus() { return bus_; }
  const usb::DeviceId& id() const { return info_.id; }
  const usb::DeviceInfo& info() const { return info_; }
  // A unit that has no image: what is written there ends with the twin.
  struct UnitPlace {
    uint8_t configuration_value = 1;
    uint8_t interface_number = 0;
    uint8_t lun = 0;
  };
  bool IsInMemory(UnitPlace place) const;

  // What somebody at the device does: change a medium, wake the host, pull the plug.
  emulator::Disk& disk(size_t unit) { return *disks_[unit]; }
  emulator::Device& device() { return *device_; }
  emulator::VirtualController& controller() { return controller_; }  // of its own bus
  // While a fault keeps its power away, a plugged twin waits for it.
  void Plug();
  void Unplug();

 private:
  // Units in the order in which one function numbers them; functions that agree share a target.
  struct SharedTarget {
    std::vector<size_t> units;
    std::unique_ptr<emulator::Target> target;
    std::unique_ptr<emulator::FaultyUnit> faulty;  // in front of it; null without a player
  };
  enum class Power : uint8_t {
    kOn,
    kFailing,  // the host is being told
    kOff,      // until the timer fires
  };

  Twin(System& system, emulator::Profile profile, fault::Player* player, emulator::Port* port);
  Result<void, Failure> Build(const std::vector<std::string>& image_places);
  Result<void, Failure> AddUnit(const emulator::UnitProfile& unit);
  emulator::Function& AddFunction(const emulator::FunctionProfile& function);
  emulator::Function& AddStorage(const emulator::FunctionProfile& function);
  scsi::LogicalUnit& TargetOf(const std::vector<size_t>& units);
  bool idle() const;

  void LosePower(Duration off) override;
  void Run() override;  // power is failing
  void HandleTimer() override;

  System& system_;
  const emulator::Profile profile_;
  fault::Player* const player_;
  std::vector<std::unique_ptr<emulator::BlockStore>> stores_;
  std::vector<std::unique_ptr<emulator::FaultyStore>> faulty_stores_;  // one for each, or none
  std::vector<std::unique_ptr<emulator::Disk>> disks_;
  std::vector<SharedTarget> targets_;
  std::vector<std::unique_ptr<emulator::BotFunction>> functions_;
  std::vector<std::unique_ptr<emulator::UasFunction>> uas_functions_;
  std::vector<std::unique_ptr<emulator::QuirkyFunction>> quirky_functions_;
  std::vector<std::unique_ptr<emulator::IsoLoopback>> iso_loopbacks_;
  std::unique_ptr<emulator::Device> device_;
  emulator::VirtualController controller_;
  emulator::Port& port_;  // that, or the one that was given
  emulator::TwinBus bus_;
  usb::DeviceInfo info_;
  bool plugged_ = false;
  Power power_ = Power::kOn;
  Duration off_{};
};

}  // namespace usbtwin::app
