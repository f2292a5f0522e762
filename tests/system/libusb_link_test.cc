// The Link over libusb against a gadget of a real kernel, with the Auditor above it. Run in the
// guest by libusb_test.py, which plugs in, at PORT, a device whose interface 0 is the kernel's
// loopback function (what is written comes back, in buffers of 4096 bytes). Writing to UDC_FILE
// unplugs it.
#include "os/linux/libusb_link.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

#include "link/auditor.h"
#include "os/linux/libusb_bus.h"

using namespace usbtwin;
using namespace std::chrono_literals;
using usb::Outcome;

namespace {

constexpr usb::EndpointAddress kIn{0x81};
constexpr usb::EndpointAddress kOut{0x02};
constexpr size_t kBufferLength = 4096;  // of the loopback function

std::string Named(const char* variable) {
  const char* value = std::getenv(variable);
  BOOST_REQUIRE_MESSAGE(value != nullptr, variable << " is not set");
  return value;
}

// A transfer and what became of it.
struct Sent final : private usb::TransferSink {
  usb::Transfer transfer;
  std::vector<uint8_t> bytes;
  int done_count = 0;
  std::function<void()> on_done = [] {};

  void Submit(usb::Link& link) {
    transfer.Rearm();
    transfer.Push(*this);
    link.Submit(transfer);
  }
  void OnDone(usb::Transfer&, uint64_t) override {
    ++done_count;
    on_done();
  }
};

struct Alarm final : Timer {
  void HandleTimer() override { rang = true; }
  bool rang = false;
};

class Rig final : usb::PortSink, usb::Sink<usb::OpenOp> {
 public:
  Rig() : bus(loop) { Open(stack); }
  ~Rig() {
    auditor.reset();
    stack.Close();
    if (alarm.armed()) loop.Disarm(alarm);
  }

  void Open(usb::LinkStack& opened) {
    usb::OpenOp op;
    op.id.port_path = Named("PORT");
    op.Push(*this);
    bus.Open(op);
    BOOST_TEST(!open_done_);
    BOOST_REQUIRE(loop.RunUntil([this] { return open_done_; }));
    open_done_ = false;
    if (!op.result) BOOST_FAIL(op.result.error().Describe());
    opened = std::move(*op.result);
    if (auditor == nullptr) auditor = std::make_unique<link::Auditor>(*opened.top);
  }
  Outcome Ask(usb::Link& link, usb::PortRequest request) {
    usb::PortOp op;
    op.request = request;
    op.Push(*this);
    link.Request(op);
    BOOST_TEST(!port_done_);
    Limit limit(*this);
    (void)loop.RunUntil([this] { return port_done_ || alarm.rang; });
    BOOST_REQUIRE(port_done_);
    port_done_ = false;
    granted = op.granted;
    return op.outcome;
  }
  Outcome Ask(usb::PortRequest request) { return Ask(*auditor, request); }
  void Claim() { BOOST_REQUIRE(Ask(usb::ClaimInterface{0}) == Outcome::kOk); }

  void Prepare(Sent& sent, usb::EndpointAddress endpoint, size_t length) {
    sent.bytes.assign(length, 0xa5);
    sent.transfer.endpoint = endpoint;
    if (!endpoint.is_in()) {
      for (size_t index = 0; index < length; ++index) {
        sent.bytes[index] = static_cast<uint8_t>(index * 7 + index / 256);
      }
      sent.transfer.out = sent.bytes;
    } else {
      sent.transfer.in = sent.bytes;
      sent.transfer.in_length_max = static_cast<uint32_t>(length);
    }
  }
  void Start(Sent& sent, usb::EndpointAddress endpoint, size_t length) {
    Prepare(sent, endpoint, length);
    sent.Submit(*auditor);
    BOOST_TEST(sent.done_count == 0);
  }
  Outcome Wait(Sent& sent) {
    Limit limit(*this);
    (void)loop.RunUntil([&] { return sent.done_count != 0 || alarm.rang; });
    return sent.transfer.outcome;
  }
  void Pass(Duration time) {
    alarm.rang = false;
    loop.Arm(alarm, loop.Now() + time);
    BOOST_REQUIRE(loop.RunUntil([this] { return alarm.rang; }));
  }
  Outcome Control(uint8_t type, uint8_t request, uint16_t value, uint16_t index,
                  MutableBytes in = {}) {
    Sent sent;
    sent.transfer.setup = usb::SetupPacket{.request_type = type,
                                           .request = request,
                                           .value = value,
                                           .index = index,
                                           .length = static_cast<uint16_t>(in.size())};
    sent.transfer.in = in;
    sent.transfer.in_length_max = static_cast<uint32_t>(in.size());
    sent.Submit(*auditor);
    return Wait(sent);
  }
  // Writes as much as one buffer of the device, and reads it back.
  void CheckLoop() {
    Sent out, in;
    Start(out, kOut, kBufferLength);
    Start(in, kIn, kBufferLength);
    BOOST_TEST(Wait(out) == Outcome::kOk);
    BOOST_TEST(Wait(in) == Outcome::kOk);
    BOOST_TEST(in.transfer.length_actual == kBufferLength);
    BOOST_TEST(in.bytes == out.bytes);
  }

