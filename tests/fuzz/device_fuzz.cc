// A whole twin driven by bytes: a device with a mass-storage interface, a target, two disks in
// memory, and an isochronous loopback, behind a VirtualController. The input is a host that keeps
// to the contract of usb::Link and to nothing else: setup packets, wrappers good and bad, data out
// of turn, cancels, port requests, plugging. The Auditor holds the twin to the contract; whatever
// was done, everything completes once cancelled, and after a port reset the device answers an
// INQUIRY.
#include "emulator/device.h"

#include "base/manual_clock.h"
#include "emulator/bot_function.h"
#include "emulator/disk.h"
#include "emulator/iso_loopback.h"
#include "emulator/memory_store.h"
#include "emulator/target.h"
#include "emulator/virtual_controller.h"
#include "input.h"
#include "link/auditor.h"

namespace {

using namespace usbtwin;            // NOLINT
using namespace usbtwin::emulator;  // NOLINT
using usb::Outcome;
using wire::bot::CommandBlockWrapper;
using wire::bot::CommandStatusWrapper;

constexpr uint64_t kDiskLength = 64 * 1024;
constexpr size_t kTransfersMax = 8;
constexpr uint32_t kLengthMax = 16 * 1024;  // of one transfer
constexpr int kOperationsMax = 400;
constexpr uint8_t kBulkIn = 0x81;
constexpr uint8_t kBulkOut = 0x01;
constexpr uint8_t kIsoIn = 0x82;
constexpr uint8_t kIsoOut = 0x02;

class BreachCheck final : public link::BreachSink {
 public:
  void OnBreach(const link::Breach& breach) override {
    std::fprintf(stderr, "breach of the link contract: %s\n", breach.Describe().c_str());
    CHECK(breach.text.empty());
  }
};

// One transfer and its bytes, used again when it has completed.
struct Slot final : usb::TransferSink {
  void OnDone(usb::Transfer& done, uint64_t /*word*/) override {
    CHECK(&done == &transfer && in_flight);
    CHECK(done.outcome != Outcome::kPending);
    in_flight = false;
  }
  usb::Transfer transfer;
  std::vector<uint8_t> bytes;
  std::vector<usb::IsoPacket> packets;
  bool in_flight = false;
};

struct Port final : usb::PortSink {
  void OnDone(usb::PortOp& /*op*/, uint64_t /*word*/) override { in_flight = false; }
  usb::PortOp op;
  bool in_flight = false;
};

struct Twin {
  explicit Twin(usb::Speed speed)
      : stores{MemoryStore(kDiskLength), MemoryStore(kDiskLength)},
        disks{Disk(clock, stores[0], {}), Disk(clock, stores[1], {.removable = true})},
        target(clock),
        controller(clock, speed),
        loopback(clock, {.packet_size = 600, .transactions = 2, .interval = 1}) {
    for (Disk& disk : disks) target.AddUnit(disk);
    function = std::make_unique<BotFunction>(target, BotFunctionOptions{.luns_count = 2});
    DeviceOptions options;
    options.speeds = {speed};
    options.remote_wakeup = true;
    DeviceConfiguration configuration;
    configuration.functions = {function.get(), &loopback};
    auto made = Device::Make(options, {configuration});
    CHECK(made.has_value());
    device = std::move(*made);
    CHECK(device->Bind(controller).has_value());
    controller.Attach(*device);
  }

  ManualClock clock;
  std::array<MemoryStore, 2> stores;
  std::array<Disk, 2> disks;
  Target target;
  VirtualController controller;
  IsoLoopback loopback;
  std::unique_ptr<BotFunction> function;
  std::unique_ptr<Device> device;
};

class Host {
 public:
  Host(Twin& twin, Bytes bytes) : twin_(twin), input_(bytes) { Open(); }

  void Run() {
    // Most inputs should not have to find out that a device needs a configuration.
    if (input_.Byte() % 8 != 7) Request(usb::SetConfiguration{1});
    twin_.clock.RunPosted();
    for (int count = 0; count < kOperationsMax && !input_.empty(); ++count) Operate();
    Settle();
    Recover();
    Settle();
    Replug(false);
    CHECK(twin_.controller.idle());
    CHECK(twin_.function->idle());
    CHECK(twin_.loopback.idle());
    CHECK(twin_.clock.deadline() == kNever);
    for (Slot& slot : slots_) slot.transfer.lease.Clear();
    auditor_->CheckNothingInFlight();
  }

