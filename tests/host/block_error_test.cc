#include "host/block_error.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;        // NOLINT
using namespace usbtwin::host;  // NOLINT

BOOST_AUTO_TEST_SUITE(block_error)

BOOST_AUTO_TEST_CASE(a_broken_transport_is_told_with_its_error) {
  const BlockError error{
      .error = {.kind = ErrorKind::kTimedOut, .phase = Phase::kDataIn, .endpoint = 0x81},
      .opcode = 0x28,
      .lba = 100,
      .blocks_count = 8,
      .attempts_count = 2};

  BOOST_TEST(error.Describe() ==
             "READ(10) at LBA 100 of a command of 8 blocks, tried 2 times: timed out in data-in on "
             "endpoint 81");
}

BOOST_AUTO_TEST_CASE(a_status_without_sense_is_told_as_such) {
  const BlockError error{.kind = BlockError::Kind::kStatus,
                         .status = scsi::Status::kBusy,
                         .opcode = 0x25,
                         .attempts_count = 1};

  BOOST_TEST(error.Describe() == "READ CAPACITY(10): status busy");
}

BOOST_AUTO_TEST_CASE(a_check_condition_without_sense_says_so) {
  const BlockError error{.kind = BlockError::Kind::kStatus,
                         .status = scsi::Status::kCheckCondition,
                         .attempts_count = 1};

  BOOST_TEST(error.Describe() == "TEST UNIT READY: status check condition, without sense data");
}

BOOST_AUTO_TEST_CASE(what_was_refused_here_names_no_command) {
  const BlockError error{
      .error = {.kind = ErrorKind::kInvalid, .text = "the block device is not open"}, .lba = 5};

  BOOST_TEST(error.Describe() ==
             "nothing sent at LBA 5: invalid argument: the block device is not open");
}

BOOST_AUTO_TEST_CASE(sense_is_told_by_name_and_number) {
  const BlockError error{.kind = BlockError::Kind::kSense,
                         .status = scsi::Status::kCheckCondition,
                         .sense = {.key = scsi::SenseKey::kMediumError, .asc = 0x11, .ascq = 0x04},
                         .opcode = 0x8a,
                         .lba = uint64_t{1} << 40,
                         .blocks_count = 1,
                         .blocks_done = 256,
                         .attempts_count = 1};

  BOOST_TEST(error.Describe() ==
             "WRITE(16) at LBA 1099511627776, after 256 blocks: check condition, Medium Error "
             "(03/11/04)");
}

BOOST_AUTO_TEST_CASE(a_deferred_error_is_told_as_an_earlier_commands) {
  const BlockError error{
      .kind = BlockError::Kind::kSense,
      .status = scsi::Status::kCheckCondition,
      .sense = {.key = scsi::SenseKey::kMediumError, .asc = 0x0c, .deferred = true},
      .opcode = 0x35,
      .attempts_count = 1};

  BOOST_TEST(error.Describe() ==
             "SYNCHRONIZE CACHE(10): check condition, Medium Error (03/0c/00), about an earlier "
             "command");
}

BOOST_AUTO_TEST_CASE(an_unknown_command_shows_its_number) {
  BOOST_TEST((BlockError{.opcode = 0xc1, .attempts_count = 1}).Describe() == "command c1h: fault");
}

BOOST_AUTO_TEST_SUITE_END()
