#include "host/block_device.h"

#include <boost/test/unit_test.hpp>

#include "tests/host/script_transport.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using scsi::SenseKey;

BOOST_FIXTURE_TEST_SUITE(block_device, BlockBench)

// ---- Ranges ----

BOOST_AUTO_TEST_CASE(nothing_is_sent_before_opening) {
  device.emplace(transport, options);
  room.resize(512);

  const BlockResult read = Run(clock, device->Read(0, room));
  const BlockResult verified = Run(clock, device->Verify(0, 1));

  BOOST_TEST((read.error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST((verified.error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(transport.cdbs.empty());
}

BOOST_AUTO_TEST_CASE(the_last_block_can_be_read_and_no_more) {
  Opened();
  BOOST_TEST(Read(1023, 1).has_value());
  CheckCdbs(
      {"28000000"
       "03ff00000100"});

  BOOST_TEST(Read(1023, 2).error().Describe() ==
             "nothing sent at LBA 1023: invalid argument: 2 blocks from 1023 on end beyond the "
             "capacity of 1024");
  BOOST_TEST((Read(1025, 1).error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST((Read(UINT64_MAX, 1).error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(transport.cdbs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_count_that_overflows_is_refused) {
  Opened();
  BOOST_TEST((Run(clock, device->Verify(1, UINT64_MAX)).error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(transport.cdbs.empty());
}

BOOST_AUTO_TEST_CASE(no_blocks_are_no_command) {
  Opened();
  BOOST_TEST(Read(0, 0).has_value());
  BOOST_TEST(Read(1024, 0).has_value());
  BOOST_TEST(Run(clock, device->Verify(0, 0)).has_value());
  BOOST_TEST(transport.cdbs.empty());
}

BOOST_AUTO_TEST_CASE(part_of_a_block_is_refused) {
  Opened();
  room.resize(513);
  const BlockResult written = Run(clock, device->Write(0, room));
  BOOST_TEST((written.error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(written.error().error.values.at(0) == 513u);
}

// ---- Splitting ----

BOOST_AUTO_TEST_CASE(long_reads_are_split_and_come_in_order) {
  options.command_length_max = 1024;
  Opened();
  std::vector<uint8_t> first(1024, 1);
  std::vector<uint8_t> second(1024, 2);
  std::vector<uint8_t> third(512, 3);
  transport.Add(Data(first));
  transport.Add(Data(second));
  transport.Add(Data(third));

  BOOST_TEST(Read(10, 5).has_value());

  CheckCdbs(
      {"280000000"
       "00a00000200",
       "28000000000c00000200", "28000000000e00000100"});
  BOOST_TEST(room[1023] == 1);
  BOOST_TEST(room[1024] == 2);
  BOOST_TEST(room[2048] == 3);
  BOOST_TEST(room[2559] == 3);
}

BOOST_AUTO_TEST_CASE(a_command_moves_a_block_at_least) {
  options.command_length_max = 100;
  Opened();
  BOOST_TEST(device->blocks_max() == 1u);
  BOOST_TEST(Write(0, 2).has_value());
  CheckCdbs({"2a000000000000000100", "2a000000000100000100"});
}

BOOST_AUTO_TEST_CASE(a_command_moves_no_more_blocks_than_its_field_holds) {
  options.command_length_max = UINT32_MAX;
  Opened();
  BOOST_TEST(device->blocks_max() == 65535u);
}

BOOST_AUTO_TEST_CASE(beyond_32_bits_the_long_commands_are_used) {
  ScriptOpen(kInquiryData, "ffffffff 00000200"_hex);
  transport.Add(Data("00000001 0000000f 00000200"_hex));
  BOOST_TEST(Open().has_value());
  transport.cdbs.clear();

  BOOST_TEST(Read(0xffffffff, 1).has_value());
  BOOST_TEST(Read(0x100000000, 2).has_value());
  BOOST_TEST(Write(0x10000000f, 1).has_value());
  BOOST_TEST(Run(clock, device->Verify(0x100000001, 3)).has_value());

  CheckCdbs({"2800ffffffff00000100", "88000000000100000000000000020000",
             "8a00000000010000000f000000010000", "8f000000000100000001000000030000"});
}

BOOST_AUTO_TEST_CASE(caching_flags_are_passed_on) {
  Opened();
  room.resize(512);
  BOOST_TEST(Run(clock, device->Read(0, room, {.disable_page_out = true})).has_value());
  BOOST_TEST(Run(clock, device->Write(0, room, {.force_unit_access = true})).has_value());
  CheckCdbs({"28100000000000000100", "2a080000000000000100"});
}

BOOST_AUTO_TEST_CASE(verify_moves_nothing_and_is_split_by_blocks) {
  options.verify_blocks_max = 1000;
  Opened();
  BOOST_TEST(Run(clock, device->Verify(0, 1024)).has_value());
  CheckCdbs({"2f00000000000003e800", "2f00000003e800001800"});
}

BOOST_AUTO_TEST_CASE(an_error_tells_how_far_the_call_had_come) {
  options.command_length_max = 1024;
  Opened();
  transport.Add(Data(std::vector<uint8_t>(1024)));
  transport.Add(Check(SenseKey::kIllegalRequest, 0x24));

  const BlockResult read = Read(10, 5);

  BOOST_TEST(read.error().blocks_done == 2u);
  BOOST_TEST(*read.error().lba == 12u);
  BOOST_TEST(read.error().opcode == 0x28);
}

// ---- Flush ----

BOOST_AUTO_TEST_CASE(flush_has_a_time_of_its_own) {
  Opened();
  BOOST_TEST(Run(clock, device->Flush()).has_value());
  CheckCdbs({"35000000000000000000"});
  BOOST_TEST((transport.timeouts.at(0) == 60s));
}

BOOST_AUTO_TEST_CASE(a_device_that_was_opened_anew_may_have_lost_its_cache_whatever_was_told) {
  Opened();
  const std::vector<uint8_t> block(512, 0x11);
  BOOST_TEST(Run(clock, device->Write(0, block)).has_value());
  transport.reopenings = 1;  // for somebody else's command, or for one that failed with a fault
  const BlockResult flushed = Run(clock, device->Flush());
  BOOST_REQUIRE(!flushed.has_value());
  BOOST_TEST((flushed.error().error.kind == ErrorKind::kDisconnected));
  BOOST_TEST(Run(clock, device->Flush()).has_value());
  // Where nothing was to be lost nothing is told.
  transport.reopenings = 2;
  BOOST_TEST(Run(clock, device->Flush()).has_value());
}

BOOST_AUTO_TEST_CASE(a_device_that_knows_no_flush_has_nothing_to_flush) {
  Opened();
  transport.Add(Check(SenseKey::kIllegalRequest, 0x20));
  BOOST_TEST(Run(clock, device->Flush()).has_value());
}

BOOST_AUTO_TEST_CASE(a_flush_that_fails_is_told) {
  Opened();
  Answer deferred = Check(SenseKey::kMediumError, 0x0c);
  deferred.result.sense.deferred = true;
  transport.Add(deferred);

  const BlockResult flushed = Run(clock, device->Flush());

  BOOST_TEST(flushed.error().sense.deferred);
  BOOST_TEST(transport.cdbs.size() == 1u);
}

// ---- Lent data ----

BOOST_AUTO_TEST_CASE(lent_data_needs_a_transport_that_lends) {
  Opened();
  LeaseList lent;
  BOOST_TEST(
      (Run(clock, device->ReadLent(0, 1, lent)).error().error.kind == ErrorKind::kUnsupported));
  BOOST_TEST(transport.cdbs.empty());
}

BOOST_AUTO_TEST_CASE(lent_data_is_one_commands) {
  transport.lends = true;
  options.command_length_max = 1024;
  Opened();
  LeaseList lent;

  BOOST_TEST(Run(clock, device->ReadLent(4, 2, lent)).has_value());
  BOOST_TEST(lent.length() == 1024u);
  BOOST_TEST((Run(clock, device->ReadLent(4, 3, lent)).error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(lent.empty());
}

BOOST_AUTO_TEST_CASE(after_an_error_nothing_is_lent) {
  transport.lends = true;
  Opened();
  LeaseList lent;
  Answer half = Check(SenseKey::kIllegalRequest, 0x24);
  half.data.assign(512, 0x11);
  transport.Add(half);

  BOOST_TEST(!Run(clock, device->ReadLent(4, 2, lent)).has_value());

  BOOST_TEST(lent.empty());
}

BOOST_AUTO_TEST_SUITE_END()