 private:
  // A host that saw a disconnect opens a new link.
  void Open() { auditor_ = std::make_unique<link::Auditor>(twin_.controller, &breaches_); }

  void Operate() {
    const uint8_t choice = input_.Byte();
    switch (choice % 16) {
      case 0: twin_.clock.RunPosted(); return;
      case 1: twin_.clock.Step(); return;
      case 2: return SendWrapper(true);
      case 3: return SendWrapper(false);
      case 4: return SubmitOut({kBulkOut}, input_.Piece(input_.Byte()));
      case 5: return SubmitZeros(input_.Word());
      case 6: return SubmitIn({kBulkIn}, input_.Word() % (kLengthMax + 1), true);
      case 7: return SubmitIn({kBulkIn}, input_.Length(512), false);
      case 8: return SubmitIn({kBulkIn}, sizeof(CommandStatusWrapper), false);
      case 9: return Control();
      case 10: return Cancel(input_.Byte());
      case 11: return PortRequest();
      case 12: return UseDisk();
      case 13: return DropLease(slots_[choice >> 4 & 7]);
      case 14: return choice >= 0x80 ? SubmitIso() : SubmitStray();
      case 15: return choice >= 0xf0 ? Replug(true) : WakeUp();
    }
  }

  void DropLease(Slot& slot) {
    if (!slot.in_flight) slot.transfer.lease.Clear();
  }

  void WakeUp() { (void)twin_.device->WakeHost(); }

  void UseDisk() {
    const uint8_t choice = input_.Byte();
    Disk& disk = twin_.disks[choice & 1];
    if ((choice & 2) != 0) return disk.SetWriteProtected((choice & 4) != 0);
    if ((choice & 4) != 0) return disk.InsertMedium();
    (void)disk.RemoveMedium();
  }

  // A wrapper in order; its command block is anything where `sound` is false.
  void SendWrapper(bool sound) {
    CommandBlockWrapper wrapper{.signature = wire::bot::kCommandSignature, .tag = ++tag_};
    wrapper.lun = input_.Byte() % 3;
    if (sound) {
      constexpr std::array<uint8_t, 14> kOpcodes{0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25,
                                                 0x28, 0x2a, 0x28, 0x2a, 0x2f, 0x35, 0xa0};
      const uint8_t opcode = kOpcodes[input_.Byte() % kOpcodes.size()];
      const uint8_t blocks = input_.Byte() % 33;
      wrapper.command_length = opcode < 0x20 ? 6 : opcode < 0x60 ? 10 : 12;
      wrapper.command_block = {opcode};
      wrapper.command_block[opcode < 0x20 ? 4 : wrapper.command_length == 10 ? 8 : 9] = blocks;
      if (wrapper.command_length == 10) wrapper.command_block[5] = input_.Byte() % 130;
      const bool transfer = opcode == 0x28 || opcode == 0x2a;
      wrapper.data_length = transfer ? blocks * 512u : opcode == 0x25 ? 8u : uint32_t{blocks};
      wrapper.flags = opcode == 0x2a ? 0 : wire::bot::kDirectionIn;
      if (input_.Byte() % 4 == 0) wrapper.data_length = input_.Length(wrapper.data_length);
    } else {
      wrapper.data_length = input_.Length(512);
      wrapper.flags = input_.Byte();
      wrapper.lun = input_.Byte();
      wrapper.command_length = input_.Byte() % 18;
      CopyBytes(wrapper.command_block, input_.Piece(wrapper.command_length));
    }
    SubmitOut({kBulkOut}, wire::AsBytes(wrapper));
  }

  Slot* FreeSlot() {
    for (Slot& slot : slots_) {
      if (slot.in_flight) continue;
      slot.transfer.Rearm();
      slot.transfer.setup.reset();
      slot.transfer.flags = {};
      slot.transfer.stream_id = 0;
      slot.transfer.packets = {};
      slot.transfer.out = {};
      slot.transfer.in = {};
      slot.transfer.in_length_max = 0;
      return &slot;
    }
    twin_.clock.RunPosted();  // all of them are waiting
    return nullptr;
  }

  void Submit(Slot& slot) {
    slot.in_flight = true;
    slot.transfer.Push(slot);
    auditor_->Submit(slot.transfer);
  }

