// The device options every verb of usbtwin has, and the device they name, opened: bus, session and,
// where blocks are wanted, a block device. Errors are told as Failures that say what to do next.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/opener.h"
#include "host/block_device.h"
#include "host/session.h"
#include "tools/verb.h"

namespace usbtwin::tools {

struct DeviceOptions {
  std::string device;
  int interface_number = -1;  // -1: one of class FFh before 08h, else the first
  std::optional<int> lun;
  std::string transport = "auto";
  bool detach_kernel = false;
  bool no_detach = false;  // the default, said aloud
  std::string record_path;
  bool audit = false;
  std::string faults_path;
  std::string throttle;
  int timeout_ms = 30000;
  bool ignore_residue = false;
};

// Adds the options to a verb: all of them, or those that matter without storage. `name` is how the
// device itself is given.
inline constexpr char kDeviceOption[] = "-d,--device";
inline constexpr char kDeviceArgument[] = "DEVICE,-d,--device";  // the option's name is optional
void AddDeviceOptions(CLI::App& verb, DeviceOptions& options, bool with_storage,
                      const char* name = kDeviceOption);

// `opened`: what the device's bus knows about it.
app::Failure FailureOf(const Error& error, const std::string& device, const app::OpenedBus& opened);
app::Failure FailureOf(const host::BlockError& error);

// The bus of the device, with everything the options put in between; nothing is opened on it yet.
// `files` are what else the verb reads and writes; none of its outputs may be one of them, nor a
// file behind the device.
Result<std::unique_ptr<app::OpenedBus>, app::Failure> OpenBusOf(app::System& system,
                                                                const DeviceOptions& options,
                                                                app::FileNames files = {});

class OpenDevice {
 public:
  // OpenBusOf, then opens the device and reads its descriptors.
  static Result<std::unique_ptr<OpenDevice>, app::Failure> Open(const DeviceOptions& options,
                                                                app::FileNames files = {});
  ~OpenDevice();
  OpenDevice(const OpenDevice&) = delete;
  OpenDevice& operator=(const OpenDevice&) = delete;

  app::System& system() { return *system_; }
  host::Session& session() { return *session_; }
  host::ScsiTransport& transport() { return *transport_; }  // after OpenStorage or OpenBlocks
  // After OpenBlocks: whether the unit ends with this program.
  bool IsInMemory() const;

  // What the options say about commands to a unit.
  host::BlockDeviceOptions BlockOptions(uint8_t lun) const;
  // Claims the interface, and learns the unit's capacity. Once.
  Result<host::ScsiTransport*, app::Failure> OpenStorage();
  Result<host::BlockDevice*, app::Failure> OpenBlocks();
  // Whether the device has storage that speaks this protocol, and the link carries it.
  bool Speaks(host::StorageProtocol protocol) const;
  // Gives back the transport, with the block device that used it, and opens one of this protocol.
  Result<host::ScsiTransport*, app::Failure> ReopenStorage(host::StorageProtocol protocol);

  // What became of the fault plan, and what recovery was needed; also after Close.
  std::vector<app::FaultCount> fault_counts() const;
  std::vector<host::RecoveryCount> recoveries() const;

  // Closes the device and finishes the record: a failure says that the record is incomplete. Says
  // on standard error what became of the fault plan.
  Result<void, app::Failure> Close();

 private:
  explicit OpenDevice(const DeviceOptions& options) : options_(options) {}
  Result<host::ScsiTransport*, app::Failure> OpenStorage(const host::StorageOptions& storage);

  const DeviceOptions options_;
  std::unique_ptr<app::System> system_;
  std::unique_ptr<app::OpenedBus> opened_;
  std::unique_ptr<host::Session> session_;
  host::ScsiTransport* transport_ = nullptr;  // the session's
  std::unique_ptr<host::BlockDevice> blocks_;
  // Once it is closed.
  std::vector<app::FaultCount> fault_counts_;
  std::vector<host::RecoveryCount> recoveries_;
};

// Fail (tools/verb.h) for what went wrong once the device was open: closes it, and who asked for
// JSON is told of its faults as well.
int FailOpened(const std::string& verb, const app::Failure& failure, OpenDevice& device, bool json);

}  // namespace usbtwin::tools
