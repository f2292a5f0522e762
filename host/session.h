// Session: one device, opened by its id on any Bus, up to a SCSI transport. Open reads what the
// device says about itself and changes nothing; OpenStorage configures the device if it is not,
// claims the interface and hands out the transport; Close gives everything back. It also is the
// last rung of a transport's recovery: it opens the same device anew, and makes sure that it is the
// same. Where it is not, nothing more is sent to either of them until the right one is back.
//
// Its tasks run one at a time, not beside a command of its transport, and finish before the session
// is destroyed. What it hands out lives until Close. Called by whoever opens devices: the tools,
// send_cdb.
#pragma once

#include <memory>

#include "host/bot_transport.h"
#include "host/storage_choice.h"
#include "host/uas_transport.h"
#include "usb/bus.h"

namespace usbtwin::host {

struct SessionOptions {
  Duration control_timeout = std::chrono::seconds(5);  // of each control transfer
  // How long Reopen waits for a device to come back to its port.
  Duration reopen_wait_max = std::chrono::seconds(2);
};

class Session final : private Reopener {
 public:
  Session(Clock& clock, usb::Bus& bus, usb::DeviceId id, SessionOptions options = {});
  ~Session();

  async::Task<Result<void>> Open();
  // After Open. The transport is the session's.
  async::Task<Result<ScsiTransport*>> OpenStorage(StorageOptions options);
  // Releases the interface and forgets the transport, so that the storage can be opened in another
  // way; what the device said of itself is kept. kDisconnected where it is gone.
  async::Task<Result<void>> CloseStorage();
  // Releases the interface and closes the link. A device that is gone is no error.
  async::Task<Result<void>> Close();

  // After Open, until Close.
  bool is_open() const { return stack_.top != nullptr; }
  const usb::DeviceId& id() const { return id_; }
  usb::LinkCaps caps() const {
    CHECK(is_open());
    return stack_.top->caps();
  }
  const DeviceDescription& description() const { return description_; }
  Control& control() { return *control_; }
  // On request only: fetching it unasked crashed a device.
  async::Task<Result<BosDescription>> ReadBos();
  async::Task<Result<std::string>> ReadString(uint8_t index);

  // After OpenStorage.
  const StorageChoice& storage() const { return storage_; }
  uint8_t luns_count() const { return luns_count_; }
  // What setting up the storage and opening it anew worked around, beside what the description and
  // its configurations say of themselves.
  const std::vector<Error>& defects() const { return defects_; }

 private:
  async::Task<Result<void>> Reopen() override;
  usb::Link& link() override { return *stack_.top; }
  void GiveUpLink();
  async::Task<Result<void>> OpenLink(usb::LinkStack& stack);
  async::Task<Result<void>> OpenFresh(usb::LinkStack& stack);
  async::Task<Result<void>> CheckSame(Control& control);
  async::Task<Result<void>> CheckSerial(Control& control, const DeviceDescription& now);
  void AddDefect(const Error& defect);  // each once
  // Configures, claims, and selects the alternate setting of the choice.
  async::Task<Result<void>> SetUp(Control& control);
  async::Task<Result<void>> SelectAlternate(Control& control);
  async::Task<Result<uint8_t>> ReadLunsCount();
  // The choice and everything behind it, up to the transport.
  async::Task<Result<void>> OpenChosen(StorageOptions options);
  async::Task<Result<void>> OpenBulkOnly();
  async::Task<Result<void>> OpenUas();
  async::Task<uint8_t> AskLunsCount(UasTransport& transport);
  async::Task<void> Release(Control& control);
  async::Task<void> LeaveLink();

  Clock& clock_;
  usb::Bus& bus_;
  const usb::DeviceId id_;
  const SessionOptions options_;
  usb::LinkStack stack_;            // after a Reopen that failed, a link to nothing
  std::optional<Control> control_;  // of stack_.top
  DeviceDescription description_;
  StorageOptions storage_options_;
  StorageChoice storage_;
  uint8_t luns_count_ = 0;
  std::vector<Error> defects_;
  bool claimed_ = false;
  bool lost_ = false;  // the last Reopen failed: the next one does not wait
  std::unique_ptr<ScsiTransport> transport_;
};

}  // namespace usbtwin::host
