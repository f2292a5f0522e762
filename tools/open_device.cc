#include "tools/open_device.h"

#include "app/run.h"
#include "app/sense_text.h"
#include "app/throttle_text.h"
#include "base/text.h"
#include "os/console.h"
#include "os/system.h"
#include "tools/complaint.h"
#include "tools/fault_report.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

host::StorageOptions StorageOf(const DeviceOptions& options) {
  host::StorageOptions storage;
  if (options.interface_number >= 0) {
    storage.interface_number = static_cast<uint8_t>(options.interface_number);
  }
  if (options.transport == "bot") storage.protocol = host::StorageProtocol::kBulkOnly;
  if (options.transport == "uasp") storage.protocol = host::StorageProtocol::kUas;
  if (options.detach_kernel) storage.kernel_driver = usb::KernelDriverPolicy::kDetach;
  return storage;
}

}  // namespace

void AddDeviceOptions(CLI::App& verb, DeviceOptions& options, bool with_storage, const char* name) {
  const char* group = "Device";
  verb.add_option(name, options.device, "device string; usbtwin --help lists them")
      ->type_name("DEVICE")
      ->required()
      ->group(group);
  verb.add_option("--record", options.record_path,
                  "write every USB transfer to this pcapng (or .pcap)")
      ->group(group)
      ->type_name("FILE");
  verb.add_flag("--audit", options.audit, "check the link's contract; abort on a breach")
      ->group(group);
  verb.add_option("--faults", options.faults_path,
                  "play the faults of this TOML plan; usbtwin faults lists them")
      ->group(group)
      ->type_name("FILE");
  verb.add_option("--throttle", options.throttle,
                  "a slow link: latency=100us a transfer,rate=60MB a second")
      ->group(group)
      ->type_name("HOW");
  if (!with_storage) return;
  verb.add_option("--ifnum", options.interface_number,
                  "interface number; default: of class FFh, else of class 08h")
      ->type_name("N")
      ->check(NumberFrom(0, 255))
      ->group(group);
  verb.add_option("--lun", options.lun, "logical unit number, default 0")
      ->check(NumberFrom(0, 15))
      ->group(group)
      ->type_name("N");
  verb.add_option("--transport", options.transport, "auto, bot or uasp")
      ->check(OneOf({"auto", "bot", "uasp"}))
      ->group(group)
      ->type_name("NAME");
  CLI::Option* detach = verb.add_flag("--detach-kernel", options.detach_kernel,
                                      "take the interface from its kernel driver; unmount first");
  detach->group(group);
  verb.add_flag("--no-detach", options.no_detach,
                "fail where a kernel driver holds the interface (default)")
      ->excludes(detach)
      ->group(group);
  verb.add_option("--timeout-ms", options.timeout_ms,
                  "for a command, and for each of 3 steps of opening; default 30000")
      ->check(NumberFrom(1, 86'400'000))
      ->group(group)
      ->type_name("MS");
  verb.add_flag("--ignore-residue", options.ignore_residue,
                "believe the wire, whatever the device's residue says")
      ->group(group);
}

Failure FailureOf(const Error& error, const std::string& device, const app::OpenedBus& opened) {
  std::string text = "cannot open ";
  text.append(Printable(device)).append(": ").append(error.Describe());
  text += opened.Explain(error);
  if (error.kind == ErrorKind::kBusy && !device.starts_with("usbip")) {
    text += "\nUnmount it and use --detach-kernel, if nothing else needs it.";
  }
  return {Failure::Kind::kCannotOpen, text};
}

Failure FailureOf(const host::BlockError& error) {
  if (error.kind == host::BlockError::Kind::kSense) {
    // In the standard's words, which the host's floor does not know.
    const std::string text = error.DescribeCommand() + ": " + scsi::Name(error.status) + ", " +
                             app::DescribeSense(error.sense);
    return {Failure::Kind::kRefused, text, error.sense};
  }
  const bool is_answer = error.kind != host::BlockError::Kind::kTransport;
  std::string text = error.Describe();
  if (text.find("residue") != std::string::npos) {
    text += "\nWhere all bytes came nevertheless, --ignore-residue believes the wire.";
  }
  return {is_answer ? Failure::Kind::kRefused : Failure::Kind::kTransport, text};
}

Result<std::unique_ptr<app::OpenedBus>, Failure> OpenBusOf(app::System& system,
                                                           const DeviceOptions& options,
                                                           app::FileNames files) {
  if (!options.record_path.empty()) files.outputs.push_back(options.record_path);
  if (!options.faults_path.empty()) files.inputs.push_back(options.faults_path);
  const auto checked = app::CheckFiles(system, options.device, std::move(files));
  if (!checked) return checked.error();
  std::optional<link::ThrottleOptions> throttle;
  if (!options.throttle.empty()) {
    const auto parsed = app::ParseThrottle(options.throttle);
    if (!parsed) return parsed.error();
    throttle = *parsed;
  }
  auto opened = app::OpenBus(system, options.device,
                             {.record_path = options.record_path,
                              .audit = options.audit,
                              .faults_path = options.faults_path,
                              .throttle = throttle,
                              .step_time_max = std::chrono::milliseconds(options.timeout_ms)});
  if (!opened) {
    Failure failure = opened.error();
    // The record is the only file that is made there, and it was named by an option.
    if (failure.kind == Failure::Kind::kFile) failure.kind = Failure::Kind::kUsage;
    return failure;
  }
  return opened;
}