  void SubmitOut(usb::EndpointAddress endpoint, Bytes bytes) {
    Slot* slot = FreeSlot();
    if (slot == nullptr) return;
    slot->bytes.assign(bytes.begin(), bytes.end());
    slot->transfer.endpoint = endpoint;
    slot->transfer.out = slot->bytes;
    slot->transfer.flags.zero_packet = bytes.size() % 2 == 0;
    Submit(*slot);
  }

  void SubmitZeros(uint32_t length) {
    const std::vector<uint8_t> zeros(length % (kLengthMax + 1));
    SubmitOut({kBulkOut}, zeros);
  }

  void SubmitIn(usb::EndpointAddress endpoint, uint32_t length, bool lend) {
    Slot* slot = FreeSlot();
    if (slot == nullptr) return;
    length = std::min(length, kLengthMax);
    slot->bytes.assign(lend ? 0 : length, 0xa5);
    slot->transfer.endpoint = endpoint;
    slot->transfer.in = slot->bytes;
    slot->transfer.in_length_max = length;
    Submit(*slot);
  }

  // Packets within the transfer's bytes: side by side, apart, or one over another.
  void SubmitIso() {
    Slot* slot = FreeSlot();
    if (slot == nullptr) return;
    const uint8_t choice = input_.Byte();
    const size_t count = choice >= 0xfc ? input_.Word() % 1100 : choice % 16;
    const uint32_t length = input_.Word() % (kLengthMax + 1);
    slot->bytes.assign(length, 0xa5);
    slot->packets.assign(count, {});
    uint32_t next = 0;
    for (usb::IsoPacket& packet : slot->packets) {
      const uint8_t where = input_.Byte();
      packet.offset =
          where >= 0xf0 ? input_.Word() % (length + 1) : std::min<uint32_t>(next, length);
      packet.length = std::min<uint32_t>(where * 8, length - packet.offset);
      next = packet.offset + packet.length + where % 3;
    }
    usb::Transfer& transfer = slot->transfer;
    const bool in = (choice & 0x10) != 0;
    transfer.endpoint = {in ? kIsoIn : kIsoOut};
    transfer.packets = slot->packets;
    transfer.flags.iso_asap = (choice & 0x20) != 0;
    transfer.start_frame = input_.Word();
    if (in) {
      transfer.in = slot->bytes;
      transfer.in_length_max = length;
    } else {
      transfer.out = slot->bytes;
    }
    Submit(*slot);
  }

  // Endpoints that may not be there.
  void SubmitStray() {
    const usb::EndpointAddress endpoint{static_cast<uint8_t>(input_.Byte() & 0x8f)};
    if (endpoint.number() == 0) return;
    if (endpoint.is_in()) return SubmitIn(endpoint, input_.Byte(), false);
    SubmitOut(endpoint, input_.Piece(input_.Byte() % 64));
  }

  void Control() {
    usb::SetupPacket setup{.request_type = input_.Byte(),
                           .request = input_.Byte(),
                           .value = input_.Word(),
                           .index = input_.Word(),
                           .length = input_.Word()};
    if ((setup.request_type & 0x80) == 0) setup.length = setup.length % 256;
    if (const auto request = usb::AsPortRequest(setup)) return Request(*request);
    constexpr uint8_t kSetFeature = 3;
    test_mode_ = test_mode_ || (setup.request_type == 0 && setup.request == kSetFeature &&
                                setup.value == wire::usb::kFeatureTestMode);
    Slot* slot = FreeSlot();
    if (slot == nullptr) return;
    slot->bytes.assign(setup.length, 0xa5);
    slot->transfer.endpoint = {};
    slot->transfer.setup = setup;
    if ((setup.request_type & 0x80) != 0) {
      slot->transfer.in = slot->bytes;
      slot->transfer.in_length_max = setup.length;
    } else {
      CopyBytes(slot->bytes, input_.Piece(setup.length));
      slot->transfer.out = slot->bytes;
    }
    Submit(*slot);
  }

  void Cancel(size_t index) {
    Slot& slot = slots_[index % slots_.size()];
    if (slot.in_flight) auditor_->Cancel(slot.transfer);
  }

