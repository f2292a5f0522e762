// PresentedTwin: what `usbtwin gadget` is: the twin of a device string, plugged into a port that
// belongs to somebody else's host, such as a kernel's USB device controller. No Link is in between,
// so of a fault plan only what begins in a unit or a store can be played, and whether the host
// noticed is not known.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "app/opener.h"

namespace usbtwin::app {

struct PresentOptions {
  std::string faults_path;  // plan of faults to play; "": none
  bool read_only = false;   // every unit is write-protected
};

// The port for a device of this speed. It outlives the twin.
using PortMaker = std::function<Result<emulator::Port*, Failure>(usb::Speed)>;

class PresentedTwin {
 public:
  // kUsage for a bad string, for one that names no twin, and for a plan with faults of a link;
  // otherwise as OpenBus and the maker of the port have it.
  static Result<std::unique_ptr<PresentedTwin>, Failure> Make(System& system,
                                                              std::string_view device,
                                                              const PresentOptions& options,
                                                              const PortMaker& make_port);
  PresentedTwin(const PresentedTwin&) = delete;
  PresentedTwin& operator=(const PresentedTwin&) = delete;

  const usb::DeviceInfo& info() const { return twin_->info(); }
  // What was played of the plan, in its order; nothing of it was observed. Empty without one.
  std::vector<FaultCount> fault_counts() const;

 private:
  PresentedTwin() = default;

  std::unique_ptr<PlayedPlan> plan_;
  std::unique_ptr<Twin> twin_;
};

}  // namespace usbtwin::app