  os::Loop loop;
  os::LibusbBus bus;
  usb::LinkStack stack;
  std::unique_ptr<link::Auditor> auditor;
  Alarm alarm;
  uint32_t granted = 0;  // by the last request

 private:
  // A bug must not wait for the guest's own time limit.
  struct Limit {
    explicit Limit(Rig& rig) : alarm_rig(rig) {
      rig.alarm.rang = false;
      rig.loop.Arm(rig.alarm, rig.loop.Now() + 20s);
    }
    ~Limit() { alarm_rig.loop.Disarm(alarm_rig.alarm); }
    Rig& alarm_rig;
  };
  void OnDone(usb::PortOp&, uint64_t) override { port_done_ = true; }
  void OnDone(usb::OpenOp&, uint64_t) override { open_done_ = true; }
  bool port_done_ = false;
  bool open_done_ = false;
};

}  // namespace

namespace usbtwin::usb {
std::ostream& operator<<(std::ostream& stream, Outcome outcome) {
  return stream << Name(outcome);
}
}  // namespace usbtwin::usb

BOOST_AUTO_TEST_SUITE(libusb_link)

BOOST_AUTO_TEST_CASE(control_transfers_answer_and_stall) {
  Rig rig;
  std::array<uint8_t, 64> descriptor{};
  BOOST_TEST(rig.Control(0x80, 6, 0x0100, 0, descriptor) == Outcome::kOk);
  BOOST_TEST(descriptor[0] == 18);
  BOOST_TEST(rig.Control(0x80, 6, 0x7f00, 0, descriptor) == Outcome::kStall);
  BOOST_TEST(rig.Control(0x80, 6, 0x0100, 0, descriptor) == Outcome::kOk);
}

BOOST_AUTO_TEST_CASE(bulk_data_comes_back) {
  Rig rig;
  rig.Claim();
  for (int round = 0; round < 20; ++round) rig.CheckLoop();
}

BOOST_AUTO_TEST_CASE(transfers_queue_and_end_in_order) {
  Rig rig;
  rig.Claim();
  std::array<Sent, 24> out, in;
  std::vector<const Sent*> ended;
  for (Sent& one : in) {
    one.on_done = [&ended, &one] { ended.push_back(&one); };
    rig.Start(one, kIn, kBufferLength);
  }
  for (Sent& one : out) rig.Start(one, kOut, kBufferLength);
  for (Sent& one : out) BOOST_TEST(rig.Wait(one) == Outcome::kOk);
  for (Sent& one : in) BOOST_TEST(rig.Wait(one) == Outcome::kOk);
  for (size_t index = 0; index < in.size(); ++index) BOOST_TEST(ended[index] == &in[index]);
}

BOOST_AUTO_TEST_CASE(a_zero_packet_ends_a_whole_number_of_packets) {
  Rig rig;
  rig.Claim();
  Sent in, open_end, closed;
  rig.Start(in, kIn, 2 * kBufferLength);
  // The device's buffer is not full, so it waits for more.
  rig.Start(open_end, kOut, 512);
  BOOST_TEST(rig.Wait(open_end) == Outcome::kOk);
  rig.Pass(100ms);
  BOOST_TEST(in.done_count == 0);
  closed.transfer.flags.zero_packet = true;
  rig.Start(closed, kOut, 512);
  BOOST_TEST(rig.Wait(closed) == Outcome::kOk);
  // And it ends its own 1024 bytes with a packet of none.
  BOOST_TEST(rig.Wait(in) == Outcome::kOk);
  BOOST_TEST(in.transfer.length_actual == 1024u);
}

