// The Bulk-Only host against the Bulk-Only device, whole: transport, engines, pipes, disk.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "rig.h"

using namespace usbtwin;  // NOLINT
using usb::Outcome;

namespace {

constexpr usb::SetupPacket kBulkOnlyReset{.request_type = 0x21,
                                          .request = 0xff,
                                          .value = uint16_t{0},
                                          .index = uint16_t{0},
                                          .length = uint16_t{0}};
constexpr usb::SetupPacket kGetMaxLun{.request_type = 0xa1,
                                      .request = 0xfe,
                                      .value = uint16_t{0},
                                      .index = uint16_t{0},
                                      .length = uint16_t{1}};

std::vector<uint8_t> Wrapper(uint32_t tag, uint32_t length, bool in, Bytes cdb) {
  wire::bot::CommandBlockWrapper wrapper{.signature = wire::bot::kCommandSignature,
                                         .tag = tag,
                                         .data_length = length,
                                         .flags = static_cast<uint8_t>(in ? 0x80 : 0),
                                         .lun = 0,
                                         .command_length = static_cast<uint8_t>(cdb.size()),
                                         .command_block = {}};
  std::copy(cdb.begin(), cdb.end(), wrapper.command_block.begin());
  const Bytes bytes = wire::AsBytes(wrapper);
  return {bytes.begin(), bytes.end()};
}

// What a host sees of one command, step by step, driven by hand.
struct RawCase {
  const char* name;
  uint32_t host;
  bool host_in;
  const char* cdb;
  Outcome data_outcome;
  uint32_t data_length;
  uint32_t residue;
  uint8_t status;
};
std::ostream& operator<<(std::ostream& out, const RawCase& c) {
  return out << c.name;
}

constexpr const char* kNone = "00 00 00 00 00 00";
constexpr const char* kInquiry36 = "12 00 00 00 24 00";
constexpr const char* kRead1 = "28 00 00 00 00 08 00 00 01 00";
constexpr const char* kRead2 = "28 00 00 00 00 08 00 00 02 00";
constexpr const char* kReadFar = "28 00 ff ff ff ff 00 00 01 00";
constexpr const char* kWrite1 = "2a 00 00 00 00 08 00 00 01 00";
constexpr const char* kWrite2 = "2a 00 00 00 00 08 00 00 02 00";
constexpr const char* kSelect4 = "15 10 00 00 04 00";  // the pattern is no mode parameter header
constexpr const char* kWriteFar = "2a 00 ff ff ff ff 00 00 01 00";

const RawCase kRawCases[] = {
    {"1: Hn = Dn", 0, false, kNone, Outcome::kPending, 0, 0, 0},
    {"2: Hn < Di", 0, false, kRead1, Outcome::kPending, 0, 0, 2},
    {"3: Hn < Do", 0, false, kWrite1, Outcome::kPending, 0, 0, 2},
    {"4: Hi > Dn", 512, true, kNone, Outcome::kStall, 0, 512, 0},
    {"4: Hi > Dn, a failed read", 512, true, kReadFar, Outcome::kStall, 0, 512, 1},
    {"5: Hi > Di, ended by a short packet", 512, true, kInquiry36, Outcome::kOk, 36, 476, 0},
    {"5: Hi > Di, ended by a stall", 2048, true, kRead2, Outcome::kStall, 1024, 1024, 0},
    {"6: Hi = Di", 512, true, kRead1, Outcome::kOk, 512, 0, 0},
    {"7: Hi < Di", 512, true, kRead2, Outcome::kOk, 512, 0, 2},
    {"8: Hi <> Do", 512, true, kWrite1, Outcome::kStall, 0, 512, 2},
    {"9: Ho > Dn", 512, false, kNone, Outcome::kStall, 0, 512, 0},
    {"9: Ho > Dn, a failed write", 512, false, kWriteFar, Outcome::kStall, 0, 512, 1},
    {"10: Ho <> Di", 512, false, kRead1, Outcome::kStall, 0, 512, 2},
    {"11: Ho > Do", 2048, false, kWrite2, Outcome::kStall, 1024, 1024, 0},
    {"11: Ho > Do, all in the last packet", 512, false, kSelect4, Outcome::kOk, 512, 512, 1},
    {"11: Ho > Do, a byte in a packet of its own", 513, false, kSelect4, Outcome::kStall, 512, 513,
     1},
    {"12: Ho = Do", 1024, false, kWrite2, Outcome::kOk, 1024, 0, 0},
    {"13: Ho < Do", 512, false, kWrite2, Outcome::kStall, 0, 512, 2},
};

// Bulk-Only Reset and both halts, as a host does it.
void ResetRecovery(Rig& rig) {
  BOOST_REQUIRE(rig.Control(kBulkOnlyReset).outcome == Outcome::kOk);
  BOOST_REQUIRE(rig.Port(usb::ClearHalt{{0x81}}) == Outcome::kOk);
  BOOST_REQUIRE(rig.Port(usb::ClearHalt{{0x01}}) == Outcome::kOk);
}

const usb::Speed kSpeeds[] = {usb::Speed::kFull, usb::Speed::kHigh, usb::Speed::kSuper};

}  // namespace

