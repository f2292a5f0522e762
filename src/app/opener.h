// From a device string to a Bus and the id of the device on it, with the decorators that were asked
// for on every Link opened there. Everything behind the string is made here and owned by the
// result: the twin, its image, the record file, the player of a fault plan. Called by send_cdb and
// by the programs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "app/decorated_bus.h"
#include "app/device_string.h"
#include "app/played_plan.h"
#include "app/send_cdb.h"
#include "app/system.h"
#include "app/twin.h"
#include "async/usbip_bus.h"
#include "host/session.h"
#include "link/fault_bus.h"

namespace usbtwin::app {

struct OpenerOptions {
  std::string record_path;  // capture of every transfer; "": none. Pcap where it ends in ".pcap"
  bool audit = false;       // always in debug and sanitizer builds
  std::string faults_path;  // plan of faults to play; "": none
  std::optional<link::ThrottleOptions> throttle;  // how slow the link is made
  bool read_only = false;  // every unit is write-protected; kUsage where that cannot be made so
  // The link is handed on by something that carries no bulk streams, such as USB/IP: a twin that
  // speaks UAS does so at high speed only.
  bool without_streams = false;
  // Of each step of opening, where its own limit is not lower already: 10 s for a USB/IP server to
  // connect and to grant the device, or to let a transfer end, 5 s for a control transfer.
  Duration step_time_max = std::chrono::seconds(10);
};

class OpenedBus {
 public:
  OpenedBus(const OpenedBus&) = delete;
  OpenedBus& operator=(const OpenedBus&) = delete;

  usb::Bus& bus() { return *bus_; }
  const usb::DeviceId& device_id() const { return device_id_; }
  // For a Session on the bus.
  host::SessionOptions session_options() const;
  // A unit that is gone, with all that is written to it, when this is.
  bool IsInMemory(Twin::UnitPlace place) const {
    return twin_ != nullptr && twin_->IsInMemory(place);
  }
  // What the system adds to an error of a real device, a USB/IP server's bus to one of its own, and
  // how much time a request had that was not answered: whole lines, each after a newline. Empty
  // where nothing more is known.
  std::string Explain(const Error& error) const;
  // For who leaves: nothing that is under way waits for a server any longer.
  void GiveUp() {
    if (usbip_bus_ != nullptr) usbip_bus_->GiveUp();
  }
  // Writes out what was recorded; all links are closed. Says why the record is incomplete, or is
  // empty.
  std::string FinishRecord();
  // What became of the fault plan, in its order; empty without one.
  std::vector<FaultCount> fault_counts() const;

 private:
  friend Result<std::unique_ptr<OpenedBus>, Failure> OpenBus(System& system,
                                                             std::string_view device,
                                                             const OpenerOptions& options);
  OpenedBus() = default;

  std::unique_ptr<PlayedPlan> plan_;
  // One of these is where the device is.
  std::unique_ptr<Twin> twin_;
  std::unique_ptr<async::UsbIpBus> usbip_bus_;
  RealBus* real_bus_ = nullptr;  // the system's
  std::unique_ptr<link::FaultBus> fault_bus_;
  std::unique_ptr<ByteSink> record_file_;
  std::unique_ptr<link::PcapWriter> writer_;
  std::unique_ptr<DecoratedBus> bus_;
  usb::DeviceId device_id_;
  Duration step_time_max_{};
};

// The profile of the twin that a string names, with every unit write-protected if that is asked
// for. kUsage for a bad string or one that names no twin, kCannotOpen where its profile is of no
// use.
Result<ProfileFile, Failure> ProfileOfTwin(System& system, std::string_view device, bool read_only);

// kUsage where one of the outputs is a file that is read: one of the inputs, the device's image,
// its profile, or an image the profile names; or where two outputs are one file. A profile that
// makes no sense is left to OpenBus. Programs call this before they open anything; OpenBus does so
// for the record.
Result<void, Failure> CheckFiles(System& system, std::string_view device, FileNames names);

// kUsage for a bad string, kCannotOpen where there is no such device, where its image or its
// profile is of no use, or where this build does not open its kind, kFile where the record cannot
// be made or the fault plan cannot be read, kUsage for a plan that makes no sense there. `system`
// outlives the result.
Result<std::unique_ptr<OpenedBus>, Failure> OpenBus(System& system, std::string_view device,
                                                    const OpenerOptions& options);

}  // namespace usbtwin::app