Result<std::unique_ptr<OpenDevice>, Failure> OpenDevice::Open(const DeviceOptions& options,
                                                              app::FileNames files) {
  std::unique_ptr<OpenDevice> device(new OpenDevice(options));
  device->system_ = os::MakeSystem();
  auto opened = OpenBusOf(*device->system_, options, std::move(files));
  if (!opened) return opened.error();
  device->opened_ = std::move(*opened);
  device->session_ = std::make_unique<host::Session>(
      device->system_->clock(), device->opened_->bus(), device->opened_->device_id(),
      device->opened_->session_options());
  const Result<void> found = app::Run(*device->system_, device->session_->Open());
  if (!found) return FailureOf(found.error(), options.device, *device->opened_);
  return device;
}

OpenDevice::~OpenDevice() {
  (void)Close().has_value();
}

Result<host::ScsiTransport*, Failure> OpenDevice::OpenStorage() {
  return OpenStorage(StorageOf(options_));
}

bool OpenDevice::Speaks(host::StorageProtocol protocol) const {
  host::StorageOptions storage = StorageOf(options_);
  storage.protocol = protocol;
  return host::ChooseStorage(session_->description(), storage, session_->caps()).has_value();
}

Result<host::ScsiTransport*, Failure> OpenDevice::ReopenStorage(host::StorageProtocol protocol) {
  blocks_.reset();
  transport_ = nullptr;
  const Result<void> closed = app::Run(*system_, session_->CloseStorage());
  if (!closed) return FailureOf(closed.error(), options_.device, *opened_);
  host::StorageOptions storage = StorageOf(options_);
  storage.protocol = protocol;
  return OpenStorage(storage);
}

Result<host::ScsiTransport*, Failure> OpenDevice::OpenStorage(const host::StorageOptions& storage) {
  const Result<host::ScsiTransport*> transport = app::Run(*system_, session_->OpenStorage(storage));
  if (!transport) return FailureOf(transport.error(), options_.device, *opened_);
  transport_ = *transport;
  return *transport;
}

host::BlockDeviceOptions OpenDevice::BlockOptions(uint8_t lun) const {
  host::BlockDeviceOptions options;
  options.lun = lun;
  options.command_timeout = std::chrono::milliseconds(options_.timeout_ms);
  options.ignore_residue = options_.ignore_residue;
  // Hardware gets commands of the usual length; a link that lends data is a twin in this process.
  if (session_->caps().lends_data) options.command_length_max = 1 << 20;
  return options;
}

Result<host::BlockDevice*, Failure> OpenDevice::OpenBlocks() {
  const Result<host::ScsiTransport*, Failure> transport = OpenStorage();
  if (!transport) return transport.error();
  const auto options = BlockOptions(static_cast<uint8_t>(options_.lun.value_or(0)));
  blocks_ = std::make_unique<host::BlockDevice>(**transport, options);
  const host::BlockResult found = app::Run(*system_, blocks_->Open());
  if (!found) return FailureOf(found.error());
  return blocks_.get();
}

bool OpenDevice::IsInMemory() const {
  const host::StorageChoice& storage = session_->storage();
  return opened_->IsInMemory({.configuration_value = storage.configuration_value,
                              .interface_number = storage.interface_number,
                              .lun = static_cast<uint8_t>(options_.lun.value_or(0))});
}

int FailOpened(const std::string& verb, const Failure& failure, OpenDevice& device, bool json) {
  const int status = Fail(verb, failure);
  (void)device.Close().has_value();  // the first failure is the one to tell
  if (json) {
    Json document = JsonHead("usbtwin " + verb);
    SetError(document, failure);
    AddFaultsJson(document, device.fault_counts(), device.recoveries());
    (void)os::PrintOutput(JsonText(document)).has_value();
  }
  return status;
}

std::vector<app::FaultCount> OpenDevice::fault_counts() const {
  return opened_ == nullptr ? fault_counts_ : opened_->fault_counts();
}

std::vector<host::RecoveryCount> OpenDevice::recoveries() const {
  return transport_ == nullptr ? recoveries_ : transport_->recoveries();
}

Result<void, Failure> OpenDevice::Close() {
  if (session_ == nullptr) return {};
  blocks_.reset();
  recoveries_ = recoveries();
  transport_ = nullptr;
  if (session_->is_open()) (void)app::Run(*system_, session_->Close()).has_value();
  session_.reset();
  const std::string record_error = opened_->FinishRecord();
  fault_counts_ = opened_->fault_counts();
  opened_.reset();
  if (!options_.faults_path.empty()) {
    os::PrintError(FaultText(fault_counts_) + RecoveryText(recoveries_) +
                   FaultWarningText("usbtwin", fault_counts_));
  }
  if (!record_error.empty()) return Failure{Failure::Kind::kFile, record_error};
  return {};
}

}  // namespace usbtwin::tools
