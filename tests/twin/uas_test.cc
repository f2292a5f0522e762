// USB Attached SCSI from a session to a disk, at high speed and with streams.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/twin/uas_stack.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using host::StorageProtocol;
using std::chrono::seconds;
using usb::Speed;

namespace {

const std::array kSpeeds{Speed::kHigh, Speed::kSuper, Speed::kSuperPlus};

constexpr std::array<uint8_t, 6> kInquiry{0x12, 0, 0, 0, 36, 0};

}  // namespace

BOOST_TEST_DONT_PRINT_LOG_VALUE(Speed)

BOOST_AUTO_TEST_SUITE(uas)

BOOST_DATA_TEST_CASE(uas_is_preferred_and_answers_as_bulk_only_does, kSpeeds, speed) {
  UasStack uas({.speed = speed, .luns_count = 3}), bot({.speed = speed, .luns_count = 3});
  BOOST_TEST(uas.Open().name() == "uasp");
  BOOST_TEST(bot.Open({.protocol = StorageProtocol::kBulkOnly}).name() == "bot");
  BOOST_TEST(uas.transport->luns_count() == 3);
  BOOST_TEST(uas.transport->queue_depth() == (speed == Speed::kHigh ? 32 : 30));
  const std::vector<scsi::Cdb> cdbs{scsi::Inquiry(false, 0, 36),
                                    scsi::TestUnitReady(),
                                    scsi::TestUnitReady(),
                                    scsi::Inquiry(true, 0x80, 255),
                                    scsi::Inquiry(true, 0x83, 64),
                                    scsi::Inquiry(true, 0xff, 64),
                                    scsi::ReadCapacity10(),
                                    scsi::ReadCapacity16(32),
                                    scsi::ReportLuns(0, 512),
                                    scsi::RequestSense(false, 18),
                                    scsi::Read10(0, 4),
                                    scsi::Read10(1 << 20, 1),
                                    scsi::Read10(0, 0),
                                    scsi::Cdb{{0xfe}, 16}};
  for (const uint64_t lun : {0, 2, 9}) {
    for (const scsi::Cdb& cdb : cdbs) {
      std::vector<uint8_t> left(2048, 0xa5), right(2048, 0xa5);
      const bool in = cdb.bytes[0] != 0;
      const auto ask = [&](UasStack& stack, MutableBytes room) {
        host::ScsiRequest request{.lun = lun, .cdb = cdb.view()};
        if (in) request.in = room;
        request.in_length = static_cast<uint32_t>(request.in.size());
        return UasStack::Text(stack.Execute(request));
      };
      BOOST_TEST_INFO("LUN " << lun << ", " << Hex(cdb.view()));
      BOOST_TEST(ask(uas, left) == ask(bot, right));
      BOOST_TEST(left == right);
    }
  }
}

BOOST_DATA_TEST_CASE(data_comes_back_as_it_went, kSpeeds, speed) {
  UasStack stack({.speed = speed});
  stack.Open();
  stack.Settle();
  uint8_t seed = 0;
  for (const size_t length : {512u, 1024u, 4096u, 65536u, 1u << 20, (3u << 20) + 512u}) {
    const auto data = UasStack::Pattern(length, ++seed);
    const std::string good = "good, " + std::to_string(length) + " bytes";
    BOOST_TEST(stack.Write(5, data) == good);
    std::vector<uint8_t> back(length, 0xa5);
    BOOST_TEST(stack.Read(5, back) == good);
    BOOST_TEST((back == data));
  }
}

BOOST_DATA_TEST_CASE(as_many_commands_at_once_as_there_is_depth, kSpeeds, speed) {
  UasStack stack({.speed = speed});
  stack.Open();
  stack.Settle();
  const uint16_t depth = stack.transport->queue_depth();
  constexpr size_t kLength = 4096;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::vector<uint8_t>> data, back(depth, std::vector<uint8_t>(kLength, 0xa5));
    std::vector<scsi::Cdb> cdbs;
    std::vector<std::unique_ptr<UasStack::Job>> jobs;
    for (uint16_t index = 0; index < depth; ++index) {
      data.push_back(UasStack::Pattern(kLength, static_cast<uint8_t>(index + round)));
      cdbs.push_back(scsi::Write10(index * 8u, 8));
    }
    for (uint16_t index = 0; index < depth; ++index) {
      jobs.push_back(stack.Begin({.cdb = cdbs[index].view(), .out = data[index]}));
    }
    const std::array<uint8_t, 6> ready{};
    BOOST_TEST(UasStack::Text(stack.Execute({.cdb = ready})) ==
               "busy: " + std::to_string(depth) +
                   " commands are running on this transport, as many as it carries");
    for (auto& job : jobs) BOOST_TEST(UasStack::Text(stack.End(*job)) == "good, 4096 bytes");
    jobs.clear();
    for (uint16_t index = depth; index-- > 0;) {
      cdbs[index] = scsi::Read10(index * 8u, 8);
      jobs.push_back(
          stack.Begin({.cdb = cdbs[index].view(), .in = back[index], .in_length = kLength}));
    }
    for (auto& job : jobs) BOOST_TEST(UasStack::Text(stack.End(*job)) == "good, 4096 bytes");
    BOOST_TEST((back == data));
  }
}

