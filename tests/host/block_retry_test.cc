#include <boost/test/unit_test.hpp>

#include "tests/host/script_transport.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using scsi::SenseKey;
using scsi::Status;

BOOST_FIXTURE_TEST_SUITE(block_retry, BlockBench)

// ---- Trying again ----

BOOST_AUTO_TEST_CASE(a_medium_error_is_tried_once_more_and_names_the_block) {
  Opened();
  Answer bad = Check(SenseKey::kMediumError, 0x11);
  bad.result.sense.information_valid = true;
  bad.result.sense.information = 13;
  transport.Add(bad, 2);

  const BlockResult read = Read(10, 5);

  BOOST_TEST(transport.used_up());
  BOOST_TEST(transport.cdbs.size() == 2u);
  BOOST_TEST(read.error().Describe() ==
             "READ(10) at LBA 13 of a command of 5 blocks, tried 2 times: check condition, Medium "
             "Error (03/11/00)");
}

BOOST_AUTO_TEST_CASE(a_block_in_error_outside_the_command_is_not_believed) {
  Opened();
  for (const uint64_t lba : {uint64_t{9}, uint64_t{15}, UINT64_MAX}) {
    Answer bad = Check(SenseKey::kMediumError, 0x11);
    bad.result.sense.information_valid = true;
    bad.result.sense.information = lba;
    transport.Add(bad, 2);
    BOOST_TEST(*Read(10, 5).error().lba == 10u);
  }
}

BOOST_AUTO_TEST_CASE(a_timeout_is_tried_once_more) {
  Opened();
  transport.Add(Broken(ErrorKind::kTimedOut), 5);

  const BlockResult read = Read(0, 1);

  BOOST_TEST((read.error().error.kind == ErrorKind::kTimedOut));
  CheckCdbs({kReadFirstCdb, kReadFirstCdb});
}

BOOST_AUTO_TEST_CASE(after_a_recovered_failure_the_data_comes) {
  Opened();
  transport.Add(Broken(ErrorKind::kProtocol));
  transport.Add(Check(SenseKey::kUnitAttention, 0x29));
  transport.Add(Data(std::vector<uint8_t>(512, 0x77)));

  BOOST_TEST(Read(0, 1).has_value());

  BOOST_TEST(room[511] == 0x77);
}

BOOST_AUTO_TEST_CASE(what_the_caller_must_know_is_not_tried_again) {
  Opened();
  for (const ErrorKind kind : {ErrorKind::kCancelled, ErrorKind::kBusy, ErrorKind::kInvalid}) {
    transport.cdbs.clear();
    transport.Add(Broken(kind));
    BOOST_TEST((Write(0, 1).error().error.kind == kind));
    BOOST_TEST(transport.cdbs.size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(a_busy_device_is_waited_for) {
  Opened();
  transport.Add(Only(Status::kBusy));
  transport.Add(Only(Status::kTaskSetFull));

  BOOST_TEST(Write(0, 1).has_value());

  BOOST_TEST((elapsed() == 60ms));
}

BOOST_AUTO_TEST_CASE(a_device_that_stays_busy_is_a_status_without_sense) {
  Opened();
  transport.Add(Only(Status::kBusy), 1000);

  const BlockResult written = Write(0, 1);

  BOOST_TEST((written.error().kind == BlockError::Kind::kStatus));
  BOOST_TEST((written.error().status == Status::kBusy));
}

BOOST_AUTO_TEST_CASE(a_failure_without_sense_is_a_status) {
  Opened();
  transport.Add(Only(Status::kCheckCondition), 3);

  BOOST_TEST((Write(0, 1).error().kind == BlockError::Kind::kStatus));
  BOOST_TEST(transport.cdbs.size() == 3u);
}

BOOST_AUTO_TEST_CASE(recovered_errors_are_success) {
  Opened();
  Answer recovered = Check(SenseKey::kRecoveredError, 0x18);
  recovered.data.assign(512, 0x11);
  transport.Add(recovered);

  BOOST_TEST(Read(0, 1).has_value());
  BOOST_TEST(transport.cdbs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_medium_that_may_have_been_changed_is_told) {
  Opened(kRemovableData);
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));

  const BlockResult written = Write(0, 1);

  BOOST_TEST(written.error().sense.asc == 0x28);
  BOOST_TEST(transport.cdbs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_fixed_disk_that_says_so_was_reset) {
  Opened();
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));

  BOOST_TEST(Write(0, 1).has_value());
}

BOOST_AUTO_TEST_CASE(a_command_that_was_not_even_sent_excuses_nothing) {
  Opened(kRemovableData);
  transport.Add(Broken(ErrorKind::kBusy));
  BOOST_TEST(!Write(0, 1).has_value());
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));
  BOOST_TEST(!Write(0, 1).has_value());
}

