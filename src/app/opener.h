// From a device string to a Bus and the id of the device on it, with the decorators that were asked
// for on every Link opened there. Everything behind the string is made here and owned by the
// result: the twin, its image, the record file. Called by send_cdb and by the programs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "app/decorated_bus.h"
#include "app/device_string.h"
#include "app/system.h"
#include "app/twin.h"

namespace usbtwin::app {

struct OpenerOptions {
  std::string record_path;  // capture of every transfer; "": none. Pcap where it ends in ".pcap"
  bool audit = false;       // always in debug and sanitizer builds
};

class OpenedBus {
 public:
  OpenedBus(const OpenedBus&) = delete;
  OpenedBus& operator=(const OpenedBus&) = delete;

  usb::Bus& bus() { return *bus_; }
  const usb::DeviceId& device_id() const { return device_id_; }
  // A unit that is gone, with all that is written to it, when this is.
  bool IsInMemory(Twin::UnitPlace place) const { return twin_->IsInMemory(place); }
  // Writes out what was recorded; all links are closed. Says why the record is incomplete, or is
  // empty.
  std::string FinishRecord();

 private:
  friend Result<std::unique_ptr<OpenedBus>, Failure> OpenBus(System& system,
                                                             std::string_view device,
                                                             const OpenerOptions& options);
  OpenedBus() = default;

  std::unique_ptr<Twin> twin_;
  std::unique_ptr<ByteSink> record_file_;
  std::unique_ptr<link::PcapWriter> writer_;
  std::unique_ptr<DecoratedBus> bus_;
  usb::DeviceId device_id_;
};

// kUsage where one of the outputs is a file that is read: one of the inputs, the device's image,
// its profile, or an image the profile names; or where two outputs are one file. A profile that
// makes no sense is left to OpenBus. Programs call this before they open anything; OpenBus does so
// for the record.
Result<void, Failure> CheckFiles(System& system, std::string_view device, FileNames names);

// kUsage for a bad string, kCannotOpen where there is no such device, where its image or its
// profile is of no use, or where this build does not open its kind, kFile where the record cannot
// be made. `system` outlives the result.
Result<std::unique_ptr<OpenedBus>, Failure> OpenBus(System& system, std::string_view device,
                                                    const OpenerOptions& options);

}  // namespace usbtwin::app