BOOST_AUTO_TEST_CASE(a_short_packet_is_a_fault_where_it_is_not_ok) {
  Rig rig;
  rig.Claim();
  Sent in, out;
  in.transfer.flags.short_not_ok = true;
  rig.Start(in, kIn, kBufferLength);
  rig.Start(out, kOut, 100);
  BOOST_TEST(rig.Wait(out) == Outcome::kOk);
  BOOST_TEST(rig.Wait(in) == Outcome::kFault);
  BOOST_TEST(in.transfer.length_actual == 100u);
}

BOOST_AUTO_TEST_CASE(cancelling_keeps_what_had_come) {
  Rig rig;
  rig.Claim();
  Sent in, out;
  rig.Start(in, kIn, 4 * kBufferLength);
  rig.Start(out, kOut, kBufferLength);
  BOOST_TEST(rig.Wait(out) == Outcome::kOk);
  rig.Pass(200ms);
  BOOST_TEST(in.done_count == 0);
  rig.auditor->Cancel(in.transfer);
  BOOST_TEST(in.done_count == 0);
  BOOST_TEST(rig.Wait(in) == Outcome::kCancelled);
  BOOST_TEST(in.transfer.length_actual == kBufferLength);
  BOOST_TEST(Bytes(in.bytes)[kBufferLength - 1] == out.bytes.back());
  BOOST_TEST(rig.auditor->in_flight_count() == 0u);
}

BOOST_AUTO_TEST_CASE(any_of_many_can_be_cancelled) {
  Rig rig;
  rig.Claim();
  std::array<Sent, 5> in;
  for (Sent& one : in) rig.Start(one, kIn, kBufferLength);
  for (const size_t index : {2, 0, 4}) {
    rig.auditor->Cancel(in[index].transfer);
    rig.auditor->Cancel(in[index].transfer);
    BOOST_TEST(rig.Wait(in[index]) == Outcome::kCancelled);
  }
  Sent out;
  rig.Start(out, kOut, kBufferLength);
  BOOST_TEST(rig.Wait(in[1]) == Outcome::kOk);
  BOOST_TEST(in[1].bytes == out.bytes);
  rig.auditor->Cancel(in[3].transfer);
  BOOST_TEST(rig.Wait(in[3]) == Outcome::kCancelled);
  BOOST_TEST(rig.Wait(out) == Outcome::kOk);
}

BOOST_AUTO_TEST_CASE(a_halted_endpoint_moves_nothing_until_it_is_cleared) {
  Rig rig;
  rig.Claim();
  BOOST_REQUIRE(rig.Control(0x02, 3, 0, kOut.value) == Outcome::kOk);  // SET_FEATURE, the halt
  Sent first, second;
  rig.Start(first, kOut, kBufferLength);
  BOOST_TEST(rig.Wait(first) == Outcome::kStall);
  rig.Start(second, kOut, kBufferLength);
  BOOST_TEST(rig.Wait(second) == Outcome::kStall);
  BOOST_TEST(rig.Ask(usb::ClearHalt{kOut}) == Outcome::kOk);
  rig.CheckLoop();
}

BOOST_AUTO_TEST_CASE(a_reset_cancels_and_the_device_works_on) {
  Rig rig;
  rig.Claim();
  Sent waiting;
  rig.Start(waiting, kIn, kBufferLength);
  BOOST_TEST(rig.Ask(usb::ResetPort{}) == Outcome::kOk);
  BOOST_TEST(waiting.done_count == 1);
  BOOST_TEST(waiting.transfer.outcome == Outcome::kCancelled);
  rig.CheckLoop();
}

