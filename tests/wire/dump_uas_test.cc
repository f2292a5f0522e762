// Information units of USB Attached SCSI as lines.
#include <boost/test/unit_test.hpp>

#include "tests/wire/dump_samples.h"
#include "wire/dump.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace usbtwin::wire;   // NOLINT

BOOST_AUTO_TEST_SUITE(dump_uas)

BOOST_AUTO_TEST_CASE(what_goes_out) {
  BOOST_TEST(Dump(kCommandIu) ==
             "COMMAND IU tag 3, simple, LUN 1\n"
             "  INQUIRY allocation 36\n");
  BOOST_TEST(Dump(kTaskManagementIu) ==
             "TASK MANAGEMENT IU tag 4, 01h ABORT TASK, task 3, LUN 1\n");
}

BOOST_AUTO_TEST_CASE(what_comes_back) {
  BOOST_TEST(Dump("06 00 0003"_hex) == "READ READY IU tag 3\n");
  BOOST_TEST(Dump("07 00 0003"_hex) == "WRITE READY IU tag 3\n");
  BOOST_TEST(Dump("03 00 0003 0000 00 00000000000000 0000"_hex) ==
             "SENSE IU tag 3, status 00h, 0 bytes of sense\n");
  BOOST_TEST(Dump("04 00 0004 000000 00"_hex) == "RESPONSE IU tag 4, 00h function complete\n");
  BOOST_TEST(Dump("04 00 0004 000000 07"_hex) == "RESPONSE IU tag 4, 07h reserved code\n");
}

BOOST_AUTO_TEST_CASE(sense_is_explained) {
  const std::string text = Dump(kSenseIu);
  BOOST_TEST(text.starts_with("SENSE IU tag 3, status 02h, 18 bytes of sense\n  "));
  BOOST_TEST((text.find("asc 24 ascq 00") != std::string::npos), text);
}

BOOST_AUTO_TEST_CASE(oddities_are_said) {
  BOOST_TEST(DumpIu("05 00 0004 03 00 0003 8001000000000000"_hex) ==
             "TASK MANAGEMENT IU tag 4, 03h reserved function, task 3, LUN: 80 01 00 00 00 00 00 "
             "00\n");
  BOOST_TEST(DumpIu("02 00 0004 ff"_hex) ==
             "IU of unknown kind 02h, tag 4\n1 byte left over: ff\n");
  BOOST_TEST(DumpIu("06 00"_hex) == "READ READY IU, truncated: 2 of 4 bytes: 06 00\n");
  BOOST_TEST(DumpIu("01 00 0003 03 00 04 00 0001000000000000 7f000000000000000000000000000000 "
                    "0102"_hex) ==
             "COMMAND IU tag 3, reserved attribute, LUN 1\n"
             "  CDB of 20 bytes, truncated: 7f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 "
             "02\n");
}

BOOST_AUTO_TEST_SUITE_END()
