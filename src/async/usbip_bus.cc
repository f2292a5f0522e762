#include "async/usbip_bus.h"

#include <algorithm>

#include "async/perform_socket.h"

namespace usbtwin::async {
namespace {

Error OpenError(ErrorKind kind, const char* text) {
  return {.kind = kind, .phase = Phase::kOpen, .text = text};
}

// A conversation with a server that has so much time, and what it is at. `unanswered` is the text
// of its error once it is connected, with "{}" for the milliseconds.
class Asking final : private Timer {
 public:
  Asking(Root& root, Duration time, const char* unanswered)
      : root_(root), time_(time), unanswered_(unanswered) {
    root_.clock().Arm(*this, root_.clock().Now() + time);
  }
  ~Asking() { root_.clock().Disarm(*this); }

  // How connecting ended.
  void HandleConnect(const SocketConnect& connect) {
    if (connect.outcome == SocketOutcome::kOk) {
      step_ = Step::kAnswer;
    } else if (connect.looking_up) {
      step_ = Step::kName;
    }
  }
  Error ErrorOf(SocketOutcome outcome) const;

 private:
  enum class Step : uint8_t { kName, kConnection, kAnswer };
  const char* StepText() const;
  // What waits then ends kCancelled.
  void HandleTimer() override {
    late_ = true;
    root_.Cancel();
  }

  Root& root_;
  const Duration time_;
  const char* const unanswered_;
  Step step_ = Step::kConnection;
  bool late_ = false;
};

const char* Asking::StepText() const {
  switch (step_) {
    case Step::kName: return "the server's name was not looked up in {} ms";
    case Step::kConnection: return "no connection in {} ms";
    case Step::kAnswer: return unanswered_;
  }
  return "";
}

Error Asking::ErrorOf(SocketOutcome outcome) const {
  switch (outcome) {
    case SocketOutcome::kRefused:
      return OpenError(ErrorKind::kNotFound, "no USB/IP server listens there");
    case SocketOutcome::kEnd:
      return OpenError(ErrorKind::kDisconnected, "the server closed the connection");
    case SocketOutcome::kReset:
      return OpenError(ErrorKind::kDisconnected, "the connection to the server broke");
    case SocketOutcome::kCancelled: {
      if (!late_) return OpenError(ErrorKind::kCancelled, "");
      Error error = OpenError(ErrorKind::kTimedOut, StepText());
      const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(time_);
      error.values[0] = static_cast<uint64_t>(time.count());
      return error;
    }
    case SocketOutcome::kPending:
    case SocketOutcome::kOk:
    case SocketOutcome::kFault: break;
  }
  return OpenError(ErrorKind::kFault, "the system cannot connect to the server");
}

// Reads until `room` is full.
Task<Result<void>> ReadAll(const Asking& asking, Socket& socket, MutableBytes room) {
  SocketRead read;
  while (!room.empty()) {
    read.room = room;
    const SocketOutcome outcome = co_await PerformRead(socket, read);
    if (outcome != SocketOutcome::kOk) co_return asking.ErrorOf(outcome);
    room = Drop(room, read.length_actual);
  }
  co_return Result<void>();
}

Task<Result<std::unique_ptr<Socket>>> ConnectAndAsk(Asking& asking, SocketProvider& sockets,
                                                    std::string address, Bytes request,
                                                    std::string& why) {
  SocketConnect connect;
  connect.address = std::move(address);
  const SocketOutcome connected = co_await PerformConnect(sockets, connect);
  why = connected == SocketOutcome::kCancelled ? "" : connect.why;
  asking.HandleConnect(connect);
  if (connected != SocketOutcome::kOk) co_return asking.ErrorOf(connected);
  SocketWrite write;
  write.pieces = std::span(&request, 1);
  const SocketOutcome written = co_await PerformWrite(*connect.socket, write);
  if (written != SocketOutcome::kOk) co_return asking.ErrorOf(written);
  co_return std::move(connect.socket);
}

}  // namespace

Task<Result<ImportedDevice>> ImportDevice(SocketProvider& sockets, std::string address,
                                          std::string bus_id, Duration timeout, std::string& why) {
  if (!usbip::IsBusId(bus_id)) {
    co_return OpenError(ErrorKind::kInvalid,
                        "a bus id is 1 to 31 letters, digits, '-', '.', ':' and '_'");
  }
  Root& root = co_await CurrentRoot();
  Asking asking(root, timeout, "connected, but the import was not answered in {} ms");
  const wire::usbip::ImportRequest request = usbip::MakeImportRequest(bus_id);
  const Bytes bytes = wire::AsBytes(request);
  auto asked = co_await ConnectAndAsk(asking, sockets, std::move(address), bytes, why);
  if (!asked) co_return asked.error();
  Socket& socket = **asked;
  std::array<uint8_t, sizeof(wire::usbip::ImportReply)> reply;
  const MutableBytes head = Take(MutableBytes(reply), sizeof(wire::usbip::OpHeader));
  const auto read = co_await ReadAll(asking, socket, head);
  if (!read) co_return read.error();
  const Result<void> granted = usbip::ParseImportHeader(head);
  if (!granted) co_return granted.error();
  const MutableBytes rest = Drop(MutableBytes(reply), head.size());
  const auto read_rest = co_await ReadAll(asking, socket, rest);
  if (!read_rest) co_return read_rest.error();
  Result<usbip::Device> device = usbip::ParseDevice(rest);
  if (!device) co_return device.error();
  if (device->bus_id != bus_id) {
    co_return OpenError(ErrorKind::kProtocol, "the server's answer names another device");
  }
  ImportedDevice imported;
  imported.socket = std::move(*asked);
  imported.device = std::move(*device);
  co_return std::move(imported);
}

// One OpenOp: a chain of its own, whose end completes it.
class UsbIpBus::Opening final : private Deferred {
 public:
  Opening(UsbIpBus& bus, usb::OpenOp& op) : bus_(bus), op_(op) {
    job_.emplace(bus.clock_, Import());
  }
  void Cancel() { job_->Cancel(); }

