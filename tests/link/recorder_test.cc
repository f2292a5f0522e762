#include "link/recorder.h"

#include <boost/test/unit_test.hpp>

#include "tests/dies.h"
#include "tests/link/recorder_stack.h"

using namespace usbtwin;                    // NOLINT
using namespace usbtwin::tests;             // NOLINT
using namespace usbtwin::tests::recording;  // NOLINT
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(recorder)

BOOST_AUTO_TEST_CASE(bulk_out_carries_its_data_in_the_submission) {
  RecorderStack stack;
  constexpr auto kData = "01020304"_hex;
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::Out(2);
  transfer.out = kData;
  transfer.flags.zero_packet = true;

  stack.Submit(transfer);
  stack.clock.Advance(1'500us);
  stack.link.Finish(transfer, Outcome::kOk, 4);
  stack.clock.RunPosted();

  BOOST_TEST(stack.host.done == std::vector{&transfer});
  BOOST_TEST(Hex(stack.sink.written)
                 .find(Hex("0100000000000000 53 03 02 07 0300 2d 00 0000000000000000 00000000 "
                           "8dffffff 04000000 04000000"
                           "0000000000000000 00000000 00000000 40000000 00000000 01020304"_hex)) !=
             std::string::npos);
  BOOST_TEST(Hex(stack.sink.written)
                 .find(Hex("0100000000000000 43 03 02 07 0300 2d 3e 0000000000000000 dc050000 "
                           "00000000 04000000 00000000"
                           "0000000000000000 00000000 00000000 40000000 00000000"_hex)) !=
             std::string::npos);
  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 2u);
  BOOST_TEST(packets[0].ns == 0u);
  BOOST_TEST(packets[1].ns == 1'500'000u);
}

BOOST_AUTO_TEST_CASE(bulk_in_carries_its_data_in_the_completion) {
  RecorderStack stack;
  std::array<uint8_t, 8> in;
  in.fill(0xa5);
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::In(1);
  transfer.in = in;
  transfer.in_length_max = 8;
  transfer.flags.short_not_ok = true;

  stack.Submit(transfer);
  CopyBytes(in, "0102"_hex);
  stack.link.Finish(transfer, Outcome::kFault, 2);
  stack.clock.RunPosted();

  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 2u);
  BOOST_TEST(packets[0].record.event == 'S');
  BOOST_TEST(packets[0].record.endpoint == 0x81);
  BOOST_TEST(packets[0].record.length == 8u);
  BOOST_TEST(packets[0].record.data_flag == wire::usbmon::kDataNotYetIn);
  BOOST_TEST(packets[0].record.transfer_flags == 0x201u);
  BOOST_TEST(packets[0].data.empty());
  BOOST_TEST(packets[1].record.event == 'C');
  BOOST_TEST(packets[1].record.length == 2u);
  BOOST_TEST(packets[1].record.data_flag == wire::usbmon::kDataPresent);
  BOOST_TEST(Hex(packets[1].data) == "01 02");
  BOOST_TEST(Status(packets[1]) == -71);
}

BOOST_AUTO_TEST_CASE(lent_data_is_written_piece_by_piece) {
  RecorderStack stack;
  constexpr auto kFirst = "0102030405"_hex;
  constexpr auto kSecond = "0a0b0c"_hex;
  StaticPin first(kFirst), second(kSecond);
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::In(1);
  transfer.in_length_max = 512;

  stack.Submit(transfer);
  BOOST_REQUIRE(transfer.lease.Append(first.Lend(5).Slice(1, 4)));
  BOOST_REQUIRE(transfer.lease.Append(second.Lend(3)));
  stack.link.Finish(transfer, Outcome::kOk, 7);
  stack.clock.RunPosted();

  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 2u);
  BOOST_TEST(Hex(packets[1].data) == "02 03 04 05 0a 0b 0c");
  transfer.lease.Clear();
}