// In virtual time: what it takes to read 4 KiB, of so many reads at once, behind a slow link.
Duration TimeOfRead(host::StorageProtocol protocol, uint16_t depth) {
  UasStack stack({.speed = Speed::kSuper,
                  .throttle = link::ThrottleOptions{.latency = std::chrono::microseconds(100)}});
  BOOST_TEST(stack.Open({.protocol = protocol}).queue_depth() >= depth);
  stack.Settle();
  constexpr size_t kRounds = 32;
  std::vector<std::vector<uint8_t>> rooms(depth, std::vector<uint8_t>(4096));
  const scsi::Cdb cdb = scsi::Read10(0, 8);
  const TimePoint start = stack.clock.Now();
  for (size_t round = 0; round < kRounds; ++round) {
    std::vector<std::unique_ptr<UasStack::Job>> jobs;
    for (auto& room : rooms) {
      jobs.push_back(stack.Begin({.cdb = cdb.view(), .in = room, .in_length = 4096}));
    }
    for (auto& job : jobs) BOOST_TEST(UasStack::Text(stack.End(*job)) == "good, 4096 bytes");
  }
  return (stack.clock.Now() - start) / (kRounds * depth);
}

// Latency is what queueing is against.
BOOST_AUTO_TEST_CASE(many_at_once_wait_for_the_link_together) {
  const Duration alone = TimeOfRead(StorageProtocol::kBulkOnly, 1);
  const Duration together = TimeOfRead(StorageProtocol::kUas, 30);
  BOOST_TEST_MESSAGE(alone.count() << " ns one at a time, " << together.count() << " ns of 30");
  BOOST_TEST((alone >= 20 * together));
}

BOOST_AUTO_TEST_CASE(the_depth_may_be_chosen) {
  UasStack stack;
  BOOST_TEST(stack.Open({.queue_depth_max = 1}).queue_depth() == 1);
  stack.Settle();
  BOOST_TEST(stack.Write(0, UasStack::Pattern(512, 1)) == "good, 512 bytes");
}

BOOST_DATA_TEST_CASE(data_may_be_lent, kSpeeds, speed) {
  UasStack stack({.speed = speed});
  stack.Open();
  stack.Settle();
  const auto data = UasStack::Pattern(2 << 20, 9);
  stack.Write(0, data);
  LeaseList lent;
  const scsi::Cdb cdb = scsi::Read10(0, 4096);
  BOOST_TEST(
      UasStack::Text(stack.Execute({.cdb = cdb.view(), .in_length = 2 << 20, .lent = &lent})) ==
      "good, 2097152 bytes");
  std::vector<uint8_t> back(lent.length());
  lent.CopyTo(back);
  BOOST_TEST((back == data));
}

// More room than data, and data that ends on a full packet: the transfer has an end all the same.
BOOST_DATA_TEST_CASE(less_data_than_room_is_a_residue, kSpeeds, speed) {
  UasStack stack({.speed = speed});
  stack.Open();
  stack.Settle();
  std::vector<uint8_t> room(4096);
  const scsi::Cdb read = scsi::Read10(0, 2);
  const TimePoint before = stack.clock.Now();
  BOOST_TEST(UasStack::Text(stack.Execute({.cdb = read.view(), .in = room, .in_length = 4096})) ==
             "good, 1024 bytes, residue 3072");
  BOOST_TEST(((stack.clock.Now() - before) <= seconds(1)));
  const scsi::Cdb write = scsi::Write10(0, 2);
  BOOST_TEST(UasStack::Text(stack.Execute({.cdb = write.view(), .out = room})) ==
             "good, 1024 bytes, residue 3072");
  BOOST_TEST(stack.Read(0, MutableBytes(room).first(512)) == "good, 512 bytes");
}

