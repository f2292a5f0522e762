#include "tests/emulator/disk_cases.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using scsi::Status;

namespace {

// SUPPORT 011b, the length of the CDB, the bits of it that are looked at.
const AnswerCase kAnswers[] = {
    {"one_of_an_opcode", "a3 0c 01 28 0000 00000100 00 00", "00 03 000a 28 f8 ffffffff 00 ffff 04"},
    {"one_with_timeouts", "a3 0c 81 12 0000 00000100 00 00",
     "00 83 0006 12 03 ff ffff 04 000a 00 00 00000000 00000000"},
    {"one_of_an_action", "a3 0c 02 9e 0010 00000100 00 00",
     "00 03 0010 9e 10 ffffffffffffffff ffffffff 01 04"},
    {"one_either_way", "a3 0c 03 00 0000 00000100 00 00", "00 03 0006 00 00000000 04"},
    {"one_either_way_with_action", "a3 0c 03 a3 000d 00000100 00 00",
     "00 03 000c a3 0d 80 00 0000 ffffffff 00 04"},
    {"an_unknown_opcode", "a3 0c 01 7f 0000 00000100 00 00", "00 01 0000"},
    {"an_unknown_opcode_with_timeouts", "a3 0c 81 7f 0000 00000100 00 00", "00 01 0000"},
    {"an_unknown_opcode_with_action", "a3 0c 02 7f 0009 00000100 00 00", "00 01 0000"},
    {"an_unknown_action", "a3 0c 02 9e 001f 00000100 00 00", "00 01 0000"},
    {"an_action_beyond_the_field", "a3 0c 02 9e 0110 00000100 00 00", "00 01 0000"},
    {"an_action_where_there_are_none", "a3 0c 03 28 0001 00000100 00 00", "00 01 0000"},
    {"receive_copy_results_is_not_known", "a3 0c 03 84 0003 00000100 00 00", "00 01 0000"},
    {"cut", "a3 0c 01 28 0000 00000003 00 00", "00 03 00"},
    {"cut_to_nothing", "a3 0c 00 00 0000 00000000 00 00", ""},
    {"no_task_functions", "a3 0d 00 00 0000 00000004 00 00", "0000 00 00"},
    {"task_functions_with_timeouts", "a3 0d 80 00 0000 000000ff 00 00",
     "0000 00 0c 00 000000 00000000 00000000"},
};

const RefusedCase kRefused[] = {
    {"an_opcode_with_actions_without_one", "a3 0c 01 9e 0000 00000100 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 ca 00 02"},
    {"an_opcode_without_actions_with_one", "a3 0c 02 28 0000 00000100 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 ca 00 02"},
    // TPGS of INQUIRY is zero: there are no target port groups to report.
    {"target_port_groups", "a3 0a 00 00 0000 00000100 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cc 00 01"},
    {"receive_copy_results", "84 03 00 00 00 00 00 00 00 00 00 00 01 00 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 c0 00 00"},
    {"reserved_options", "a3 0c 07 28 0000 00000100 00 00",
     "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 ca 00 02"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_report)

BOOST_DATA_TEST_CASE(answers, boost::unit_test::data::make(kAnswers)) {
  Check(sample);
}

BOOST_DATA_TEST_CASE(refuses, boost::unit_test::data::make(kRefused)) {
  Check(sample);
}

BOOST_AUTO_TEST_CASE(the_list_names_each_command_once_in_order) {
  DiskRig rig;
  for (const bool timeouts : {false, true}) {
    const uint32_t each = timeouts ? 20 : 8;
    rig.host.Do(scsi::ReportOpcodes({.timeouts = timeouts, .allocation_length = 0x10000}));
    const Bytes list = rig.host.in;
    BOOST_REQUIRE(list.size() == 4 + each * scsi::Commands().size());
    BOOST_TEST(uint32_t{*wire::View<wire::Be32>(list)} == list.size() - 4);
    uint32_t before = 0;
    for (size_t place = 4; place < list.size(); place += each) {
      const auto& one = *wire::View<wire::scsi::OpcodeDescriptor>(list.subspan(place));
      const uint32_t now = uint32_t{one.opcode} << 16 | one.service_action;
      BOOST_TEST((place == 4 || now > before));
      BOOST_TEST(one.cdb_length == wire::scsi::CdbLength(one.opcode));
      BOOST_TEST(((one.flags & 0x02) != 0) == timeouts);
      BOOST_TEST(((one.flags & 0x01) != 0 || one.service_action == 0));
      before = now;
    }
  }
}

// Carried out or refused for what it asks, but never for what it is.
BOOST_AUTO_TEST_CASE(every_listed_command_is_known_and_no_other) {
  DiskRig rig;
  std::vector<uint8_t> out(1 << 20);
  for (int opcode = 0; opcode < 256; ++opcode) {
    const auto code = static_cast<uint8_t>(opcode);
    const bool known = !scsi::CommandsOf(code).empty();
    rig.host.ForgetAttentions();
    std::array<uint8_t, 16> bytes{code};
    if (known) bytes[1] = scsi::CommandsOf(code)[0].service_action;
    rig.host.Do(bytes, out);
    BOOST_TEST((rig.host.codes() == "05/20/00") == !known);
    rig.host.Do(scsi::ReportOpcodes(
        {.options = 3, .opcode = code, .service_action = bytes[1], .allocation_length = 4}));
    BOOST_TEST(rig.host.in_hex().substr(0, 5) == (known ? "00 03" : "00 01"));
    rig.clock.Advance(std::chrono::seconds(1));  // it may have been told to erase itself
    rig.host.Do("1b 00 00 00 01 00");            // or to stop
  }
}

BOOST_AUTO_TEST_CASE(task_management_functions_are_the_transports) {
  DiskRig rig;
  rig.host.command.task_functions = 0xdc07;
  rig.host.Do("a3 0d 00 00 0000 00000004 00 00");
  BOOST_TEST(rig.host.in_hex() == "dc 07 00 00");
}

BOOST_AUTO_TEST_SUITE_END()