  void PortRequest() {
    const uint8_t choice = input_.Byte();
    const uint8_t value = input_.Byte();
    switch (choice % 8) {
      case 0: return Request(usb::ResetPort{});
      case 1: return Request(usb::ClearHalt{{kBulkIn}});
      case 2: return Request(usb::ClearHalt{{kBulkOut}});
      case 3: return Request(usb::SetConfiguration{static_cast<uint8_t>(value % 3)});
      case 4:
        return Request(usb::SetAlternate{static_cast<uint8_t>(value >> 1 & 1),
                                         static_cast<uint8_t>(value & 1)});
      case 5: return Request(usb::Suspend{});
      case 6: return Request(usb::Resume{});
      case 7: return Request(usb::ClaimInterface{.interface = value});
    }
  }

  // What a request touches is empty before: rule 6. All of it is, which is simpler.
  void Request(const usb::PortRequest& request) {
    const bool asks_idle = std::holds_alternative<usb::ClearHalt>(request) ||
                           std::holds_alternative<usb::SetAlternate>(request) ||
                           std::holds_alternative<usb::SetConfiguration>(request);
    if (asks_idle) CancelAll();
    if (port_.in_flight) twin_.clock.RunPosted();
    if (port_.in_flight) return;  // the device has not answered yet
    port_.op.request = request;
    port_.op.outcome = Outcome::kPending;
    port_.in_flight = true;
    port_.op.Push(port_);
    auditor_->Request(port_.op);
    if (asks_idle) twin_.clock.RunPosted();  // and stays so until it is done
  }

  void CancelAll() {
    for (Slot& slot : slots_) {
      if (slot.in_flight) auditor_->Cancel(slot.transfer);
    }
    twin_.clock.RunPosted();
    for (const Slot& slot : slots_) CHECK(!slot.in_flight);
  }

  // Nothing that was asked is left, and what is lent can be read: no pin was let go too early.
  void Settle() {
    CancelAll();
    CHECK(!port_.in_flight);
    for (Slot& slot : slots_) {
      std::vector<uint8_t> copy(slot.transfer.lease.length());
      slot.transfer.lease.CopyTo(copy);
    }
  }

  void Replug(bool again) {
    twin_.controller.Detach();
    twin_.clock.RunPosted();
    for (const Slot& slot : slots_) CHECK(!slot.in_flight);
    CHECK(!port_.in_flight);
    if (!again) return;
    Open();
    twin_.controller.Attach(*twin_.device);
  }

  const Slot& Last() const { return slots_[0]; }

  // After a port reset the device is as good as new; out of test mode only a loss of power brings
  // it. USB 2.0, 9.4.9.
  void Recover() {
    if (test_mode_) Replug(true);
    Request(usb::ResetPort{});
    twin_.clock.RunPosted();
    CHECK(!port_.in_flight);
    Request(usb::SetConfiguration{1});
    CHECK(port_.op.outcome == Outcome::kOk);
    const CommandBlockWrapper inquiry{.signature = wire::bot::kCommandSignature,
                                      .tag = ++tag_,
                                      .data_length = 36u,
                                      .flags = wire::bot::kDirectionIn,
                                      .command_length = 6,
                                      .command_block = {0x12, 0, 0, 0, 36}};
    SubmitOut({kBulkOut}, wire::AsBytes(inquiry));
    twin_.clock.RunPosted();
    CHECK(Last().transfer.outcome == Outcome::kOk);
    SubmitIn({kBulkIn}, 36, false);
    twin_.clock.RunPosted();
    CHECK(Last().transfer.outcome == Outcome::kOk);
    CHECK_EQ(Last().transfer.length_actual, 36u);
    SubmitIn({kBulkIn}, sizeof(CommandStatusWrapper), false);
    twin_.clock.RunPosted();
    const auto* status = wire::View<CommandStatusWrapper>(Last().bytes);
    CHECK(status != nullptr && status->signature == wire::bot::kStatusSignature);
    CHECK_EQ(status->tag, tag_);
    CHECK_EQ(status->status, 0);
  }

  Twin& twin_;
  fuzz::Input input_;
  BreachCheck breaches_;
  std::unique_ptr<link::Auditor> auditor_;
  std::array<Slot, kTransfersMax> slots_;
  Port port_;
  uint32_t tag_ = 0;
  bool test_mode_ = false;  // the device was asked for it
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input speed(Bytes(data, size));
  constexpr std::array<usb::Speed, 3> kSpeeds{usb::Speed::kHigh, usb::Speed::kFull,
                                              usb::Speed::kSuper};
  Twin twin(kSpeeds[speed.Byte() % kSpeeds.size()]);
  Host(twin, Drop(Bytes(data, size), 1)).Run();
  return 0;
}
