#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/host/script_transport.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using scsi::SenseKey;

BOOST_FIXTURE_TEST_SUITE(block_probe, BlockBench)

// ---- Opening ----

BOOST_AUTO_TEST_CASE(opening_asks_who_whether_and_how_large) {
  ScriptOpen();

  BOOST_TEST(Open().has_value());

  CheckCdbs({kInquiryCdb, kReadyCdb, kCapacityCdb});
  const BlockFacts& facts = device->facts();
  BOOST_TEST(facts.vendor == "ACME");
  BOOST_TEST(facts.product == "Disk");
  BOOST_TEST(facts.revision == "1.2");
  BOOST_TEST(!facts.removable);
  BOOST_TEST(facts.block_size == 512u);
  BOOST_TEST(facts.blocks_count == 1024u);
  BOOST_TEST(facts.size() == 524288u);
  BOOST_TEST(!facts.long_capacity);
}

BOOST_AUTO_TEST_CASE(a_large_disk_is_asked_for_its_long_capacity) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  transport.Add(Data("ffffffff 00000200"_hex));
  transport.Add(
      Data("00000001 00000000 00001000 00 03 8000"
           "00000000 00000000 00000000 00000000"_hex));

  BOOST_TEST(Open().has_value());

  CheckCdbs({kInquiryCdb, kReadyCdb, kCapacityCdb, kLongCapacityCdb});
  BOOST_TEST(device->facts().blocks_count == 0x100000001u);
  BOOST_TEST(device->facts().block_size == 4096u);
  BOOST_TEST(device->facts().physical_exponent == 3);
  BOOST_TEST(device->facts().thin);
  BOOST_TEST(device->facts().long_capacity);
}

BOOST_AUTO_TEST_CASE(a_long_capacity_of_twelve_bytes_is_enough) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  transport.Add(Data("ffffffff 00000200"_hex));
  transport.Add(Data("00000001 00000000 00000200"_hex));

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().blocks_count == 0x100000001u);
}

BOOST_AUTO_TEST_CASE(a_short_inquiry_leaves_the_names_out) {
  ScriptOpen(Bytes(kInquiryData).first(12));

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().vendor == "ACME");
  BOOST_TEST(device->facts().product == "");
}

BOOST_AUTO_TEST_CASE(names_are_printable_whatever_the_device_sends) {
  auto bytes = kInquiryData;
  bytes[8] = 0x1b;
  bytes[9] = 0xff;
  bytes[10] = 0;
  ScriptOpen(bytes);

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().vendor == "?? E");
}

BOOST_AUTO_TEST_CASE(bytes_that_the_residue_takes_away_do_not_count) {
  Answer answer = Data(kInquiryData);
  answer.result.residue = 33;
  for (int attempt = 0; attempt < 5; ++attempt) transport.Add(answer);

  const BlockResult opened = Open();

  BOOST_TEST(opened.error().error.Describe().find("3 bytes of data count, at least 5 needed") !=
             std::string::npos);
  BOOST_TEST(opened.error().error.values.at(2) == 33u);
  BOOST_TEST(opened.error().attempts_count > 1u);
}

BOOST_AUTO_TEST_CASE(inquiry_data_that_came_short_is_asked_for_again) {
  Answer answer = Data(kInquiryData);
  answer.result.residue = 33;
  transport.Add(answer);
  ScriptOpen(kInquiryData);

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().vendor == "ACME");
}

BOOST_AUTO_TEST_CASE(names_that_the_residue_takes_away_are_left_out) {
  Answer answer = Data(kInquiryData);
  answer.result.residue = 20;
  transport.Add(answer);
  transport.Add(Good());
  transport.Add(Data(kCapacityData));

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().vendor == "ACME");
  BOOST_TEST(device->facts().product == "");
}

BOOST_AUTO_TEST_CASE(a_lun_without_unit_is_not_found) {
  auto absent = kInquiryData;
  absent[0] = 0x7f;
  ScriptOpen(absent);
  options.lun = 3;

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().error.kind == ErrorKind::kNotFound));
  BOOST_TEST(opened.error().error.values.at(0) == 3u);
  BOOST_TEST(!device->is_open());
}

BOOST_AUTO_TEST_CASE(what_has_no_blocks_is_refused_by_its_type) {
  auto printer = kInquiryData;
  printer[0] = 0x02;
  ScriptOpen(printer);

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().error.kind == ErrorKind::kUnsupported));
  BOOST_TEST(opened.error().error.values.at(0) == 2u);
  BOOST_TEST(device->facts().vendor == "ACME");
}