BOOST_DATA_TEST_CASE(data_that_the_host_breaks_off_is_told, kSpeeds, speed) {
  UasStack stack({.speed = speed});
  stack.Open();
  stack.Settle();
  const auto data = UasStack::Pattern(600, 1);
  const scsi::Cdb write = scsi::Write10(0, 8);
  BOOST_TEST(UasStack::Text(stack.Execute({.cdb = write.view(), .out = data})) ==
             "check condition 0b/4b/00, 600 bytes");
  BOOST_TEST(stack.Write(0, UasStack::Pattern(512, 1)) == "good, 512 bytes");
}

BOOST_AUTO_TEST_CASE(sense_comes_in_the_format_of_the_control_page) {
  UasStack stack;
  stack.Open();
  stack.Settle();
  // MODE SELECT(10), PF: no block descriptor; the control page with GLTSD and D_SENSE.
  const std::array<uint8_t, 10> select{0x55, 0x10, 0, 0, 0, 0, 0, 0, 20, 0};
  const std::array<uint8_t, 20> parameters{0,    0,    0, 0,    0, 0,    0, 0,  //
                                           0x0a, 0x0a, 6, 0x10, 0, 0x40, 0, 0, 0xff, 0xff, 0, 0};
  BOOST_TEST(UasStack::Text(stack.Execute({.cdb = select, .out = parameters})) == "good, 20 bytes");
  // READ(10) beyond the end of 16384 blocks: 72h, its information descriptor is the first bad LBA.
  const auto answer = stack.Execute({.cdb = scsi::Read10(0x4000, 1).view(), .in_length = 0});
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(Hex(Take(Bytes(answer->sense_bytes), answer->sense_length)) ==
             "72 05 21 00 00 00 00 0c 00 0a 80 00 00 00 00 00 00 00 40 00");
  BOOST_TEST(answer->sense.information == 0x4000u);
}

// Abort task, abort task set, clear task set, logical unit reset, query task and query task set.
BOOST_AUTO_TEST_CASE(a_unit_tells_the_task_management_there_is) {
  UasStack stack;
  stack.Open();
  stack.Settle();
  const std::array<uint8_t, 12> report{0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0};
  std::array<uint8_t, 4> in{};
  BOOST_TEST(UasStack::Text(stack.Execute({.cdb = report, .in = in, .in_length = 4})) ==
             "good, 4 bytes");
  BOOST_TEST(Hex(in) == "dc 02 00 00");
}

// A READ that is refused leaves behind a read of the status pipe, which must end. Whoever came
// meanwhile used to be told that the transport was busy, with no command running.
BOOST_DATA_TEST_CASE(a_command_may_come_while_the_last_one_leaves, kSpeeds, speed) {
  const scsi::Cdb beyond = scsi::Read10(1 << 20, 1), write = scsi::Write10(0, 1);
  const auto data = UasStack::Pattern(512, 1);
  for (size_t steps = 0, running = 1; running != 0; ++steps) {
    UasStack stack({.speed = speed});
    stack.Open();
    stack.Settle();
    std::vector<uint8_t> room(512);
    auto refused = stack.Begin({.cdb = beyond.view(), .in = room, .in_length = 512});
    for (size_t step = 0; step < steps; ++step) stack.clock.Step();
    running = !refused->done();
    BOOST_TEST(UasStack::Text(stack.Execute({.cdb = write.view(), .out = data})) ==
               "good, 512 bytes");
    BOOST_TEST(UasStack::Text(stack.End(*refused)) ==
               "check condition 05/21/00, 0 bytes, residue 512");
  }
}

// ---- The ladder -------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_command_that_never_ends_is_aborted_alone, kSpeeds, speed) {
  UasStack stack(
      {.speed = speed, .faults = {{.kind = fault::Kind::kNever, .opcode = 0x28, .times = 1}}});
  stack.Open();
  stack.Settle();
  std::vector<uint8_t> first(512), second(512);
  const scsi::Cdb never = scsi::Read10(0, 1), other = scsi::Read10(1, 1);
  auto late =
      stack.Begin({.cdb = never.view(), .in = first, .in_length = 512, .timeout = seconds(3)});
  BOOST_TEST(UasStack::Text(stack.Execute({.cdb = other.view(), .in = second, .in_length = 512})) ==
             "good, 512 bytes");
  const std::string text = UasStack::Text(stack.End(*late));
  BOOST_TEST(text.starts_with("timed out in data-in on endpoint 81"), text);
  BOOST_TEST(stack.transport->last_recovery() == "abort task");
  BOOST_TEST(stack.Read(0, first) == "good, 512 bytes");
}

