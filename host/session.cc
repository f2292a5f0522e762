#include "host/session.h"

#include <algorithm>

#include "link/gone_link.h"
#include "proto/scsi_command.h"

namespace usbtwin::host {

namespace {

constexpr Duration kReopenInterval = std::chrono::milliseconds(100);

Error OpenError(ErrorKind kind, const char* text, std::array<uint64_t, 3> values = {}) {
  return {.kind = kind, .phase = Phase::kOpen, .text = text, .values = values};
}

constexpr Error kNotOpen{
    .kind = ErrorKind::kInvalid, .phase = Phase::kOpen, .text = "the session is not open"};

// Somebody who unplugs the device or cancels means what he does; anything else a device may do.
bool EndsSetUp(const Error& error) {
  return error.kind == ErrorKind::kDisconnected || error.kind == ErrorKind::kCancelled;
}

Error OtherDevice(const DeviceDescription& other) {
  return OpenError(ErrorKind::kNotFound,
                   "another device is at this port now: idVendor {}, idProduct {}",
                   {other.device.vendor_id, other.device.product_id});
}

Error ClaimError(ErrorKind kind, uint8_t interface_number) {
  const char* text = "interface {} cannot be claimed";
  if (kind == ErrorKind::kBusy) {
    text = "interface {} cannot be claimed: another program or a driver has it";
  } else if (kind == ErrorKind::kDenied) {
    text = "interface {} cannot be claimed: you may not use this device";
  } else if (kind == ErrorKind::kNotFound) {
    text = "interface {} cannot be claimed: the system does not see it in this device";
  }
  return OpenError(kind, text, {interface_number});
}

}  // namespace

Session::Session(Clock& clock, usb::Bus& bus, usb::DeviceId id, SessionOptions options)
    : clock_(clock), bus_(bus), id_(std::move(id)), options_(options) {}

Session::~Session() = default;

async::Task<Result<void>> Session::Open() {
  if (is_open()) co_return OpenError(ErrorKind::kInvalid, "the session is open already");
  const Result<void> opened = co_await OpenLink(stack_);
  if (!opened) co_return opened.error();
  control_.emplace(clock_, *stack_.top);
  Result<DeviceDescription> read = co_await ReadDescription(*control_, options_.control_timeout);
  if (!read) {
    const Result<void> closed = co_await Close();
    static_cast<void>(closed);
    co_return read.error();
  }
  description_ = std::move(*read);
  co_return Result<void>();
}

async::Task<Result<ScsiTransport*>> Session::OpenStorage(StorageOptions options) {
  if (!is_open()) co_return kNotOpen;
  if (transport_ != nullptr) {
    co_return OpenError(ErrorKind::kInvalid, "interface {} is in use by this session already",
                        {storage_.interface_number});
  }
  defects_.clear();
  Result<void> opened = co_await OpenChosen(options);
  const bool falls_back = !opened && options.protocol == StorageProtocol::kAny &&
                          storage_.is_uas() && !EndsSetUp(opened.error());
  if (falls_back) {
    // What UAS lacks Bulk-Only may have. Where it is not there either, the first reason counts.
    const Error reason = opened.error();
    options.protocol = StorageProtocol::kBulkOnly;
    opened = co_await OpenChosen(options);
    if (!opened && opened.error().kind == ErrorKind::kNotFound) co_return reason;
    if (opened) AddDefect(reason);
  }
  if (!opened) co_return opened.error();
  co_return transport_.get();
}

async::Task<Result<void>> Session::OpenChosen(StorageOptions options) {
  storage_ = {};
  const Result<StorageChoice> choice = ChooseStorage(description_, options, caps());
  if (!choice) co_return choice.error();
  storage_ = *choice;
  storage_options_ = options;
  const Result<void> ready = co_await SetUp(*control_);
  if (!ready) co_return ready.error();
  Result<void> opened;
  if (storage_.is_uas()) {
    opened = co_await OpenUas();
  } else {
    opened = co_await OpenBulkOnly();
  }
  if (!opened) {
    transport_.reset();
    co_await Release(*control_);
  }
  co_return opened;
}

async::Task<Result<void>> Session::OpenBulkOnly() {
  const Result<uint8_t> luns_count = co_await ReadLunsCount();
  if (!luns_count) co_return luns_count.error();
  luns_count_ = *luns_count;
  const BotTransportOptions transport_options{.interface_number = storage_.interface_number,
                                              .bulk_in = storage_.bulk_in,
                                              .bulk_out = storage_.bulk_out,
                                              .luns_count = luns_count_};
  Reopener* const reopener = this;
  transport_ = std::make_unique<BotTransport>(clock_, *stack_.top, transport_options, reopener);
  co_return Result<void>();
}

async::Task<Result<void>> Session::OpenUas() {
  UasTransportOptions transport_options{.command = storage_.command,
                                        .status = storage_.status,
                                        .data_in = storage_.bulk_in,
                                        .data_out = storage_.bulk_out,
                                        .depth_max = storage_options_.queue_depth_max};
  if (caps().speed >= usb::Speed::kSuper) {
    const Result<uint16_t> granted =
        co_await UasTransport::AllocateStreams(*stack_.top, transport_options);
    if (!granted) co_return granted.error();
    transport_options.streams_count = *granted;
  }
  Reopener* const reopener = this;
  auto transport = std::make_unique<UasTransport>(clock_, *stack_.top, transport_options, reopener);
  UasTransport& uas = *transport;
  transport_ = std::move(transport);
  luns_count_ = co_await AskLunsCount(uas);
  uas.set_luns_count(luns_count_);
  co_return Result<void>();
}

// UAS has no Get Max LUN. Every device answers REPORT LUNS, whatever else it has to say first.
// SPC-4, 6.33. Whoever does not has one unit.
async::Task<uint8_t> Session::AskLunsCount(UasTransport& transport) {
  std::array<uint8_t, 8 + 8 * 256> list{};
  const scsi::Cdb report = scsi::ReportLuns(0, list.size());
  const ScsiRequest request{.cdb = report.view(),
                            .in = list,
                            .in_length = static_cast<uint32_t>(list.size()),
                            .timeout = options_.control_timeout};
  const Result<ScsiResult> result = co_await transport.Execute(request);
  if (!result || result->status != scsi::Status::kGood || result->length_actual < 16) {
    AddDefect(OpenError(ErrorKind::kProtocol, "REPORT LUNS was not answered: one unit is assumed"));
    co_return uint8_t{1};
  }
  uint64_t last = 0;
  const Bytes luns = Drop(Take(Bytes(list), result->length_actual), 8);
  const size_t listed = *wire::View<wire::Be32>(list);
  for (Bytes left = Take(luns, listed); left.size() >= 8; left = Drop(left, 8)) {
    const uint64_t lun = wire::uas::DecodeLun(*wire::View<wire::uas::Lun>(left));
    if (lun != wire::uas::kLunNone) last = std::max(last, lun);
  }
  co_return static_cast<uint8_t>(std::min<uint64_t>(last + 1, UINT8_MAX));
}

async::Task<Result<void>> Session::CloseStorage() {
  transport_.reset();
  Result<void> released;
  if (std::exchange(claimed_, false)) {
    const usb::ReleaseInterface release{storage_.interface_number};
    released = co_await control_->Request(release);
  }
  co_return released;
}

async::Task<Result<void>> Session::Close() {
  const Result<void> released = co_await CloseStorage();
  co_await LeaveLink();
  control_.reset();
  stack_.Close();
  if (!released && released.error().kind != ErrorKind::kDisconnected) co_return released.error();
  co_return Result<void>();
}

async::Task<Result<BosDescription>> Session::ReadBos() {
  if (!is_open()) co_return kNotOpen;
  Result<BosDescription> bos = co_await host::ReadBos(*control_, options_.control_timeout);
  co_return bos;
}

async::Task<Result<std::string>> Session::ReadString(uint8_t index) {
  if (!is_open()) co_return kNotOpen;
  const uint16_t language =
      description_.language != 0 ? description_.language : wire::usb::kLanguageEnglishUs;
  Result<std::string> text =
      co_await host::ReadString(*control_, index, language, options_.control_timeout);
  co_return text;
}

async::Task<Result<void>> Session::OpenLink(usb::LinkStack& stack) {
  usb::OpenOp op;
  op.id = id_;
  co_await async::PerformOpen(bus_, op);
  if (!op.result) co_return op.result.error();
  if (op.result->top == nullptr) {
    co_return OpenError(ErrorKind::kFault, "the bus opened the device, but gave no link to it");
  }
  stack = std::move(*op.result);
  co_return Result<void>();
}

async::Task<Result<void>> Session::SetUp(Control& control) {
  // Setting a configuration a second time is a light reset of the device. USB 2.0, 9.1.1.5.
  const Result<uint8_t> active = co_await ReadActiveValue(control, options_.control_timeout);
  if (!active && EndsSetUp(active.error())) co_return active.error();
  if (!active || *active != storage_.configuration_value) {
    const usb::SetConfiguration set{storage_.configuration_value};
    const Result<void> configured = co_await control.Request(set);
    if (!configured) co_return configured.error();
    description_.active_value = storage_.configuration_value;
  }
  const usb::ClaimInterface claim{.interface = storage_.interface_number,
                                  .policy = storage_options_.kernel_driver};
  const Result<void> claimed = co_await control.Request(claim);
  if (!claimed) {
    if (EndsSetUp(claimed.error())) co_return claimed.error();
    co_return ClaimError(claimed.error().kind, storage_.interface_number);
  }
  claimed_ = true;
  const Result<void> selected = co_await SelectAlternate(control);
  if (!selected) {
    co_await Release(control);
    co_return selected.error();
  }
  co_return Result<void>();
}

// Setting 0 is there after configuration, but a driver that had the interface before may have left
// another one.
async::Task<Result<void>> Session::SelectAlternate(Control& control) {
  if (storage_.alternate_setting == 0 && !storage_.has_alternates) co_return Result<void>();
  if (storage_.alternate_setting == 0) {
    std::array<uint8_t, 1> setting{};
    const ControlRequest get_interface{
        .request_type = wire::usb::kDirectionIn | wire::usb::kRecipientInterface,
        .request = static_cast<uint8_t>(wire::usb::Request::kGetInterface),
        .index = storage_.interface_number,
        .in = setting,
        .timeout = options_.control_timeout};
    const Result<uint32_t> length = co_await control.Transfer(get_interface);
    if (!length && EndsSetUp(length.error())) co_return length.error();
    if (length && *length == setting.size() && setting[0] == 0) co_return Result<void>();
  }
  const usb::SetAlternate set{.interface = storage_.interface_number,
                              .alternate_setting = storage_.alternate_setting};
  const Result<void> selected = co_await control.Request(set);
  co_return selected;
}

// BOT 1.0, 3.2: devices with one unit may stall. Others answer nothing, or nonsense, or not at all;
// whatever is no number from 0 to 15 counts as one unit.
async::Task<Result<uint8_t>> Session::ReadLunsCount() {
  std::array<uint8_t, 1> lun_max{};
  const ControlRequest get_max_lun{.request_type = wire::usb::kDirectionIn | wire::usb::kTypeClass |
                                                   wire::usb::kRecipientInterface,
                                   .request = wire::bot::kRequestGetMaxLun,
                                   .index = storage_.interface_number,
                                   .in = lun_max,
                                   .timeout = options_.control_timeout};
  const Result<uint32_t> length = co_await control_->Transfer(get_max_lun);
  if (!length) {
    if (EndsSetUp(length.error())) co_return length.error();
    if (length.error().kind == ErrorKind::kStalled) co_return uint8_t{1};
    Error defect = length.error();
    defect.text = "Get Max LUN was asked for: one unit is assumed";
    defects_.push_back(defect);
    co_return uint8_t{1};
  }
  if (*length != lun_max.size()) {
    defects_.push_back(OpenError(ErrorKind::kProtocol,
                                 "Get Max LUN brought {} bytes instead of {}: taken as one unit",
                                 {*length, lun_max.size()}));
    co_return uint8_t{1};
  }
  if (lun_max[0] > wire::bot::kLunMax) {
    defects_.push_back(OpenError(ErrorKind::kProtocol,
                                 "Get Max LUN says {}, at most {} is possible: taken as one unit",
                                 {lun_max[0], wire::bot::kLunMax}));
    co_return uint8_t{1};
  }
  co_return static_cast<uint8_t>(lun_max[0] + 1);
}

async::Task<Result<void>> Session::Reopen() {
  co_await Release(*control_);
  // First, because to many a bus a device that is open is one that somebody has.
  co_await LeaveLink();
  GiveUpLink();
  usb::LinkStack fresh;
  Result<void> opened = co_await OpenFresh(fresh);
  lost_ = !opened;
  if (!opened) {
    co_await LeaveLink();
    co_return opened.error();
  }
  control_.emplace(clock_, *fresh.top);
  stack_ = std::move(fresh);
  co_return Result<void>();
}

// The old link may lead to a device, but it is claimed no more.
void Session::GiveUpLink() {
  usb::LinkStack gone;
  gone.owned.push_back(std::make_unique<link::GoneLink>(clock_, caps()));
  gone.top = gone.owned.back().get();
  control_.emplace(clock_, *gone.top);
  stack_ = std::move(gone);
}

// A device that was reset or replugged needs a while until the bus has it again.
async::Task<Result<void>> Session::OpenFresh(usb::LinkStack& stack) {
  const TimePoint final = clock_.Now() + (lost_ ? Duration(0) : options_.reopen_wait_max);
  Result<void> opened = co_await OpenLink(stack);
  while (!opened && clock_.Now() < final &&
         (opened.error().kind == ErrorKind::kNotFound ||
          opened.error().kind == ErrorKind::kDisconnected ||
          opened.error().kind == ErrorKind::kBusy)) {
    const bool slept = co_await async::Sleep(kReopenInterval);
    if (!slept) break;
    opened = co_await OpenLink(stack);
  }
  if (!opened) co_return opened.error();
  Control control(clock_, *stack.top);
  const Result<void> same = co_await CheckSame(control);
  if (!same) co_return same.error();
  const Result<void> ready = co_await SetUp(control);
  co_return ready;
}

// What is at the port now may be another device, and the command that is about to be tried again
// may be a WRITE.
async::Task<Result<void>> Session::CheckSame(Control& control) {
  const Result<DeviceDescription> read =
      co_await ReadDescription(control, options_.control_timeout);
  if (!read) co_return read.error();
  if (read->device_bytes != description_.device_bytes) co_return OtherDevice(*read);
  const ConfigurationDescription* before = description_.Find(storage_.configuration_value);
  const ConfigurationDescription* now = read->Find(storage_.configuration_value);
  if (before == nullptr || now == nullptr || before->bytes != now->bytes) {
    co_return OpenError(ErrorKind::kNotFound,
                        "the device has come back with another configuration {}",
                        {storage_.configuration_value});
  }
  const Result<void> same = co_await CheckSerial(control, *read);
  co_return same;
}

// Devices that have just been reset may refuse a string that they had before. Two devices are told
// apart by serial numbers that both were read; where one of them was not, descriptors and port
// decide, and a defect says so.
async::Task<Result<void>> Session::CheckSerial(Control& control, const DeviceDescription& now) {
  const uint8_t index = now.device.serial_index;
  if (index == 0) co_return Result<void>();
  std::optional<std::string> serial = now.serial;
  if (!serial && description_.serial) {
    const uint16_t language = now.language != 0 ? now.language : wire::usb::kLanguageEnglishUs;
    Result<std::string> again =
        co_await host::ReadString(control, index, language, options_.control_timeout);
    if (!again && EndsSetUp(again.error())) co_return again.error();
    if (again) serial = std::move(*again);
  }
  if (serial && description_.serial) {
    if (*serial != *description_.serial) co_return OtherDevice(now);
    co_return Result<void>();
  }
  AddDefect(OpenError(ErrorKind::kProtocol,
                      "the serial number could not be read each time: the device that is back was "
                      "known by its descriptors and its port"));
  if (serial) description_.serial = std::move(serial);
  co_return Result<void>();
}

void Session::AddDefect(const Error& defect) {
  const bool known = std::find(defects_.begin(), defects_.end(), defect) != defects_.end();
  if (!known) defects_.push_back(defect);
}

async::Task<void> Session::Release(Control& control) {
  if (!claimed_) co_return;
  claimed_ = false;
  const usb::ReleaseInterface release{storage_.interface_number};
  // Whatever comes of it, the claim ends with the link.
  const Result<void> released = co_await control.Request(release);
  static_cast<void>(released);
}

// A link may still be on the stack below, handing its completion to us. It is destroyed only after
// the clock's loop has been reached.
async::Task<void> Session::LeaveLink() {
  async::Root& root = co_await async::CurrentRoot();
  const async::Shield shield(root);
  const bool slept = co_await async::Sleep(Duration(0));
  CHECK(slept);
}

}  // namespace usbtwin::host