BOOST_AUTO_TEST_CASE(transfers_wait_for_a_port_request) {
  Rig rig;
  rig.Claim();
  struct Port final : usb::PortSink {
    void OnDone(usb::PortOp&, uint64_t) override { done = true; }
    bool done = false;
  } port;
  usb::PortOp op;
  op.request = usb::ResetPort{};
  op.Push(port);
  Sent out, in, cancelled;
  rig.auditor->Request(op);
  rig.Start(out, kOut, kBufferLength);
  rig.Start(in, kIn, kBufferLength);
  rig.Start(cancelled, kIn, kBufferLength);
  rig.auditor->Cancel(cancelled.transfer);
  BOOST_TEST(rig.Wait(cancelled) == Outcome::kCancelled);
  BOOST_TEST(!port.done);
  BOOST_TEST(rig.Wait(in) == Outcome::kOk);
  BOOST_TEST(port.done);
  BOOST_TEST(op.outcome == Outcome::kOk);
  BOOST_TEST(rig.Wait(out) == Outcome::kOk);
}

BOOST_AUTO_TEST_CASE(port_requests_end_as_they_should) {
  Rig rig;
  BOOST_TEST(rig.Ask(usb::ClaimInterface{7}) == Outcome::kNotFound);
  BOOST_TEST(rig.Ask(usb::ClaimInterface{200}) == Outcome::kNotFound);
  BOOST_TEST(rig.Ask(usb::ReleaseInterface{0}) == Outcome::kNotFound);
  rig.Claim();
  BOOST_TEST(rig.Ask(usb::SetAlternate{0, 0}) == Outcome::kOk);
  BOOST_TEST(rig.Ask(usb::SetAlternate{0, 9}) == Outcome::kNotFound);
  BOOST_TEST(rig.Ask(usb::ClearHalt{usb::EndpointAddress{0x8f}}) == Outcome::kNotFound);
  BOOST_TEST(rig.Ask(usb::Suspend{}) == Outcome::kUnsupported);
  BOOST_TEST(rig.Ask(usb::Resume{}) == Outcome::kUnsupported);
  BOOST_TEST(rig.Ask(usb::SetConfiguration{1}) == Outcome::kOk);  // as it is
  rig.CheckLoop();
  BOOST_TEST(rig.Ask(usb::ReleaseInterface{0}) == Outcome::kOk);
  Sent in;
  rig.Start(in, usb::EndpointAddress{0x8f}, 512);
  BOOST_TEST(rig.Wait(in) == Outcome::kFault);
}

BOOST_AUTO_TEST_CASE(a_configuration_is_left_and_entered_again) {
  Rig rig;
  rig.Claim();
  BOOST_TEST(rig.Ask(usb::SetConfiguration{0}) == Outcome::kOk);
  BOOST_TEST(rig.Ask(usb::SetConfiguration{1}) == Outcome::kOk);
  rig.Claim();
  rig.CheckLoop();
}

BOOST_AUTO_TEST_CASE(an_interface_is_claimed_once) {
  Rig rig;
  rig.Claim();
  usb::LinkStack second;
  rig.Open(second);
  const Outcome outcome = rig.Ask(*second.top, usb::ClaimInterface{0});
  BOOST_TEST(outcome == Outcome::kBusy);
  const usb::DeviceId id{Named("PORT")};
  const std::string why = rig.bus.Explain(id, {.kind = ErrorKind::kBusy});
  BOOST_TEST(why == "Interface 0 is in use by a program: end it.");
  BOOST_TEST(rig.Ask(usb::ReleaseInterface{0}) == Outcome::kOk);
  BOOST_TEST(rig.Ask(*second.top, usb::ClaimInterface{0}) == Outcome::kOk);
}

BOOST_AUTO_TEST_CASE(the_kernels_memory_for_transfers_ends) {
  std::ofstream("/sys/module/usbcore/parameters/usbfs_memory_mb") << 1;
  {
    Rig rig;
    rig.Claim();
    std::array<Sent, 32> in;
    for (Sent& one : in) rig.Start(one, kIn, 64 * 1024);
    for (Sent& one : in) {
      if (one.transfer.outcome == Outcome::kPending) rig.auditor->Cancel(one.transfer);
    }
    int refused = 0;
    for (Sent& one : in) refused += rig.Wait(one) == Outcome::kFault;
    BOOST_TEST(refused > 10);
    const std::string why = rig.bus.Explain({Named("PORT")}, Error{.kind = ErrorKind::kFault});
    BOOST_TEST(why.find("is used up: 1 MiB") != std::string::npos);
    BOOST_TEST(why.find("usbfs_memory_mb") != std::string::npos);
    rig.CheckLoop();
  }
  std::ofstream("/sys/module/usbcore/parameters/usbfs_memory_mb") << 16;
}

