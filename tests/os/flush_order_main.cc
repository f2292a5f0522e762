// Drives an image file through the whole stack, Bulk-Only Transport included, and marks what
// happens on the wire by writes to /dev/null: "COMMAND <name>" before each command, "CSW <tag>"
// when the device hands its status over. flush_order_test.py runs it under strace and looks at the
// order.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "emulator/bot_function.h"
#include "emulator/device.h"
#include "emulator/disk.h"
#include "emulator/target.h"
#include "emulator/virtual_controller.h"
#include "host/bot_transport.h"
#include "os/linux/file_store.h"
#include "wire/bot.h"

using namespace usbtwin;  // NOLINT

namespace {

void Mark(const std::string& text) {
  static const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  CHECK_EQ(write(null, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

// The device's controller, with a mark at each status wrapper that is queued for the host.
class MarkingController final : public emulator::Controller {
 public:
  explicit MarkingController(emulator::Controller& inner) : inner_(inner) {}

  void Queue(usb::InRequest& request) override {
    wire::bot::CommandStatusWrapper status{};
    if (request.data.length() == sizeof status) {
      request.data.CopyTo(wire::AsMutableBytes(status));
      if (status.signature == wire::bot::kStatusSignature) {
        Mark("CSW " + std::to_string(uint32_t{status.tag}));
      }
    }
    inner_.Queue(request);
  }

  usb::Speed speed() const override { return inner_.speed(); }
  void Enable(const usb::EndpointConfig& endpoint) override { inner_.Enable(endpoint); }
  void Disable(usb::EndpointAddress endpoint) override { inner_.Disable(endpoint); }
  void Queue(usb::OutRequest& request) override { inner_.Queue(request); }
  void Release(usb::OutRequest& request) override { inner_.Release(request); }
  void CancelAll(usb::EndpointAddress endpoint) override { inner_.CancelAll(endpoint); }
  void CancelStream(usb::EndpointAddress endpoint, uint16_t stream_id) override {
    inner_.CancelStream(endpoint, stream_id);
  }
  void SetHalt(usb::EndpointAddress endpoint, emulator::HaltState state) override {
    inner_.SetHalt(endpoint, state);
  }
  emulator::HaltState halt(usb::EndpointAddress endpoint) const override {
    return inner_.halt(endpoint);
  }
  void CompleteControl(emulator::ControlTicket ticket, emulator::ControlReply reply) override {
    inner_.CompleteControl(ticket, reply);
  }
  void RemoteWakeup() override { inner_.RemoteWakeup(); }

 private:
  emulator::Controller& inner_;
};

void Configure(os::Loop& loop, usb::Link& link) {
  struct Done final : usb::PortSink {
    void OnDone(usb::PortOp&, uint64_t) override { called = true; }
    bool called = false;
  } done;
  usb::PortOp op;
  op.request = usb::SetConfiguration{1};
  op.Push(done);
  link.Request(op);
  CHECK(loop.RunUntil([&] { return done.called; }));
  CHECK(op.outcome == usb::Outcome::kOk);
}

struct Host {
  // True when the command ended with GOOD status.
  bool Run(const char* name, Bytes cdb, Bytes out = {}) {
    Mark(std::string("COMMAND ") + name);
    const host::ScsiRequest request{.cdb = cdb, .out = out};
    async::Job<Result<host::ScsiResult>> job(loop, transport.Execute(request));
    CHECK(loop.RunUntil([&] { return job.done(); }));
    return job.result().has_value() && job.result()->status == scsi::Status::kGood;
  }
  os::Loop& loop;
  host::BotTransport& transport;
};

int RunCommands(Host host) {
  constexpr auto kReady = "000000000000"_hex;
  constexpr auto kWrite = "2a00 00000008 00 0008 00"_hex;
  constexpr auto kWriteThrough = "2a08 00000010 00 0008 00"_hex;  // FUA
  constexpr auto kSynchronize = "3500 00000000 00 0000 00"_hex;
  const std::vector<uint8_t> data(8 * 512, 0x5a);

  host.Run("TEST UNIT READY", kReady);  // hears of the power-on reset
  const bool good = host.Run("TEST UNIT READY", kReady) && host.Run("WRITE", kWrite, data) &&
                    host.Run("SYNCHRONIZE CACHE", kSynchronize) &&
                    host.Run("WRITE FUA", kWriteThrough, data);
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: flush-order IMAGE\n");
    return 2;
  }
  os::Loop loop;
  os::Worker worker(loop);
  auto store = os::FileStore::Open(loop, worker, argv[1], {});
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().text.c_str());
    return 2;
  }
  emulator::Disk disk(loop, **store, {});
  emulator::Target target(loop);
  target.AddUnit(disk);
  emulator::VirtualController controller(loop, usb::Speed::kHigh);
  MarkingController marking(controller);
  emulator::BotFunction function(target, {});
  emulator::DeviceConfiguration configuration;
  configuration.functions = {&function};
  auto device = emulator::Device::Make({.speeds = {usb::Speed::kHigh}}, {configuration});
  CHECK(device.has_value());
  CHECK((*device)->Bind(marking).has_value());
  controller.Attach(**device);
  Configure(loop, controller);

  int status = 0;
  {
    host::BotTransportOptions options;
    options.bulk_in = {.address = {0x81}, .packet_size_max = 512};
    options.bulk_out = {.address = {0x01}, .packet_size_max = 512};
    host::BotTransport transport(loop, controller, options);
    status = RunCommands({loop, transport});
  }
  controller.Detach();
  loop.RunUntil([] { return false; });
  return status;
}
