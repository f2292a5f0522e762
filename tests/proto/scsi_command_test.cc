#include "proto/scsi_command.h"

#include "tests/dies.h"
#include "tests/proto/scsi_cases.h"

using namespace usbtwin;        // NOLINT
using namespace usbtwin::scsi;  // NOLINT
using usbtwin::tests::Blocks;
using usbtwin::tests::CommandCase;
using usbtwin::tests::RefusedCase;

namespace {

const CommandCase kCommands[] = {
    {"test_unit_ready", "00 00000000 00", TestUnitReady(), cdb::TestUnitReady{}, {}},
    {"request_sense",
     "03 00 0000 12 00",
     RequestSense(false, 18),
     cdb::RequestSense{.allocation_length = 18},
     {Direction::kIn, 18}},
    {"request_sense_descriptor",
     "03 01 0000 fc 00",
     RequestSense(true, 252),
     cdb::RequestSense{.descriptor = true, .allocation_length = 252},
     {Direction::kIn, 252}},
    {"inquiry",
     "12 00 00 0024 00",
     Inquiry(false, 0, 36),
     cdb::Inquiry{.allocation_length = 36},
     {Direction::kIn, 36}},
    {"inquiry_vpd",
     "12 01 83 0100 00",
     Inquiry(true, 0x83, 256),
     cdb::Inquiry{.vital = true, .page = 0x83, .allocation_length = 256},
     {Direction::kIn, 256}},
    {"inquiry_of_nothing", "12 00 00 0000 00", Inquiry(false, 0, 0), cdb::Inquiry{}, {}},
    {"mode_sense_6",
     "1a 08 c8 ff c0 00",
     ModeSense6({.disable_block_descriptors = true,
                 .control = cdb::PageControl::kSaved,
                 .page = 0x08,
                 .subpage = 0xff,
                 .allocation_length = 0xc0}),
     cdb::ModeSense{.disable_block_descriptors = true,
                    .control = cdb::PageControl::kSaved,
                    .page = 0x08,
                    .subpage = 0xff,
                    .allocation_length = 0xc0},
     {Direction::kIn, 0xc0}},
    {"mode_sense_10",
     "5a 10 7f 00 000000 0102 00",
     ModeSense10({.ten = true,
                  .long_lba = true,
                  .control = cdb::PageControl::kChangeable,
                  .page = 0x3f,
                  .allocation_length = 0x102}),
     cdb::ModeSense{.ten = true,
                    .long_lba = true,
                    .control = cdb::PageControl::kChangeable,
                    .page = 0x3f,
                    .allocation_length = 0x102},
     {Direction::kIn, 0x102}},
    {"read_capacity_10",
     "25 00 00000000 0000 00 00",
     ReadCapacity10(),
     cdb::ReadCapacity10{},
     {Direction::kIn, 8}},
    {"read_capacity_16",
     "9e 10 0000000000000000 00000020 00 00",
     ReadCapacity16(32),
     cdb::ReadCapacity16{.allocation_length = 32},
     {Direction::kIn, 32}},
    {"read_6",
     "08 1fffff 01 00",
     Read6(0x1fffff, 1),
     cdb::Read{.range = Blocks(0x1fffff, 1)},
     {Direction::kIn, 512}},
    {"read_6_of_256",
     "08 000102 00 00",
     Read6(0x102, 256),
     cdb::Read{.range = Blocks(0x102, 256)},
     {Direction::kIn, 256 * 512}},
    {"read_10",
     "28 00 01020304 00 0506 00",
     Read10(0x01020304, 0x0506),
     cdb::Read{.range = Blocks(0x01020304, 0x0506)},
     {Direction::kIn, 0x0506 * 512}},
    {"read_10_of_nothing", "28 00 00000000 00 0000 00", Read10(0, 0), cdb::Read{}, {}},
    {"read_12_dpo_fua",
     "a8 18 01020304 05060708 00 00",
     Read12(0x01020304, 0x05060708, {.disable_page_out = true, .force_unit_access = true}),
     cdb::Read{.range = Blocks(0x01020304, 0x05060708),
               .disable_page_out = true,
               .force_unit_access = true},
     {Direction::kIn, uint64_t{0x05060708} * 512}},
    {"read_16",
     "88 00 0102030405060708 090a0b0c 00 00",
     Read16(0x0102030405060708, 0x090a0b0c),
     cdb::Read{.range = Blocks(0x0102030405060708, 0x090a0b0c)},
     {Direction::kIn, uint64_t{0x090a0b0c} * 512}},
    {"write_6",
     "0a 000001 ff 00",
     Write6(1, 255),
     cdb::Write{.range = Blocks(1, 255)},
     {Direction::kOut, 255 * 512}},
    {"write_10_fua",
     "2a 08 ffffffff 00 ffff 00",
     Write10(0xffffffff, 0xffff, {.force_unit_access = true}),
     cdb::Write{.range = Blocks(0xffffffff, 0xffff), .force_unit_access = true},
     {Direction::kOut, 0xffff * 512}},
    {"write_12",
     "aa 00 00000001 00000002 00 00",
     Write12(1, 2),
     cdb::Write{.range = Blocks(1, 2)},
     {Direction::kOut, 1024}},
    {"write_16_dpo",
     "8a 10 ffffffffffffffff ffffffff 00 00",
     Write16(UINT64_MAX, UINT32_MAX, {.disable_page_out = true}),
     cdb::Write{.range = Blocks(UINT64_MAX, UINT32_MAX), .disable_page_out = true},
     {Direction::kOut, uint64_t{UINT32_MAX} * 512}},
    {"verify_10",
     "2f 00 00000010 00 0020 00",
     Verify10(0x10, 0x20, false),
     cdb::Verify{.range = Blocks(0x10, 0x20)},
     {}},
    {"verify_10_compare",
     "2f 02 00000010 00 0020 00",
     Verify10(0x10, 0x20, true),
     cdb::Verify{.range = Blocks(0x10, 0x20), .compare = true},
     {Direction::kOut, 0x20 * 512}},
    {"verify_16_compare",
     "8f 02 0000000000000010 00000020 00 00",
     Verify16({.range = Blocks(0x10, 0x20), .compare = true}),
     cdb::Verify{.range = Blocks(0x10, 0x20), .compare = true},
     {Direction::kOut, 0x20 * 512}},
    {"verify_16_that_is_not_to_be_cached",
     "8f 10 0000000000000010 00000020 00 00",
     Verify16({.range = Blocks(0x10, 0x20), .disable_page_out = true}),
     cdb::Verify{.range = Blocks(0x10, 0x20), .disable_page_out = true},
     {}},
    {"synchronize_cache_10",
     "35 02 00000001 00 0002 00",
     SynchronizeCache10(1, 2, true),
     cdb::SynchronizeCache{.range = Blocks(1, 2), .immediate = true},
     {}},
    {"synchronize_cache_16",
     "91 00 0000000000000001 00000002 00 00",
     SynchronizeCache16(1, 2),
     cdb::SynchronizeCache{.range = Blocks(1, 2)},
     {}},
    {"report_luns",
     "a0 00 02 000000 00000088 00 00",
     ReportLuns(2, 0x88),
     cdb::ReportLuns{.select = 2, .allocation_length = 0x88},
     {Direction::kIn, 0x88}},
    {"start",
     "1b 00 00 00 01 00",
     StartStopUnit({.start = true}),
     cdb::StartStopUnit{.start = true},
     {}},
    {"eject_at_once",
     "1b 01 00 00 06 00",
     StartStopUnit({.immediate = true, .no_flush = true, .load_eject = true}),
     cdb::StartStopUnit{.immediate = true, .no_flush = true, .load_eject = true},
     {}},
    {"standby",
     "1b 00 00 00 30 00",
     StartStopUnit({.power_condition = 3}),
     cdb::StartStopUnit{.power_condition = 3},
     {}},
    {"prevent",
     "1e 000000 01 00",
     PreventAllowMediumRemoval(true),
     cdb::PreventAllowMediumRemoval{.prevent = true},
     {}},
    {"allow",
     "1e 000000 00 00",
     PreventAllowMediumRemoval(false),
     cdb::PreventAllowMediumRemoval{},
     {}},
};

const RefusedCase kRefused[] = {
    {"unknown_opcode", "02 00000000 00", "70 00 05 00000000 0a 00000000 20 00 00 c00000"},
    {"vendor_opcode", "c0 00000000 00", "70 00 05 00000000 0a 00000000 20 00 00 c00000"},
    {"variable_length", "7f 00 000000000000 0000", "70 00 05 00000000 0a 00000000 20 00 00 c00000"},
    {"unknown_service_action", "9e 13 0000000000000000 00000020 00 00",
     "70 00 05 00000000 0a 00000000 24 00 00 cc0001"},
    {"read_with_protection", "28 20 00000000 00 0001 00",
     "70 00 05 00000000 0a 00000000 24 00 00 cf0001"},
    {"write_16_with_protection", "8a e0 0000000000000000 00000001 00 00",
     "70 00 05 00000000 0a 00000000 24 00 00 cf0001"},
    {"verify_with_protection", "2f 80 00000000 00 0001 00",
     "70 00 05 00000000 0a 00000000 24 00 00 cf0001"},
    {"verify_with_reserved_bytchk", "2f 04 00000000 00 0001 00",
     "70 00 05 00000000 0a 00000000 24 00 00 ca0001"},
    {"verify_16_of_one_block_against_many", "8f 06 0000000000000000 00000001 00 00",
     "70 00 05 00000000 0a 00000000 24 00 00 ca0001"},
    {"naca_in_six_bytes", "00 00000000 04", "70 00 05 00000000 0a 00000000 24 00 00 ca0005"},
    {"naca_in_sixteen_bytes", "88 00 0000000000000000 00000001 00 04",
     "70 00 05 00000000 0a 00000000 24 00 00 ca000f"},
    {"page_without_evpd", "12 00 80 0024 00", "70 00 05 00000000 0a 00000000 24 00 00 c00002"},
    {"cmddt", "12 02 00 0024 00", "70 00 05 00000000 0a 00000000 24 00 00 c90001"},
    {"capacity_10_of_an_address", "25 00 00000001 0000 00 00",
     "70 00 05 00000000 0a 00000000 24 00 00 c00002"},
    {"capacity_16_of_an_address", "9e 10 0000000000000001 00000020 00 00",
     "70 00 05 00000000 0a 00000000 24 00 00 c00002"},
    {"persistent_prevention", "1e 000000 02 00", "70 00 05 00000000 0a 00000000 24 00 00 c90004"},
    {"cut_short", "28 00 00000000 00 00", "70 00 05 00000000 0a 00000000 24 00 00 c00008"},
    {"nothing", "", "70 00 05 00000000 0a 00000000 20 00 00 c00000"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(scsi_command)

BOOST_DATA_TEST_CASE(builds_the_bytes_of_the_standard, boost::unit_test::data::make(kCommands)) {
  tests::CheckBuilt(sample);
}

BOOST_DATA_TEST_CASE(reads_back_what_is_meant, boost::unit_test::data::make(kCommands)) {
  tests::CheckRead(sample);
}

BOOST_DATA_TEST_CASE(refuses_with_the_place_of_the_error, boost::unit_test::data::make(kRefused)) {
  tests::CheckRefused(sample);
}

BOOST_AUTO_TEST_CASE(reserved_bits_and_group_numbers_change_nothing) {
  BOOST_TEST(
      (*ParseCdb("28 07 00000001 ff 0002 c3"_hex) == Meaning(cdb::Read{.range = Blocks(1, 2)})));
  BOOST_TEST((*ParseCdb("08 e00001 02 00"_hex) == Meaning(cdb::Read{.range = Blocks(1, 2)})));
  BOOST_TEST((*ParseCdb("00 ffffffff 00"_hex) == Meaning(cdb::TestUnitReady{})));
  BOOST_TEST((*ParseCdb("25 01 00000001 0000 01 00"_hex) == Meaning(cdb::ReadCapacity10{})));
}

BOOST_AUTO_TEST_CASE(bytes_behind_the_command_are_padding) {
  BOOST_TEST((*ParseCdb("03 00 0000 12 00 0000000000 04"_hex) ==
              Meaning(cdb::RequestSense{.allocation_length = 18})));
}

BOOST_AUTO_TEST_CASE(every_opcode_is_listed_or_refused_as_such) {
  size_t known = 0;
  for (int opcode = 0; opcode < 256; ++opcode) {
    const auto code = static_cast<uint8_t>(opcode);
    const std::span<const CommandInfo> infos = CommandsOf(code);
    std::array<uint8_t, 16> bytes{code};
    if (infos.empty()) {
      BOOST_TEST((ParseCdb(bytes).error() == InvalidOpcode()));
      continue;
    }
    known += infos.size();
    std::array<bool, 32> listed{};
    for (const CommandInfo& info : infos) {
      BOOST_TEST(info.opcode == code);
      BOOST_TEST(info.usage[0] == code);
      BOOST_TEST(info.usage.size() == wire::scsi::CdbLength(code));
      listed[info.service_action] = true;
    }
    for (uint8_t action = 0; infos[0].has_service_action && action < listed.size(); ++action) {
      bytes[1] = action;
      const auto meaning = ParseCdb(bytes);
      BOOST_TEST((meaning.has_value() || meaning.error() != InvalidFieldInCdb(1, 4)) ==
                 listed[action]);
    }
  }
  BOOST_TEST(known == Commands().size());
}

BOOST_AUTO_TEST_CASE(bits_that_no_usage_data_names_change_nothing) {
  for (const CommandInfo& info : Commands()) {
    std::vector<uint8_t> plain(info.usage.size());
    plain[0] = info.opcode;
    if (info.has_service_action) plain[1] = info.service_action;
    if (info.opcode == 0x15 || info.opcode == 0x55) plain[1] = 0x10;  // PF is needed
    const auto meaning = ParseCdb(plain);
    BOOST_REQUIRE(meaning.has_value());
    std::vector<uint8_t> noisy = plain;
    for (size_t index = 1; index < noisy.size(); ++index) {
      const bool action = index == 1 && info.has_service_action;
      const unsigned ignored = ~unsigned{info.usage[index]} & (action ? 0xe0u : 0xffu);
      noisy[index] = static_cast<uint8_t>(noisy[index] | ignored);
    }
    const auto same = ParseCdb(noisy);
    BOOST_REQUIRE(same.has_value());
    BOOST_TEST((*same == *meaning));
  }
}

BOOST_AUTO_TEST_CASE(block_size_scales_the_data) {
  BOOST_TEST((ExpectedData(cdb::Read{.range = Blocks(0, UINT32_MAX)}, 4096) ==
              DataPhase{Direction::kIn, uint64_t{UINT32_MAX} * 4096}));
}

BOOST_AUTO_TEST_CASE(arguments_that_do_not_fit_are_our_bug) {
  BOOST_TEST(tests::Dies([] { Read6(0x200000, 1); }));
  BOOST_TEST(tests::Dies([] { Read6(0, 0); }));
  BOOST_TEST(tests::Dies([] { Write6(0, 257); }));
  BOOST_TEST(tests::Dies([] { Read10(uint64_t{1} << 32, 1); }));
  BOOST_TEST(tests::Dies([] { Write10(0, 0x10000); }));
  BOOST_TEST(tests::Dies([] { ModeSense6({.page = 0x08, .allocation_length = 256}); }));
}

BOOST_AUTO_TEST_SUITE_END()