// The last one: the device does not come back.
BOOST_AUTO_TEST_CASE(unplugging_ends_everything) {
  Rig rig;
  rig.Claim();
  std::array<Sent, 3> in;
  for (Sent& one : in) rig.Start(one, kIn, kBufferLength);
  rig.Pass(50ms);
  std::ofstream(Named("UDC_FILE")) << "\n";
  // The bus may see errors before the system sees that the device is gone.
  for (Sent& one : in) BOOST_TEST(rig.Wait(one) != Outcome::kOk);
  Sent last;
  for (int count = 0; count < 500 && last.transfer.outcome != Outcome::kDisconnected; ++count) {
    last.done_count = 0;
    rig.Start(last, kIn, 512);
    rig.Wait(last);
    rig.Pass(10ms);
  }
  BOOST_TEST(last.transfer.outcome == Outcome::kDisconnected);
  Sent after;
  rig.Start(after, kOut, 512);
  BOOST_TEST(rig.Wait(after) == Outcome::kDisconnected);
  BOOST_TEST(rig.Ask(usb::ClearHalt{kIn}) == Outcome::kDisconnected);
  BOOST_TEST(rig.Ask(usb::ReleaseInterface{0}) == Outcome::kDisconnected);
  BOOST_TEST(rig.Ask(usb::ResetPort{}) == Outcome::kDisconnected);
}

BOOST_AUTO_TEST_SUITE_END()

// At PORT is the kernel's target function: its setting 1 speaks UAS, with streams on three pipes.
BOOST_AUTO_TEST_SUITE(libusb_streams)

BOOST_AUTO_TEST_CASE(an_inquiry_travels_on_a_stream) {
  constexpr usb::EndpointAddress kStatus{0x86};
  constexpr usb::EndpointAddress kCommand{0x07};
  constexpr uint16_t kTag = 3;
  Rig rig;
  BOOST_TEST((rig.auditor->caps().speed == usb::Speed::kSuper));
  BOOST_REQUIRE(rig.auditor->caps().streams_max >= 16);
  BOOST_TEST(rig.Ask(usb::ClaimInterface{0, usb::KernelDriverPolicy::kRefuse}) == Outcome::kBusy);
  const usb::ClaimInterface claim{0, usb::KernelDriverPolicy::kDetach};
  BOOST_REQUIRE(rig.Ask(claim) == Outcome::kOk);
  BOOST_REQUIRE(rig.Ask(usb::SetAlternate{0, 1}) == Outcome::kOk);
  const std::array endpoints{kIn, kOut, kStatus};
  BOOST_TEST(rig.Ask(usb::AllocateStreams{16, endpoints}) == Outcome::kOk);
  BOOST_TEST(rig.granted >= kTag);

  Sent data, status, command;
  data.transfer.stream_id = status.transfer.stream_id = kTag;
  rig.Start(status, kStatus, 512);
  rig.Start(data, kIn, 36);
  rig.Prepare(command, kCommand, 32);
  command.bytes.assign(32, 0);
  command.bytes[0] = 1;  // a Command IU. UAS-2, 6.2.2
  command.bytes[3] = kTag;
  command.bytes[16] = 0x12;  // INQUIRY, 36 bytes
  command.bytes[20] = 36;
  command.Submit(*rig.auditor);
  BOOST_TEST(rig.Wait(command) == Outcome::kOk);
  BOOST_TEST(rig.Wait(data) == Outcome::kOk);
  BOOST_TEST(data.transfer.length_actual == 36u);
  BOOST_TEST(data.bytes[4] >= 31);  // additional length
  BOOST_TEST(rig.Wait(status) == Outcome::kOk);
  BOOST_TEST(status.bytes[0] == 3);  // a Sense IU: UAS-2, 6.2.3
  BOOST_TEST(status.bytes[3] == kTag);
  BOOST_TEST(status.bytes[6] == 0);  // GOOD

  Sent waiting;
  waiting.transfer.stream_id = 5;
  rig.Start(waiting, kStatus, 512);
  rig.auditor->Cancel(waiting.transfer);
  BOOST_TEST(rig.Wait(waiting) == Outcome::kCancelled);
  BOOST_TEST(rig.Ask(usb::FreeStreams{endpoints}) == Outcome::kOk);
}

BOOST_AUTO_TEST_SUITE_END()