BOOST_DATA_TEST_CASE(a_cancelled_command_is_aborted, kSpeeds, speed) {
  UasStack stack(
      {.speed = speed, .faults = {{.kind = fault::Kind::kNever, .opcode = 0x2a, .times = 1}}});
  stack.Open();
  stack.Settle();
  const auto data = UasStack::Pattern(512, 1);
  const scsi::Cdb write = scsi::Write10(0, 1);
  auto job = stack.Begin({.cdb = write.view(), .out = data});
  stack.clock.Advance(seconds(1));
  BOOST_TEST(!job->done());
  job->Cancel();
  const std::string text = UasStack::Text(stack.End(*job));
  BOOST_TEST(text.starts_with("cancelled in data-out on endpoint 01"), text);
  BOOST_TEST(stack.Write(0, data) == "good, 512 bytes");
}

BOOST_DATA_TEST_CASE(a_device_that_goes_ends_every_command, kSpeeds, speed) {
  UasStack stack({.speed = speed, .faults = {{.kind = fault::Kind::kNever, .opcode = 0x28}}});
  stack.Open();
  stack.Settle();
  std::vector<std::vector<uint8_t>> rooms(5, std::vector<uint8_t>(512));
  std::vector<std::unique_ptr<UasStack::Job>> jobs;
  const scsi::Cdb never = scsi::Read10(0, 1);
  for (auto& room : rooms) {
    jobs.push_back(stack.Begin({.cdb = never.view(), .in = room, .in_length = 512}));
  }
  stack.clock.Advance(seconds(1));
  stack.twin->Unplug();
  for (auto& job : jobs) {
    const auto result = stack.End(*job);
    BOOST_REQUIRE(!result.has_value());
    BOOST_CHECK(result.error().kind == ErrorKind::kDisconnected);
  }
  stack.twin->Plug();
  const std::array<uint8_t, 6> ready{};
  BOOST_TEST(UasStack::Text(stack.Execute({.cdb = ready})).starts_with("disconnected"));
  BOOST_TEST(UasStack::Text(stack.Execute({.cdb = ready})).starts_with("check condition 06/29"));
}

// ---- Settings ---------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_setting_that_is_left_takes_its_commands_with_it, kSpeeds, speed) {
  UasStack stack({.speed = speed, .faults = {{.kind = fault::Kind::kNever, .opcode = 0x28}}});
  stack.Open();
  stack.Settle();
  std::vector<uint8_t> room(512);
  const scsi::Cdb never = scsi::Read10(0, 1);
  auto job = stack.Begin({.cdb = never.view(), .in = room, .in_length = 512});
  stack.clock.Advance(seconds(1));
  job->Cancel();
  BOOST_REQUIRE(!stack.End(*job).has_value());
  job.reset();
  for (const StorageProtocol protocol :
       {StorageProtocol::kBulkOnly, StorageProtocol::kUas, StorageProtocol::kAny}) {
    BOOST_REQUIRE(Run(stack.clock, stack.session->Close()).has_value());
    BOOST_REQUIRE(Run(stack.clock, stack.session->Open()).has_value());
    stack.Open({.protocol = protocol});
    std::vector<uint8_t> inquiry(36);
    BOOST_TEST(UasStack::Text(stack.Execute({.cdb = kInquiry, .in = inquiry, .in_length = 36})) ==
               "good, 36 bytes");
  }
}

BOOST_AUTO_TEST_CASE(at_full_speed_there_is_bulk_only_alone) {
  UasStack stack({.speed = Speed::kFull});
  BOOST_TEST(stack.Open().name() == "bot");
  UasStack other({.speed = Speed::kFull});
  const auto refused =
      Run(other.clock, other.session->OpenStorage({.protocol = StorageProtocol::kUas}));
  BOOST_REQUIRE(!refused.has_value());
  BOOST_CHECK(refused.error().kind == ErrorKind::kNotFound);
}

BOOST_AUTO_TEST_SUITE_END()