namespace usbtwin::usb {
std::ostream& operator<<(std::ostream& out, Speed speed) {
  return out << Name(speed);
}
}  // namespace usbtwin::usb

BOOST_AUTO_TEST_SUITE(bot_twin)

BOOST_DATA_TEST_CASE(the_thirteen_cases_as_a_host_sees_them,
                     boost::unit_test::data::make(kRawCases), c) {
  Rig rig;
  rig.Settle();
  const auto cdb = *ParseHex(c.cdb);
  const auto bytes = Rig::Pattern(c.host);
  for (uint32_t tag = 1; tag <= 2; ++tag) {  // twice: the first must leave nothing behind
    BOOST_REQUIRE(rig.Out(Wrapper(tag, c.host, c.host_in, cdb)).outcome == Outcome::kOk);
    if (c.host != 0) {
      const Rig::Moved data = c.host_in ? rig.In(c.host) : rig.Out(bytes);
      BOOST_CHECK(data.outcome == c.data_outcome);
      BOOST_TEST(data.length == c.data_length);
      if (data.outcome == Outcome::kStall) {
        const usb::EndpointAddress stalled{static_cast<uint8_t>(c.host_in ? 0x81 : 0x01)};
        BOOST_REQUIRE(rig.Port(usb::ClearHalt{stalled}) == Outcome::kOk);
      }
    }
    const Rig::Moved status = rig.In(13);
    BOOST_REQUIRE(status.outcome == Outcome::kOk);
    const auto* wrapper = wire::View<wire::bot::CommandStatusWrapper>(status.bytes);
    BOOST_REQUIRE(wrapper != nullptr);
    BOOST_TEST(wrapper->signature == wire::bot::kStatusSignature);
    BOOST_TEST(wrapper->tag == tag);
    BOOST_TEST(wrapper->residue == c.residue);
    BOOST_TEST(static_cast<int>(wrapper->status) == c.status);
    if (c.status == 2) ResetRecovery(rig);
  }
}

BOOST_DATA_TEST_CASE(an_invalid_wrapper_stalls_until_reset_recovery,
                     boost::unit_test::data::make({0u, 1u, 30u, 32u, 63u, 512u, 600u, 1024u}),
                     length) {
  Rig rig;
  rig.Settle();
  std::vector<uint8_t> bytes = Wrapper(1, 0, false, std::array<uint8_t, 6>{});
  bytes.resize(length, 0xa5);
  rig.Out(bytes);
  for (int round = 0; round < 2; ++round) {
    BOOST_CHECK(rig.In(13).outcome == Outcome::kStall);
    BOOST_CHECK(rig.Out(Wrapper(2, 0, false, std::array<uint8_t, 6>{})).outcome == Outcome::kStall);
    // Clearing the halts alone must not help. BOT 1.0, 6.6.1.
    BOOST_CHECK(rig.Port(usb::ClearHalt{{0x81}}) == Outcome::kOk);
    BOOST_CHECK(rig.Port(usb::ClearHalt{{0x01}}) == Outcome::kOk);
  }
  ResetRecovery(rig);
  rig.Settle();
}