BOOST_AUTO_TEST_CASE(a_stick_may_say_so_after_a_command_that_broke) {
  Opened(kRemovableData);
  transport.Add(Broken(ErrorKind::kTimedOut), 2);
  BOOST_TEST(!Write(0, 1).has_value());

  transport.Add(Check(SenseKey::kUnitAttention, 0x28));
  BOOST_TEST(Write(0, 1).has_value());
  // From here on the medium is guarded again.
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));
  BOOST_TEST(!Write(0, 1).has_value());
}

// ---- Lengths ----

BOOST_AUTO_TEST_CASE(short_data_is_an_error_with_both_numbers) {
  Opened();
  Answer answer = Data(std::vector<uint8_t>(512));
  answer.result.residue = 512;
  transport.Add(answer, 3);

  const BlockResult read = Read(0, 2);

  BOOST_TEST(read.error().Describe() ==
             "READ(10) at LBA 0 of a command of 2 blocks, tried 3 times: protocol error in data-in "
             "after 512 bytes: short data: 512 of 1024 bytes moved");
}

BOOST_AUTO_TEST_CASE(short_data_once_is_read_again) {
  Opened();
  Answer answer = Data(std::vector<uint8_t>(512));
  answer.result.residue = 512;
  transport.Add(answer);

  BOOST_TEST(Read(0, 2).has_value());
  BOOST_TEST(transport.cdbs.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_residue_that_contradicts_the_wire_is_an_error_with_both_numbers) {
  Opened();
  Answer answer = Data(std::vector<uint8_t>(512));
  answer.result.residue = 16;
  transport.Add(answer, 3);

  const BlockResult read = Read(0, 1);

  BOOST_TEST(read.error().error.Describe() ==
             "protocol error in data-in after 512 bytes: 512 of 512 bytes moved, but the residue "
             "is 16");
}

BOOST_AUTO_TEST_CASE(short_data_with_a_residue_of_nothing_names_all_three_numbers) {
  Opened();
  transport.Add(Data(std::vector<uint8_t>(512)), 3);

  BOOST_TEST(Read(0, 2).error().error.Describe().find(
                 "short data: 512 of 1024 bytes moved, but the residue is 0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_write_that_was_not_taken_whole_is_an_error) {
  Opened();
  Answer answer;
  answer.length_actual = 512;
  answer.result.residue = 100;
  transport.Add(answer, 3);

  const BlockResult written = Write(0, 1);

  BOOST_TEST((written.error().error.phase == Phase::kDataOut));
  BOOST_TEST(written.error().error.values.at(2) == 100u);
}

BOOST_AUTO_TEST_CASE(a_residue_known_to_be_nonsense_is_ignored) {
  options.ignore_residue = true;
  Opened();
  Answer answer = Data(std::vector<uint8_t>(512));
  answer.result.residue = 0xdeadbeef;
  transport.Add(answer);

  BOOST_TEST(Read(0, 1).has_value());

  Answer short_answer = Data(std::vector<uint8_t>(511));
  transport.Add(short_answer, 3);
  BOOST_TEST(!Read(0, 1).has_value());
}

BOOST_AUTO_TEST_CASE(more_than_was_asked_for_is_an_error) {
  Opened();
  Answer answer;
  answer.length_actual = 513;
  transport.Add(answer, 3);

  BOOST_TEST((Read(0, 1).error().error.kind == ErrorKind::kProtocol));
}

BOOST_AUTO_TEST_SUITE_END()