 private:
  Task<Result<void>> Import() {
    auto imported = co_await ImportDevice(bus_.sockets_, bus_.address_, op_.id.port_path,
                                          bus_.options_.open_time, bus_.why_);
    if (!imported) {
      op_.result = imported.error();
    } else {
      UsbIpLinkOptions options = bus_.options_.link;
      options.handle_gone = [bus = &bus_](const std::string& why) {
        bus->why_ = bus->address_ + ": " + why;
      };
      auto link = std::make_unique<UsbIpLink>(bus_.clock_, std::move(imported->socket),
                                              imported->device, options);
      bus_.links_.PushBack(*link);
      usb::LinkStack stack;
      stack.top = link.get();
      stack.owned.push_back(std::move(link));
      op_.result = std::move(stack);
    }
    bus_.clock_.Post(*this);
    co_return Result<void>();
  }
  void Run() override {
    usb::OpenOp& op = op_;
    std::erase_if(bus_.openings_, [this](const auto& one) { return one.get() == this; });
    op.Complete();
  }

  UsbIpBus& bus_;
  usb::OpenOp& op_;
  std::optional<Job<Result<void>>> job_;
};

UsbIpBus::UsbIpBus(Clock& clock, SocketProvider& sockets, std::string address,
                   const UsbIpBusOptions& options)
    : clock_(clock), sockets_(sockets), address_(std::move(address)), options_(options) {}

UsbIpBus::~UsbIpBus() {
  CHECK(openings_.empty());
}

Result<std::vector<usb::DeviceInfo>> UsbIpBus::Enumerate() {
  return Error{.kind = ErrorKind::kUnsupported,
               .phase = Phase::kOpen,
               .text = "a USB/IP server is asked for its devices, which takes time"};
}

void UsbIpBus::Open(usb::OpenOp& op) {
  openings_.push_back(std::make_unique<Opening>(*this, op));
}

void UsbIpBus::GiveUp() {
  for (const auto& opening : openings_) opening->Cancel();
  for (UsbIpLink* link = links_.empty() ? nullptr : &links_.front(); link != nullptr;
       link = links_.next(*link)) {
    link->GiveUp("this program waits no longer");
  }
}

Task<Result<std::vector<usbip::Device>>> ListDevices(SocketProvider& sockets, std::string address,
                                                     Duration timeout, std::string& why) {
  Root& root = co_await CurrentRoot();
  Asking asking(root, timeout, "connected, but the list was not answered in {} ms");
  const wire::usbip::OpHeader request = usbip::MakeDevicesRequest();
  const Bytes bytes = wire::AsBytes(request);
  auto asked = co_await ConnectAndAsk(asking, sockets, std::move(address), bytes, why);
  if (!asked) co_return asked.error();
  Socket& socket = **asked;
  std::array<uint8_t, sizeof(wire::usbip::DeviceRecord)> record;
  const MutableBytes head = Take(MutableBytes(record), sizeof(wire::usbip::DevicesReply));
  const auto read = co_await ReadAll(asking, socket, head);
  if (!read) co_return read.error();
  const Result<uint32_t> count = usbip::ParseDevicesHeader(head);
  if (!count) co_return count.error();
  std::vector<usbip::Device> devices;
  for (uint32_t index = 0; index < *count; ++index) {
    const auto read_record = co_await ReadAll(asking, socket, record);
    if (!read_record) co_return read_record.error();
    Result<usbip::Device> device = usbip::ParseDevice(record);
    if (!device) co_return device.error();
    const MutableBytes interface = Take(MutableBytes(record), sizeof(wire::usbip::InterfaceRecord));
    for (uint8_t number = 0; number < device->interfaces_count; ++number) {
      const auto read_interface = co_await ReadAll(asking, socket, interface);
      if (!read_interface) co_return read_interface.error();
      usbip::AppendInterface(*device, interface);
    }
    devices.push_back(std::move(*device));
  }
  co_return std::move(devices);
}

}  // namespace usbtwin::async