BOOST_AUTO_TEST_CASE(the_transport_recovers_a_wedged_device) {
  Rig rig;
  rig.Settle();
  rig.Out("deadbeef"_hex);
  const std::array<uint8_t, 6> ready{};
  const auto failed = rig.Execute({.cdb = ready});
  BOOST_REQUIRE(!failed.has_value());
  BOOST_CHECK(failed.error().kind == ErrorKind::kStalled);
  BOOST_CHECK(failed.error().phase == Phase::kCommand);
  BOOST_CHECK(rig.transport->last_rung() == bot::Rung::kMassStorageReset);
  const auto passed = rig.Execute({.cdb = ready});
  BOOST_REQUIRE(passed.has_value());
  BOOST_CHECK(passed->status == scsi::Status::kGood);
}

BOOST_DATA_TEST_CASE(what_is_written_is_read_back, boost::unit_test::data::make(kSpeeds), speed) {
  Rig rig({.speed = speed, .size = 4 << 20});
  rig.Settle();
  for (const uint16_t blocks : std::array<uint16_t, 9>{1, 2, 3, 7, 8, 127, 128, 129, 4095}) {
    const auto written = Rig::Pattern(size_t{blocks} * 512, static_cast<uint8_t>(blocks));
    const auto wrote = rig.Write(5, blocks, written);
    BOOST_REQUIRE(wrote.has_value());
    BOOST_CHECK(wrote->status == scsi::Status::kGood);
    BOOST_TEST(wrote->length_actual == written.size());
    std::vector<uint8_t> read(written.size(), 0xa5);
    const auto result = rig.Read(5, blocks, read);
    BOOST_REQUIRE(result.has_value());
    BOOST_TEST(result->length_actual == written.size());
    BOOST_TEST(result->residue == 0u);
    BOOST_TEST(SameBytes(read, written));
  }
}

BOOST_AUTO_TEST_CASE(a_long_read_moves_in_windows_and_transfers) {
  Rig rig({.size = 40 << 20});
  rig.Settle();
  constexpr uint16_t kBlocks = 65535;  // 32 MiB less one block: 32 windows, 32 transfers
  const auto written = Rig::Pattern(size_t{kBlocks} * 512);
  BOOST_REQUIRE(rig.Write(1, kBlocks, written).has_value());
  std::vector<uint8_t> read(written.size(), 0xa5);
  const auto result = rig.Read(1, kBlocks, read);
  BOOST_REQUIRE(result.has_value());
  BOOST_TEST(SameBytes(read, written));
}

BOOST_AUTO_TEST_CASE(data_is_lent_without_a_copy) {
  Rig rig;
  rig.Settle();
  const auto written = Rig::Pattern(8192);
  BOOST_REQUIRE(rig.Write(0, 16, written).has_value());
  LeaseList lent;
  const auto cdb = Rig::Cdb(0x28, 0, 16);
  const auto result = rig.Execute({.cdb = cdb, .in_length = 8192, .lent = &lent});
  BOOST_REQUIRE(result.has_value());
  std::vector<uint8_t> bytes(lent.length());
  lent.CopyTo(bytes);
  BOOST_TEST(SameBytes(bytes, written));
  // A later write must not show in what was lent before it.
  BOOST_REQUIRE(rig.Write(0, 16, Rig::Pattern(8192, 99)).has_value());
  lent.CopyTo(bytes);
  BOOST_TEST(SameBytes(bytes, written));
  lent.Clear();
}

BOOST_AUTO_TEST_CASE(a_failed_command_brings_its_sense) {
  Rig rig;
  rig.Settle();
  std::vector<uint8_t> room(512, 0xa5);
  const auto result = rig.Read(0xffffffff, 1, room);
  BOOST_REQUIRE(result.has_value());
  BOOST_CHECK(result->status == scsi::Status::kCheckCondition);
  BOOST_REQUIRE(result->sense_valid);
  BOOST_CHECK(result->sense.key == scsi::SenseKey::kIllegalRequest);
  BOOST_TEST(result->sense.asc == 0x21);
  BOOST_TEST(result->residue == 512u);
  BOOST_TEST(result->length_actual == 0u);
  BOOST_TEST(room[0] == 0xa5);
}

BOOST_AUTO_TEST_CASE(an_inquiry_shorter_than_asked_reports_wire_count_and_residue) {
  Rig rig;
  const auto cdb = "1200000060 00"_hex;
  std::vector<uint8_t> room(0x60, 0xa5);
  const auto result = rig.Execute({.cdb = cdb, .in = room, .in_length = 0x60});
  BOOST_REQUIRE(result.has_value());
  BOOST_TEST(result->length_actual + result->residue == 0x60u);
  BOOST_TEST(result->length_actual >= 36u);
}