BOOST_AUTO_TEST_CASE(control_transfers_show_their_setup_packet_once) {
  RecorderStack stack;
  std::array<uint8_t, 4> in{};
  usb::Transfer read;
  read.setup = usb::SetupPacket{0xa1, 0xfe, uint16_t{0}, uint16_t{1}, uint16_t{4}};
  read.in = in;
  read.in_length_max = 4;
  usb::Transfer write;
  write.setup = usb::SetupPacket{0x21, 0x09, uint16_t{2}, uint16_t{0}, uint16_t{2}};
  constexpr auto kOut = "beef"_hex;
  write.out = kOut;
  usb::Transfer none;  // IN by its setup packet, but Linux calls it OUT
  none.setup = usb::SetupPacket{0xc0, 0x33, uint16_t{0}, uint16_t{0}, uint16_t{0}};

  stack.Submit(read);
  stack.link.FinishIn(read, "07"_hex);
  stack.Submit(write);
  stack.link.Finish(write, Outcome::kStall, 0);
  stack.Submit(none);
  stack.link.Finish(none, Outcome::kOk, 0);
  stack.clock.RunPosted();

  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 6u);
  const Packet& read_submit = packets[0];
  BOOST_TEST(read_submit.record.transfer_type == 2);
  BOOST_TEST(read_submit.record.endpoint == 0x80);
  BOOST_TEST(read_submit.record.setup_flag == wire::usbmon::kSetupPresent);
  BOOST_TEST(Hex(read_submit.record.setup, 0) == "a1fe000001000400");
  const Packet& write_submit = packets[1];
  BOOST_TEST(write_submit.record.endpoint == 0x00);
  BOOST_TEST(Hex(write_submit.data) == "be ef");
  BOOST_TEST(packets[2].record.endpoint == 0x00);
  BOOST_TEST(packets[2].record.data_flag == wire::usbmon::kDataPresent);
  const Packet& read_done = packets[3];
  BOOST_TEST(read_done.record.id == read_submit.record.id);
  BOOST_TEST(read_done.record.setup_flag == wire::usbmon::kSetupAbsent);
  BOOST_TEST(Hex(read_done.data) == "07");
  BOOST_TEST(Status(packets[4]) == -32);
  BOOST_TEST(packets[4].record.data_flag == wire::usbmon::kDataWasOut);
}

BOOST_AUTO_TEST_CASE(each_outcome_has_its_number) {
  const std::pair<Outcome, int32_t> cases[] = {
      {Outcome::kOk, 0},          {Outcome::kStall, -32},       {Outcome::kCancelled, -104},
      {Outcome::kTimedOut, -110}, {Outcome::kOverflow, -75},    {Outcome::kDisconnected, -108},
      {Outcome::kFault, -71},     {Outcome::kBusy, -16},        {Outcome::kDenied, -13},
      {Outcome::kNotFound, -2},   {Outcome::kUnsupported, -95},
  };
  RecorderStack stack;
  size_t index = 0;
  for (const auto& [outcome, status] : cases) {
    usb::Transfer transfer;
    transfer.endpoint = EndpointAddress::Out(2);
    stack.Submit(transfer);
    stack.link.Finish(transfer, outcome, 0);
    stack.clock.RunPosted();
    const auto packets = stack.packets();
    BOOST_REQUIRE(packets.size() == 2 * index + 2);
    BOOST_TEST(Status(packets[2 * index]) == -115);
    BOOST_TEST(Status(packets[2 * index + 1]) == status, usb::Name(outcome));
    ++index;
  }
}

BOOST_AUTO_TEST_CASE(transfers_in_flight_together_keep_their_ids) {
  RecorderStack stack;
  usb::Transfer first, second;
  first.endpoint = EndpointAddress::Out(1);
  second.endpoint = EndpointAddress::Out(2);
  stack.Submit(first);
  stack.Submit(second);
  stack.link.Finish(second, Outcome::kOk, 0);
  stack.link.Finish(first, Outcome::kOk, 0);
  stack.clock.RunPosted();
  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 4u);
  BOOST_TEST(packets[2].record.id == packets[1].record.id);
  BOOST_TEST(packets[3].record.id == packets[0].record.id);
  BOOST_TEST(packets[0].record.id != packets[1].record.id);
}