struct CapacityCase {
  const char* name;
  std::array<uint8_t, 12> capacity;  // of READ CAPACITY(16)
  uint64_t value;                    // that the error names
  friend std::ostream& operator<<(std::ostream& out, const CapacityCase& sample) {
    return out << sample.name;
  }
};
const std::array kCapacityCases{
    CapacityCase{"no_block_size", "00000000 00000007 00000000"_hex, 0},
    CapacityCase{"no_power_of_two", "00000000 00000007 00000208"_hex, 520},
    CapacityCase{"small_blocks", "00000000 00000007 00000080"_hex, 128},
    CapacityCase{"huge_blocks", "00000000 00000007 80000000"_hex, 0x80000000},
    CapacityCase{"last_block_overflows", "ffffffff ffffffff 00000200"_hex, UINT64_MAX},
    CapacityCase{"size_overflows", "00400000 00000000 00000200"_hex, uint64_t{1} << 54},
    CapacityCase{"size_just_overflows", "003fffff ffffffff 00000200"_hex, (uint64_t{1} << 54) - 1},
};
BOOST_DATA_TEST_CASE_F(BlockBench, a_capacity_without_sense_is_an_error_with_its_numbers,
                       boost::unit_test::data::make(kCapacityCases)) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  transport.Add(Data("ffffffff 00000200"_hex));
  transport.Add(Data(sample.capacity));

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().error.kind == ErrorKind::kProtocol));
  BOOST_TEST(opened.error().error.values.at(0) == sample.value);
  BOOST_TEST(!device->is_open());
  BOOST_TEST(device->facts().block_size == 0u);
}

BOOST_AUTO_TEST_CASE(the_largest_capacity_that_fits_is_taken) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  transport.Add(Data("ffffffff 00000200"_hex));
  transport.Add(Data("003fffff fffffffe 00000200"_hex));

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().size() == uint64_t{INT64_MAX} - 511);
}

BOOST_AUTO_TEST_CASE(a_short_capacity_is_an_error_with_both_numbers) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  Answer short_answer = Data(Bytes(kCapacityData).first(4));
  short_answer.result.residue = 4;
  transport.Add(short_answer, 3);

  const BlockResult opened = Open();

  BOOST_TEST(opened.error().Describe() ==
             "READ CAPACITY(10), tried 3 times: protocol error in data-in after 4 bytes: short "
             "data: 4 of 8 bytes moved");
}

BOOST_AUTO_TEST_CASE(unit_attentions_are_heard_and_passed_over) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kUnitAttention, 0x29));
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));
  transport.Add(Good());
  transport.Add(Data(kCapacityData));

  BOOST_TEST(Open().has_value());
  CheckCdbs({kInquiryCdb, kReadyCdb, kReadyCdb, kReadyCdb, kCapacityCdb});
}

BOOST_AUTO_TEST_CASE(unit_attentions_without_end_are_told) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kUnitAttention, 0x29), 100);

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().kind == BlockError::Kind::kSense));
  BOOST_TEST((opened.error().sense.key == SenseKey::kUnitAttention));
  BOOST_TEST(opened.error().attempts_count == 9u);
}

BOOST_AUTO_TEST_CASE(a_unit_becoming_ready_is_waited_for) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kNotReady, 0x04, 0x01), 10);
  transport.Add(Good());
  transport.Add(Data(kCapacityData));

  BOOST_TEST(Open().has_value());

  // 20, 40, 80, 160, 320 ms, then 500 ms each.
  BOOST_TEST((elapsed() == 3120ms));
}

BOOST_AUTO_TEST_CASE(a_unit_that_never_becomes_ready_is_given_up) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kNotReady, 0x04, 0x01), 1000);

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().sense.key == SenseKey::kNotReady));
  BOOST_TEST((elapsed() == 30s));
}

BOOST_AUTO_TEST_CASE(waiting_can_be_cancelled) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kNotReady, 0x04, 0x01), 1000);
  device.emplace(transport, options);
  async::Job<BlockResult> job(clock, device->Open());
  clock.Advance(5s);
  BOOST_TEST(!job.done());

  job.Cancel();

  BOOST_TEST(clock.RunUntil([&] { return job.done(); }));
  BOOST_TEST((job.result().error().error.kind == ErrorKind::kCancelled));
  BOOST_TEST((elapsed() == 5s));
}

BOOST_AUTO_TEST_CASE(a_reader_without_medium_tells_who_it_is) {
  transport.Add(Data(kRemovableData));
  transport.Add(Check(SenseKey::kNotReady, 0x3a));

  const BlockResult opened = Open();

  BOOST_TEST(opened.error().sense.asc == 0x3a);
  BOOST_TEST(device->facts().vendor == "ACME");
  BOOST_TEST(device->facts().removable);
}

BOOST_AUTO_TEST_CASE(a_stopped_unit_is_started) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kNotReady, 0x04, 0x02));
  transport.Add(Good());
  transport.Add(Good());
  transport.Add(Data(kCapacityData));

  BOOST_TEST(Open().has_value());
  CheckCdbs({kInquiryCdb, kReadyCdb, "1b0000000100", kReadyCdb, kCapacityCdb});
}

BOOST_AUTO_TEST_SUITE_END()