BOOST_AUTO_TEST_CASE(get_max_lun_and_bad_class_requests) {
  Rig rig;
  const auto lun = rig.Control(kGetMaxLun);
  BOOST_CHECK(lun.outcome == Outcome::kOk);
  BOOST_TEST(lun.bytes == std::vector<uint8_t>{0});
  for (auto change : {+[](usb::SetupPacket& setup) { setup.value = 1; },
                      +[](usb::SetupPacket& setup) { setup.length = 2; },
                      +[](usb::SetupPacket& setup) { setup.index = 1; },
                      +[](usb::SetupPacket& setup) { setup.request = 0xfd; },
                      +[](usb::SetupPacket& setup) { setup.request_type = 0xc1; }}) {
    usb::SetupPacket setup = kGetMaxLun;
    change(setup);
    BOOST_CHECK(rig.Control(setup).outcome == Outcome::kStall);
  }
  usb::SetupPacket reset = kBulkOnlyReset;
  reset.value = 1;
  BOOST_CHECK(rig.Control(reset).outcome == Outcome::kStall);
  rig.Settle();
}

BOOST_AUTO_TEST_CASE(a_device_that_never_answers_times_out_by_phase) {
  // Taking the data stage away from under the device: the host asks for data no command produces.
  Rig rig;
  rig.Settle();
  const auto cdb = Rig::Cdb(0x2a, 0, 1);
  const auto wrapper = Wrapper(77, 512, false, cdb);
  BOOST_REQUIRE(rig.Out(wrapper).outcome == Outcome::kOk);  // the device now waits for 512 bytes
  const TimePoint start = rig.clock.Now();
  const std::array<uint8_t, 6> ready{};
  // Our command wrapper is taken for (short) data; nothing answers the status read but a phase
  // error with the other command's tag.
  const auto result = rig.Execute({.cdb = ready, .timeout = std::chrono::seconds(2)});
  BOOST_REQUIRE(!result.has_value());
  BOOST_CHECK(result.error().phase == Phase::kStatus);
  BOOST_CHECK(result.error().kind == ErrorKind::kProtocol);
  BOOST_TEST((rig.clock.Now() - start < std::chrono::seconds(2)));
  rig.Settle();
}

// The host announces 18 blocks and sends less. What had been lent before does not change.
BOOST_DATA_TEST_CASE(a_host_that_sends_less_writes_whole_blocks,
                     boost::unit_test::data::make({512u, 4096u}) *
                         boost::unit_test::data::make({0u, 1u, 511u, 513u, 700u, 1025u, 4095u,
                                                       4097u, 8191u, 9000u}),
                     block_size, sent) {
  Rig rig({.disk = {.block_size = block_size}});
  rig.Settle();
  const uint32_t announced = 18 * block_size;
  const auto before = Rig::Pattern(announced);
  BOOST_REQUIRE(rig.Write(8, 18, before).has_value());
  LeaseList lent;
  const auto read = Rig::Cdb(0x28, 8, 18);
  BOOST_REQUIRE(rig.Execute({.cdb = read, .in_length = announced, .lent = &lent}).has_value());

  const auto bytes = Rig::Pattern(sent, 99);
  BOOST_REQUIRE(rig.Out(Wrapper(1, announced, false, Rig::Cdb(0x2a, 8, 18))).outcome ==
                Outcome::kOk);
  BOOST_CHECK(rig.Out(bytes).outcome == Outcome::kOk);

  const uint32_t whole = sent - sent % block_size;
  const Rig::Moved answer = rig.In(13);
  const auto* status = wire::View<wire::bot::CommandStatusWrapper>(answer.bytes);
  BOOST_REQUIRE(status != nullptr);
  BOOST_TEST(static_cast<int>(status->status) == 2);
  BOOST_TEST(status->residue == announced - whole);
  ResetRecovery(rig);
  std::vector<uint8_t> expected = before;
  CopyBytes(expected, Take(Bytes(bytes), whole));
  std::vector<uint8_t> now(announced, 0xa5);
  BOOST_REQUIRE(rig.Read(8, 18, now).has_value());
  BOOST_TEST(SameBytes(now, expected));
  std::vector<uint8_t> kept(announced, 0xa5);
  lent.CopyTo(kept);
  BOOST_TEST(SameBytes(kept, before));
  lent.Clear();
}