BOOST_AUTO_TEST_CASE(types_and_intervals_come_from_the_configuration_that_passed) {
  struct Case {
    usb::Speed speed;
    uint32_t interval;  // of an interrupt endpoint with bInterval 10
  };
  for (const Case& one : {Case{usb::Speed::kFull, 8}, Case{usb::Speed::kHigh, 512}}) {
    RecorderStack stack(one.speed);
    std::array<uint8_t, 8> in{};
    usb::Transfer transfer;
    transfer.endpoint = EndpointAddress::In(2);
    transfer.in = in;
    transfer.in_length_max = 8;
    const auto submit = [&] {
      transfer.Rearm();
      stack.Submit(transfer);
      stack.link.FinishIn(transfer, "0000"_hex);
      stack.clock.RunPosted();
      const Packet done = stack.packets().back();
      return std::pair(unsigned{done.record.transfer_type}, uint32_t{done.record.interval});
    };
    BOOST_TEST((submit() == std::pair(3u, 0u)));  // bulk, for want of knowledge
    stack.Learn(kConfiguration);
    BOOST_TEST((submit() == std::pair(1u, one.interval)));
    stack.Learn(Take(Bytes(kConfiguration), 9));  // as hosts do first; nothing is forgotten
    BOOST_TEST((submit() == std::pair(1u, one.interval)));
    usb::PortOp configure;
    configure.request = usb::SetConfiguration{2};  // one we have never seen
    stack.Request(configure);
    stack.link.Finish(configure, Outcome::kOk);
    stack.clock.RunPosted();
    BOOST_TEST((submit() == std::pair(3u, 0u)));
  }
}

// A Link below may be a stranger's: lengths it makes up must not be read.
BOOST_AUTO_TEST_CASE(lengths_beyond_the_buffer_are_not_believed) {
  RecorderStack stack;
  std::array<uint8_t, 4> in{};
  std::array<usb::IsoPacket, 1> iso{{{0, 4}}};
  usb::Transfer bulk, isochronous;
  bulk.endpoint = isochronous.endpoint = EndpointAddress::In(1);
  bulk.in = isochronous.in = in;
  bulk.in_length_max = isochronous.in_length_max = 4;
  isochronous.packets = iso;
  stack.Submit(bulk);
  stack.Submit(isochronous);
  iso[0] = {UINT32_MAX, 4, UINT32_MAX, Outcome::kOk};
  stack.link.Finish(bulk, Outcome::kOk, UINT32_MAX);
  stack.link.Finish(isochronous, Outcome::kOk, UINT32_MAX);
  stack.clock.RunPosted();
  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 4u);
  BOOST_TEST(packets[2].data.size() == 4u);
  BOOST_TEST(packets[3].data.size() == 16u + 4u);
}

BOOST_AUTO_TEST_CASE(only_periodic_endpoints_have_an_interval) {
  RecorderStack stack;
  stack.Learn(kConfiguration);
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::In(1);
  stack.Submit(transfer);
  stack.link.Finish(transfer, Outcome::kStall, 0);
  stack.clock.RunPosted();
  BOOST_TEST(stack.packets().back().record.transfer_type == 3);
  BOOST_TEST(stack.packets().back().record.interval == 0u);
}

BOOST_AUTO_TEST_CASE(port_requests_look_like_the_control_transfers_they_stand_for) {
  struct Case {
    usb::PortRequest request;
    const char* setup;  // null: not on the bus
  };
  const Case cases[] = {
      {usb::SetConfiguration{1}, "0009010000000000"},
      {usb::SetAlternate{2, 3}, "010b030002000000"},
      {usb::ClearHalt{EndpointAddress::In(1)}, "0201000081000000"},
      {usb::ResetPort{}, "2303040000000000"},
      {usb::ClaimInterface{0}, nullptr},
      {usb::Suspend{}, nullptr},
  };
  for (const Case& one : cases) {
    RecorderStack stack;
    usb::PortOp op;
    op.request = one.request;
    stack.Request(op);
    BOOST_REQUIRE(stack.link.ops.size() == 1u);
    stack.link.Finish(op, Outcome::kStall);
    stack.clock.RunPosted();
    BOOST_TEST(stack.host.ops_done == std::vector{&op});
    const auto packets = stack.packets();
    if (one.setup == nullptr) {
      BOOST_TEST(packets.empty());
      continue;
    }
    BOOST_REQUIRE(packets.size() == 2u);
    BOOST_TEST(packets[0].record.transfer_type == 2);
    BOOST_TEST(packets[0].record.endpoint == 0x00);
    BOOST_TEST(Hex(packets[0].record.setup, 0) == one.setup);
    BOOST_TEST(packets[1].record.id == packets[0].record.id);
    BOOST_TEST(packets[1].record.data_flag == wire::usbmon::kDataWasOut);
    BOOST_TEST(Status(packets[1]) == -32);
  }
}

