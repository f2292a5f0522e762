#include "proto/iso_pipe.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/proto/pipe_rig.h"

using namespace usbtwin;                // NOLINT
using namespace usbtwin::tests::pipes;  // NOLINT
using usb::EndpointAddress;
using usb::Outcome;
using usb::Speed;
using namespace std::chrono_literals;

namespace {

constexpr uint16_t kRoom = 100;  // bytes in one interval

// A host's transfer of packets of one length, side by side.
struct HostIso {
  HostIso(Bench& bench, EndpointAddress endpoint, size_t count, uint32_t length = kRoom)
      : bytes(count * length, 0xa5), packets(count) {
    for (size_t index = 0; index < count; ++index) {
      packets[index] = {static_cast<uint32_t>(index * length), length};
    }
    transfer.endpoint = endpoint;
    if (endpoint.is_in()) {
      transfer.in = bytes;
      transfer.in_length_max = static_cast<uint32_t>(bytes.size());
    } else {
      std::iota(bytes.begin(), bytes.end(), uint8_t{0});
      transfer.out = bytes;
    }
    transfer.packets = packets;
    transfer.flags.iso_asap = true;
    transfer.Push(bench);
  }
  // "ok 3, ok 0, overflow 0".
  std::string Told() const {
    std::string text;
    for (const usb::IsoPacket& packet : packets) {
      if (!text.empty()) text += ", ";
      text += std::string(Name(packet.outcome)) + " " + std::to_string(packet.length_actual);
    }
    return text;
  }
  std::vector<uint8_t> bytes;
  std::vector<usb::IsoPacket> packets;
  usb::Transfer transfer;
};

struct IsoFixture : Bench {
  explicit IsoFixture(bool in = true, Speed speed = Speed::kHigh, uint8_t interval = 1)
      : endpoint(in ? EndpointAddress::In(1) : EndpointAddress::Out(1)), pipe(clock) {
    pipe.Configure(speed, {.address = endpoint,
                           .type = usb::TransferType::kIsochronous,
                           .packet_size_max = kRoom,
                           .interval = interval});
  }
  ~IsoFixture() {
    pipe.EndTransfers(Outcome::kCancelled);
    pipe.EndRequests(Outcome::kCancelled);
    clock.RunPosted();
    BOOST_TEST((clock.deadline() == kNever));
  }
  EndpointAddress endpoint;
  proto::IsoPipe pipe;
};
struct InIso : IsoFixture {
  InIso() : IsoFixture(true) {}
};
struct OutIso : IsoFixture {
  OutIso() : IsoFixture(false) {}
};

struct RateCase {
  const char* name;
  Speed speed;
  uint8_t interval;
  Duration expected;
};
std::ostream& operator<<(std::ostream& out, const RateCase& c) {
  return out << c.name;
}
const RateCase kRates[] = {
    {"full speed, each frame", Speed::kFull, 1, 1ms},
    {"full speed, each fourth frame", Speed::kFull, 3, 4ms},
    {"high speed, each microframe", Speed::kHigh, 1, 125us},
    {"high speed, each frame", Speed::kHigh, 4, 1ms},
    {"SuperSpeed, each second microframe", Speed::kSuper, 2, 250us},
    {"the longest interval", Speed::kSuperPlus, 16, 4096ms},
    {"no interval is the shortest", Speed::kHigh, 0, 125us},
    {"beyond the longest is the longest", Speed::kHigh, 255, 4096ms},
};

struct RefusalCase {
  const char* name;
  size_t count;
  uint32_t length;
  uint32_t cut;  // bytes that the transfer lacks
  Outcome outcome;
};
std::ostream& operator<<(std::ostream& out, const RefusalCase& c) {
  return out << c.name;
}
const RefusalCase kRefusals[] = {
    {"no packets", 0, 0, 0, Outcome::kFault},
    {"one packet of nothing", 1, 0, 0, Outcome::kOk},
    {"as many as there can be", 1024, 1, 0, Outcome::kOk},
    {"one more", 1025, 1, 0, Outcome::kFault},
    {"packets beyond the transfer's bytes", 4, 10, 1, Outcome::kFault},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(iso_pipe)

BOOST_DATA_TEST_CASE(a_packet_moves_at_the_end_of_each_interval, kRates, c) {
  IsoFixture fixture(true, c.speed, c.interval);
  HostIso host(fixture, fixture.endpoint, 2);
  BOOST_TEST((fixture.pipe.interval() == c.expected));
  BOOST_TEST((fixture.clock.deadline() == kNever));  // nothing to do, nothing armed

  fixture.pipe.Submit(host.transfer);
  fixture.clock.Advance(2 * c.expected - 1ns);
  BOOST_TEST(fixture.transfers.empty());
  BOOST_TEST(host.Told() == "ok 0, pending 0");
  fixture.clock.Advance(1ns);

  BOOST_TEST(fixture.transfers.size() == 1u);
  BOOST_TEST((fixture.clock.deadline() == kNever));
}

BOOST_FIXTURE_TEST_CASE(requests_become_packets_and_none_is_a_gap, InIso) {
  DeviceIn first(*this, Count(3));
  DeviceIn nothing(*this, {});
  DeviceIn full(*this, Count(kRoom, 7));
  HostIso host(*this, endpoint, 5);
  for (DeviceIn* device : {&first, &nothing, &full}) pipe.Queue(device->request);

  pipe.Submit(host.transfer);
  clock.Advance(5 * 125us);

  BOOST_TEST((host.transfer.outcome == Outcome::kOk));
  BOOST_TEST(host.Told() == "ok 3, ok 0, ok 100, ok 0, ok 0");
  BOOST_TEST(host.transfer.length_actual == 103u);
  BOOST_TEST(host.transfer.error_count == 0u);
  BOOST_TEST((Take(Bytes(host.bytes), 4).back() == 0xa5));
  BOOST_TEST(SameBytes(Bytes(host.bytes).subspan(2 * kRoom, kRoom), full.bytes));
  BOOST_TEST(ins.size() == 3u);
  BOOST_TEST(first.request.length_actual == 3u);
  BOOST_TEST(first.request.ended_short);
  BOOST_TEST(!full.request.ended_short);
  BOOST_TEST(full.pin.leases() == 0u);
}

BOOST_FIXTURE_TEST_CASE(more_than_a_packet_has_room_for_is_lost, InIso) {
  DeviceIn much(*this, Count(11));
  DeviceIn next(*this, Count(10));
  HostIso host(*this, endpoint, 3, 10);
  pipe.Queue(much.request);
  pipe.Queue(next.request);

  pipe.Submit(host.transfer);
  clock.Advance(3 * 125us);

  BOOST_TEST((host.transfer.outcome == Outcome::kOk));
  BOOST_TEST(host.Told() == "overflow 0, ok 10, ok 0");
  BOOST_TEST(host.transfer.error_count == 1u);
  BOOST_TEST(host.transfer.length_actual == 10u);
  BOOST_TEST(host.bytes[0] == 0xa5);
  BOOST_TEST((much.request.outcome == Outcome::kOverflow));
  BOOST_TEST(much.request.length_actual == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_request_waits_for_a_transfer, InIso) {
  DeviceIn device(*this, Count(5));
  pipe.Queue(device.request);
  clock.Advance(1s);
  BOOST_TEST(ins.empty());

  HostIso host(*this, endpoint, 1);
  pipe.Submit(host.transfer);
  clock.Advance(125us);
  BOOST_TEST(host.Told() == "ok 5");
}

BOOST_FIXTURE_TEST_CASE(packets_out_are_delivered_cut_or_lost, OutIso) {
  DeviceOut whole(*this, kRoom, false);
  DeviceOut small(*this, 10, false);
  HostIso host(*this, endpoint, 3, 11);
  pipe.Queue(whole.request);
  pipe.Queue(small.request);

  pipe.Submit(host.transfer);
  clock.Advance(3 * 125us);

  // The host hears of none of it.
  BOOST_TEST(host.Told() == "ok 11, ok 11, ok 11");
  BOOST_TEST(host.transfer.length_actual == 33u);
  BOOST_TEST(host.transfer.error_count == 0u);
  BOOST_TEST((whole.request.outcome == Outcome::kOk));
  BOOST_TEST(whole.request.length_actual == 11u);
  BOOST_TEST(whole.request.ended_short);
  BOOST_TEST(SameBytes(Take(Bytes(whole.bytes), 11), Count(11)));
  BOOST_TEST((small.request.outcome == Outcome::kOverflow));
  BOOST_TEST(SameBytes(small.bytes, Count(10, 11)));
}

BOOST_FIXTURE_TEST_CASE(a_packet_of_no_bytes_takes_a_request, OutIso) {
  DeviceOut room(*this, kRoom, false);
  pipe.Queue(room.request);
  HostIso host(*this, endpoint, 1, 0);
  pipe.Submit(host.transfer);
  clock.Advance(125us);
  BOOST_TEST(outs.size() == 1u);
  BOOST_TEST(room.request.length_actual == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_packet_that_cannot_be_moves_nothing, InIso) {
  DeviceIn device(*this, Count(5));
  pipe.Queue(device.request);
  HostIso host(*this, endpoint, 4);
  host.packets[0].length = kRoom + 1;
  host.packets[1].offset = 4 * kRoom - 4;
  host.packets[1].length = 5;
  host.packets[2].offset = UINT32_MAX;
  pipe.Submit(host.transfer);
  clock.Advance(4 * 125us);
  BOOST_TEST(host.Told() == "fault 0, fault 0, fault 0, ok 5");
  BOOST_TEST(host.transfer.error_count == 3u);
  BOOST_TEST((host.transfer.outcome == Outcome::kOk));
}

BOOST_DATA_TEST_CASE(transfers_that_cannot_be_end_in_their_turn, kRefusals, c) {
  IsoFixture fixture;
  HostIso before(fixture, fixture.endpoint, 2, 1);
  HostIso host(fixture, fixture.endpoint, c.count, c.length);
  host.transfer.in = host.transfer.in.first(host.bytes.size() - c.cut);
  host.transfer.in_length_max -= c.cut;
  HostIso after(fixture, fixture.endpoint, 1, 1);
  for (HostIso* one : {&before, &host, &after}) fixture.pipe.Submit(one->transfer);

  fixture.clock.RunPosted();
  BOOST_TEST(fixture.transfers.empty());
  fixture.clock.Advance(1s);

  BOOST_TEST((fixture.transfers ==
              std::vector<usb::Transfer*>{&before.transfer, &host.transfer, &after.transfer}));
  BOOST_TEST((host.transfer.outcome == c.outcome));
  BOOST_TEST(host.transfer.error_count == (c.outcome == Outcome::kOk ? 0 : c.count));
  BOOST_TEST((after.transfer.outcome == Outcome::kOk));
}

BOOST_FIXTURE_TEST_CASE(high_bandwidth_carries_three_packets_at_once, InIso) {
  pipe.Configure(Speed::kHigh, {.address = endpoint,
                                .type = usb::TransferType::kIsochronous,
                                .packet_size_max = 1024,
                                .interval = 1,
                                .transactions_extra = 2});
  DeviceIn device(*this, Count(3 * 1024));
  pipe.Queue(device.request);
  HostIso host(*this, endpoint, 2, 3 * 1024);
  pipe.Submit(host.transfer);
  clock.Advance(250us);
  BOOST_TEST(host.Told() == "ok 3072, ok 0");
  BOOST_TEST(!device.request.ended_short);
}

BOOST_AUTO_TEST_CASE(an_interval_carries_what_the_descriptors_say) {
  const auto length = [](uint16_t packet, uint8_t extra, uint16_t bytes) {
    return IntervalLengthMax(usb::EndpointConfig{
        .packet_size_max = packet, .transactions_extra = extra, .bytes_per_interval = bytes});
  };
  BOOST_TEST(length(1023, 0, 0) == 1023u);
  BOOST_TEST(length(1024, 1, 0) == 2048u);
  BOOST_TEST(length(1024, 2, 0) == 3072u);
  BOOST_TEST(length(1024, 3, 0) == 3072u);  // reserved
  BOOST_TEST(length(1024, 0, 48 * 1024) == 48u * 1024);
  BOOST_TEST(length(0, 0, 0) == 0u);
}

// ---- Time -------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(queued_transfers_follow_without_a_gap, InIso) {
  HostIso first(*this, endpoint, 3);
  HostIso second(*this, endpoint, 2);
  pipe.Submit(first.transfer);
  pipe.Submit(second.transfer);
  clock.Advance(5 * 125us);
  BOOST_TEST(transfers.size() == 2u);
  BOOST_TEST(first.transfer.start_frame == 0u);
  BOOST_TEST(second.transfer.start_frame == 3u);
}

BOOST_FIXTURE_TEST_CASE(one_that_comes_when_the_last_completed_follows_without_a_gap, InIso) {
  HostIso first(*this, endpoint, 3);
  HostIso second(*this, endpoint, 2);
  pipe.Submit(first.transfer);
  BOOST_TEST(clock.RunUntil([&] { return transfers.size() == 1; }));
  pipe.Submit(second.transfer);
  clock.Advance(1ms);
  BOOST_TEST(second.transfer.start_frame == 3u);
}

BOOST_FIXTURE_TEST_CASE(an_interval_that_has_begun_is_not_used, InIso) {
  HostIso host(*this, endpoint, 1);
  clock.Advance(10 * 125us + 1us);
  pipe.Submit(host.transfer);
  clock.Advance(1ms);
  BOOST_TEST(host.transfer.start_frame == 11u);
}

struct StartCase {
  const char* name;
  uint32_t asked;
  uint32_t expected;
};
std::ostream& operator<<(std::ostream& out, const StartCase& c) {
  return out << c.name;
}
// Intervals of 8 microframes; it is microframe 80 now.
const StartCase kStarts[] = {
    {"now", 80, 80},
    {"in the next interval", 88, 88},
    {"within an interval", 89, 96},
    {"the farthest", 80 + 8192, 80 + 8192},
    {"beyond the farthest", 80 + 8193, 80},
    {"long ago", 8, 80},
    {"nonsense", 0xfffffff0, 80},
};

BOOST_DATA_TEST_CASE(a_start_frame_ahead_is_kept_to, kStarts, c) {
  IsoFixture fixture(true, Speed::kHigh, 4);
  fixture.clock.Advance(10ms);
  HostIso host(fixture, fixture.endpoint, 1);
  host.transfer.flags.iso_asap = false;
  host.transfer.start_frame = c.asked;
  fixture.pipe.Submit(host.transfer);
  fixture.clock.Advance(c.expected * 125us + 1ms - 10ms - 1ns);
  BOOST_TEST(fixture.transfers.empty());
  fixture.clock.Advance(1ns);
  BOOST_TEST(fixture.transfers.size() == 1u);
  BOOST_TEST(host.transfer.start_frame == c.expected);
}

BOOST_FIXTURE_TEST_CASE(a_start_frame_leaves_a_gap_behind_the_one_before, InIso) {
  HostIso first(*this, endpoint, 2);
  HostIso second(*this, endpoint, 1);
  second.transfer.flags.iso_asap = false;
  second.transfer.start_frame = 10;
  pipe.Submit(first.transfer);
  pipe.Submit(second.transfer);
  clock.Advance(11 * 125us - 1ns);
  BOOST_TEST(transfers.size() == 1u);
  clock.Advance(1ns);
  BOOST_TEST(transfers.size() == 2u);
}

// A loop that wakes up late runs one packet a turn: what a device queues in answer to one is there
// for the next.
BOOST_AUTO_TEST_CASE(a_late_clock_gives_the_device_its_turns) {
  class LateClock final : public Clock {
   public:
    TimePoint Now() const override { return now; }
    void Post(Deferred& item) override { queue.Post(item); }
    bool idle() const override { return queue.idle(); }
    void Arm(Timer& timer, TimePoint when) override { queue.Arm(timer, when); }
    void Disarm(Timer& timer) override { queue.Disarm(timer); }
    void Turn() {
      now = now + 1us;
      while (queue.RunPosted() != 0) continue;
      while (queue.FireOne(now)) continue;
    }
    TimePoint now;
    EventQueue queue;
  } clock;
  struct Device final : Bench {
    using Bench::OnRequestDone;
    void OnRequestDone(usb::InRequest& request) override {
      if (request.outcome == Outcome::kCancelled) return;
      request.data = pin->Lend(4);
      pipe->Queue(request);
    }
    StaticPin* pin = nullptr;
    proto::IsoPipe* pipe = nullptr;
  } device;
  proto::IsoPipe pipe(clock);
  const EndpointAddress endpoint = EndpointAddress::In(1);
  pipe.Configure(Speed::kHigh, {.address = endpoint,
                                .type = usb::TransferType::kIsochronous,
                                .packet_size_max = kRoom,
                                .interval = 1});
  DeviceIn data(device, Count(4));
  device.pin = &data.pin;
  device.pipe = &pipe;
  HostIso host(device, endpoint, 50);
  pipe.Queue(data.request);
  pipe.Submit(host.transfer);

  clock.now = clock.now + 10ms;
  for (int turn = 0; turn < 60; ++turn) clock.Turn();

  BOOST_TEST((host.transfer.outcome == Outcome::kOk));
  BOOST_TEST(host.transfer.length_actual == 200u);
  pipe.EndRequests(Outcome::kCancelled);
  clock.Turn();
}

// ---- Endings ----------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_cancelled_transfer_keeps_what_has_moved, InIso) {
  DeviceIn device(*this, Count(5));
  pipe.Queue(device.request);
  HostIso first(*this, endpoint, 3);
  HostIso second(*this, endpoint, 1);
  pipe.Submit(first.transfer);
  pipe.Submit(second.transfer);
  clock.Advance(130us);

  pipe.Cancel(first.transfer);
  clock.RunPosted();

  BOOST_TEST((first.transfer.outcome == Outcome::kCancelled));
  BOOST_TEST(first.Told() == "ok 5, pending 0, pending 0");
  BOOST_TEST(first.transfer.length_actual == 5u);
  BOOST_TEST(first.transfer.error_count == 2u);
  BOOST_TEST(SameBytes(Take(Bytes(first.bytes), 5), Count(5)));
  // The interval that has begun is lost to the one behind it.
  clock.Advance(1ms);
  BOOST_TEST(second.transfer.start_frame == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_transfer_in_the_middle_can_be_cancelled, InIso) {
  HostIso hosts[] = {{*this, endpoint, 2}, {*this, endpoint, 2}, {*this, endpoint, 2}};
  for (HostIso& host : hosts) pipe.Submit(host.transfer);
  pipe.Cancel(hosts[1].transfer);
  clock.RunPosted();
  BOOST_TEST((transfers == std::vector<usb::Transfer*>{&hosts[1].transfer}));
  pipe.Cancel(hosts[1].transfer);  // decided already
  clock.Advance(4 * 125us);
  BOOST_TEST(transfers.size() == 3u);
  BOOST_TEST(hosts[2].transfer.start_frame == 2u);
}

BOOST_FIXTURE_TEST_CASE(the_last_transfer_takes_the_timer_along, InIso) {
  HostIso host(*this, endpoint, 2);
  pipe.Submit(host.transfer);
  BOOST_TEST((clock.deadline() != kNever));
  pipe.Cancel(host.transfer);
  BOOST_TEST((clock.deadline() == kNever));
  clock.RunPosted();

  HostIso other(*this, endpoint, 2);
  pipe.Submit(other.transfer);
  pipe.EndTransfers(Outcome::kDisconnected);
  BOOST_TEST((clock.deadline() == kNever));
  clock.RunPosted();
  BOOST_TEST((other.transfer.outcome == Outcome::kDisconnected));
}

BOOST_FIXTURE_TEST_CASE(requests_end_without_data, InIso) {
  DeviceIn device(*this, Count(5));
  pipe.Queue(device.request);
  pipe.EndRequests(Outcome::kCancelled);
  BOOST_TEST(ins.empty());
  clock.RunPosted();
  BOOST_TEST((device.request.outcome == Outcome::kCancelled));
  BOOST_TEST(device.request.length_actual == 0u);
  BOOST_TEST(device.pin.leases() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_suspended_bus_has_no_intervals, InIso) {
  HostIso host(*this, endpoint, 3);
  pipe.Submit(host.transfer);
  clock.Advance(125us);
  pipe.SetSuspended(true);
  BOOST_TEST((clock.deadline() == kNever));
  clock.Advance(1s);
  BOOST_TEST(host.Told() == "ok 0, pending 0, pending 0");

  HostIso later(*this, endpoint, 1);
  pipe.Submit(later.transfer);
  BOOST_TEST((clock.deadline() == kNever));
  pipe.SetSuspended(false);
  clock.Advance(3 * 125us - 1ns);
  BOOST_TEST(transfers.size() == 1u);
  clock.Advance(1ns);
  BOOST_TEST(transfers.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