BOOST_AUTO_TEST_CASE(a_suspended_device_resumes_and_serves) {
  Rig rig;
  rig.Settle();
  BOOST_CHECK(rig.Port(usb::Suspend{}) == Outcome::kOk);
  BOOST_CHECK(rig.Out("00"_hex).outcome == Outcome::kFault);
  BOOST_CHECK(rig.Port(usb::Resume{}) == Outcome::kOk);
  rig.Settle();
}

BOOST_AUTO_TEST_CASE(a_port_reset_brings_the_configuration_back) {
  Rig rig;
  rig.Settle();
  BOOST_CHECK(rig.Port(usb::ResetPort{}) == Outcome::kOk);
  rig.Settle();
}

BOOST_AUTO_TEST_CASE(a_configuration_can_be_left_and_entered_again) {
  Rig rig;
  rig.Settle();
  BOOST_CHECK(rig.Port(usb::SetConfiguration{0}) == Outcome::kOk);
  BOOST_CHECK(rig.Out("00"_hex).outcome == Outcome::kFault);
  BOOST_CHECK(rig.Port(usb::SetConfiguration{1}) == Outcome::kOk);
  BOOST_CHECK(rig.Port(usb::SetConfiguration{1}) == Outcome::kOk);
  BOOST_CHECK(rig.Port(usb::SetConfiguration{2}) == Outcome::kStall);
  rig.Settle();
}

// Stops a command after each number of steps the loop can take, in three ways; the next command
// must find a device that works.
BOOST_DATA_TEST_CASE(a_command_can_be_stopped_at_every_step,
                     boost::unit_test::data::make({0, 1, 2}) *
                         boost::unit_test::data::make({false, true}),
                     way, write) {
  // Two windows of the unit, two transfers of the host.
  constexpr uint16_t kBlocks = 2049;
  const auto bytes = Rig::Pattern(size_t{kBlocks} * 512);
  for (size_t steps = 0;; ++steps) {
    Rig rig({.size = 2 << 20});
    rig.Settle();
    std::vector<uint8_t> room(bytes.size());
    const auto cdb = Rig::Cdb(write ? 0x2a : 0x28, 0, kBlocks);
    host::ScsiRequest request{.cdb = cdb, .timeout = std::chrono::seconds(1)};
    if (write) {
      request.out = bytes;
    } else {
      request.in = room;
      request.in_length = static_cast<uint32_t>(room.size());
    }
    async::Job<Result<host::ScsiResult>> job(rig.clock, rig.transport->Execute(request));
    for (size_t step = 0; step < steps && !job.done(); ++step) rig.clock.Step();
    const bool finished = job.done();
    if (way == 0) job.Cancel();
    if (way == 1) rig.controller.Detach();
    if (way == 2) {
      // Somebody else resets the interface.
      usb::Transfer reset;
      reset.setup = kBulkOnlyReset;
      struct Sink final : usb::TransferSink {
        void OnDone(usb::Transfer&, uint64_t) override {}
      } sink;
      reset.Push(sink);
      rig.link().Submit(reset);
      BOOST_REQUIRE(rig.clock.RunUntil([&] { return reset.outcome != Outcome::kPending; }));
      rig.clock.RunPosted();
    }
    BOOST_REQUIRE(rig.clock.RunUntil([&] { return job.done(); }));
    const auto result = job.result();
    if (way == 0 && !finished && !result.has_value()) {
      BOOST_CHECK(result.error().kind == ErrorKind::kCancelled);
    }
    if (way == 1) {
      // What was decided before the plug came out stands; nothing else succeeds.
      if (!result.has_value()) BOOST_CHECK(result.error().kind == ErrorKind::kDisconnected);
    } else {
      rig.Settle();
      const auto again = rig.Read(0, 8, MutableBytes(room).first(4096));
      BOOST_REQUIRE(again.has_value());
      BOOST_CHECK(again->status == scsi::Status::kGood);
    }
    if (finished) break;
  }
}

BOOST_AUTO_TEST_SUITE_END()