BOOST_AUTO_TEST_CASE(a_stream_is_named_in_a_comment) {
  RecorderStack stack;
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::Out(2);
  transfer.stream_id = 65535;
  stack.Submit(transfer);
  stack.link.Finish(transfer, Outcome::kOk, 0);
  stack.clock.RunPosted();
  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 2u);
  BOOST_TEST(packets[0].comment == "stream 65535");
  BOOST_TEST(packets[1].comment == "stream 65535");
}

BOOST_AUTO_TEST_CASE(descriptors_read_before_are_written_as_if_read_now) {
  RecorderStack stack;
  constexpr auto kDevice = "12 01 0002 00 00 00 40 3412 7856 0001 01 02 03 01"_hex;
  stack.recorder->RecordDescriptors(kDevice, kConfiguration);
  const auto packets = stack.packets();
  BOOST_REQUIRE(packets.size() == 4u);
  BOOST_TEST(Hex(packets[0].record.setup, 0) == "8006000100001200");
  BOOST_TEST(packets[1].record.endpoint == 0x80);
  BOOST_TEST(SameBytes(packets[1].data, kDevice));
  BOOST_TEST(Hex(packets[2].record.setup, 0) == "8006000200002700");
  BOOST_TEST(SameBytes(packets[3].data, kConfiguration));
  for (const Packet& packet : packets) BOOST_TEST(packet.comment.starts_with("not on the bus"));
}

BOOST_AUTO_TEST_CASE(a_control_record_without_data_counts_as_out) {
  RecorderStack stack;
  stack.recorder->RecordDescriptors({}, {});
  for (const Packet& packet : stack.packets()) BOOST_TEST(packet.record.endpoint == 0x00);
}

BOOST_AUTO_TEST_CASE(the_host_goes_on_when_the_capture_is_full) {
  RecorderStack stack;
  stack.sink.length_max = stack.sink.written.size() + 100;
  constexpr auto kData = "01020304"_hex;
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::Out(2);
  transfer.out = kData;
  for (size_t round = 1; round <= 3; ++round) {
    transfer.Rearm();
    stack.Submit(transfer);
    stack.link.Finish(transfer, Outcome::kOk, 4);
    usb::PortOp op;
    op.request = usb::ClearHalt{EndpointAddress::Out(2)};
    stack.Request(op);
    stack.link.Finish(op, Outcome::kOk);
    stack.clock.RunPosted();
    BOOST_TEST(stack.host.done.size() == round);
    BOOST_TEST(stack.host.ops_done.size() == round);
  }
  BOOST_TEST(stack.recorder->error() == "no space left");
}

BOOST_AUTO_TEST_CASE(cancel_and_caps_pass_through) {
  RecorderStack stack;
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::Out(2);
  stack.Submit(transfer);
  stack.recorder->Cancel(transfer);
  BOOST_TEST(stack.link.cancelled == std::vector{&transfer});
  stack.link.Finish(transfer, Outcome::kCancelled, 0);
  stack.clock.RunPosted();
  BOOST_TEST(stack.recorder->caps().streams_max == 4);
}

BOOST_AUTO_TEST_CASE(times_count_from_1970_when_told_how) {
  ManualClock clock;
  clock.Advance(1ns);
  ScriptedLink link(clock);
  MemorySink sink;
  PcapWriter writer(sink, PcapFormat::kPcapng);
  Host host;
  Recorder recorder(clock, link, writer, {.epoch_offset = 1'700'000'000s});
  usb::Transfer transfer;
  transfer.endpoint = EndpointAddress::Out(2);
  transfer.Push(host);
  recorder.Submit(transfer);
  link.Finish(transfer, Outcome::kOk, 0);
  clock.RunPosted();
  const auto packets = Packets(sink);
  BOOST_REQUIRE(packets.size() == 2u);
  BOOST_TEST(packets[0].ns == 1'700'000'000'000'000'001u);
  BOOST_TEST(packets[0].record.seconds == 1'700'000'000u);
}

BOOST_AUTO_TEST_CASE(a_recorder_with_transfers_in_flight_must_not_go) {
  BOOST_TEST(tests::Dies([] {
    RecorderStack stack;
    usb::Transfer transfer;
    transfer.endpoint = EndpointAddress::Out(2);
    stack.Submit(transfer);
    stack.recorder.reset();
  }));
}

BOOST_AUTO_TEST_SUITE_END()
