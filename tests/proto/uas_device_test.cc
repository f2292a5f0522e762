#include "proto/uas_device.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;       // NOLINT
using namespace usbtwin::uas;  // NOLINT
using wire::uas::ResponseCode;
using wire::uas::TaskFunction;

namespace {

constexpr auto kInquiry =
    "01 00 0003 00 00 00 00 0000000000000000"  // COMMAND IU, tag 3, simple, LUN 0
    "12000000240000000000000000000000"_hex;
constexpr uint8_t kSimple = 0, kHeadOfQueue = 1, kOrdered = 2;

std::vector<uint8_t> Command(uint16_t tag, uint8_t attribute = kSimple, uint64_t lun = 0) {
  std::vector<uint8_t> iu(kInquiry.begin(), kInquiry.end());
  iu[2] = static_cast<uint8_t>(tag >> 8);
  iu[3] = static_cast<uint8_t>(tag);
  iu[4] = attribute;
  iu[9] = static_cast<uint8_t>(lun);
  return iu;
}

std::vector<uint8_t> Function(uint16_t tag, TaskFunction function, uint16_t task = 0,
                              uint8_t lun = 0) {
  std::vector<uint8_t> iu(16, 0);
  iu[0] = 0x05;
  iu[2] = static_cast<uint8_t>(tag >> 8);
  iu[3] = static_cast<uint8_t>(tag);
  iu[4] = static_cast<uint8_t>(function);
  iu[6] = static_cast<uint8_t>(task >> 8);
  iu[7] = static_cast<uint8_t>(task);
  iu[9] = lun;
  return iu;
}

template <uint16_t kStreams>
struct Fixture {
  Fixture() {
    engine.HandleEnabled(kStreams);
    Expect(ReceiveIu{});
    ExpectNothing();
  }
  template <class Action>
  Action Next() {
    const std::optional<DeviceAction> action = engine.Poll();
    BOOST_REQUIRE(action.has_value());
    BOOST_REQUIRE_MESSAGE(std::holds_alternative<Action>(*action),
                          "got alternative " << action->index());
    return std::get<Action>(*action);
  }
  template <class Action>
  void Expect(const Action& expected) {
    BOOST_TEST((Next<Action>() == expected));
  }
  void ExpectNothing() { BOOST_TEST(!engine.Poll().has_value()); }
  // A command that goes to the unit at once.
  uint8_t Start(uint16_t tag, uint8_t attribute = kSimple, uint64_t lun = 0) {
    engine.HandleIu(Command(tag, attribute, lun));
    const uint8_t task = Next<Execute>().task;
    BOOST_TEST(engine.task(task).tag == tag);
    Expect(ReceiveIu{});
    ExpectNothing();
    return task;
  }
  // The answer to what was just received.
  void ExpectResponse(uint16_t tag, ResponseCode code) {
    const auto reply = Next<SendReply>();
    BOOST_TEST(reply.tag == tag);
    BOOST_TEST((reply.code == code));
    BOOST_TEST(!reply.task_set_full);
    engine.HandleReplySent(reply.reply);
  }
  void ExpectAnswered(uint16_t tag, ResponseCode code) {
    ExpectResponse(tag, code);
    Expect(ReceiveIu{});
    ExpectNothing();
  }
  void Pass(uint8_t task) {
    engine.HandleExecuted(task, 0);
    Expect(SendStatus{.task = task});
    ExpectNothing();
    engine.HandleStatusSent(task);
    ExpectNothing();
  }
  DeviceEngine engine{{.tasks_count = 4, .luns_count = 2}};
};
using Shared = Fixture<0>;
using Streams = Fixture<8>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(uas_device, Shared)

BOOST_AUTO_TEST_CASE(a_command_without_data_has_one_sense_iu) {
  engine.HandleIu(kInquiry);
  Expect(Execute{0});
  BOOST_TEST(engine.task(0).tag == 3);
  BOOST_TEST(engine.task(0).lun == 0u);
  BOOST_TEST(engine.task(0).command_length == 16);
  BOOST_TEST(Hex(Take(Bytes(engine.task(0).command_block), 6)) == "12 00 00 00 24 00");
  Expect(ReceiveIu{});
  Pass(0);
}

BOOST_AUTO_TEST_CASE(data_follows_its_ready_iu) {
  const uint8_t task = Start(3);
  engine.HandleExecuted(task, 36);
  Expect(SendReady{.task = task, .write = false});
  Expect(SendData{task});
  ExpectNothing();
  engine.HandleStatusSent(task);  // the ready IU
  ExpectNothing();
  engine.HandleDataMoved(task);
  Expect(SendStatus{.task = task});
  engine.HandleStatusSent(task);
  ExpectNothing();
}

BOOST_AUTO_TEST_CASE(data_from_the_host_follows_its_ready_iu) {
  const uint8_t task = Start(3);
  engine.HandleDataWanted(task, 512);
  Expect(SendReady{.task = task, .write = true});
  Expect(ReceiveData{.task = task, .length = 512});
  engine.HandleStatusSent(task);
  engine.HandleExecuted(task, 0);
  Expect(SendStatus{.task = task});
}

BOOST_AUTO_TEST_CASE(a_status_waits_for_the_ready_iu_before_it) {
  const uint8_t task = Start(3);
  engine.HandleExecuted(task, 36);
  Expect(SendReady{.task = task});
  Expect(SendData{task});
  engine.HandleDataMoved(task);  // the host takes the data first
  ExpectNothing();
  engine.HandleStatusSent(task);
  Expect(SendStatus{.task = task});
}

BOOST_AUTO_TEST_CASE(data_goes_in_the_order_of_the_ready_ius) {
  const uint8_t first = Start(1), second = Start(2), third = Start(3);
  engine.HandleExecuted(third, 36);
  Expect(SendReady{.task = third});
  Expect(SendData{third});
  engine.HandleExecuted(first, 36);
  Expect(SendReady{.task = first});  // ahead of its turn, so that the host asks in time
  ExpectNothing();
  engine.HandleDataWanted(second, 512);  // the other pipe is free
  Expect(SendReady{.task = second, .write = true});
  Expect(ReceiveData{.task = second, .length = 512});
  engine.HandleStatusSent(third);
  engine.HandleStatusSent(first);
  engine.HandleDataMoved(third);
  Expect(SendData{first});
  Expect(SendStatus{.task = third});
}

BOOST_AUTO_TEST_CASE(data_that_breaks_off_ends_before_its_status) {
  const uint8_t task = Start(3);
  engine.HandleExecuted(task, 2 << 20);
  Expect(SendReady{.task = task});
  Expect(SendData{task});
  engine.HandleStatusSent(task);
  engine.HandleDataFailed(task);
  Expect(EndData{task});
  ExpectNothing();
  engine.HandleDataMoved(task);
  Expect(SendStatus{.task = task});
}

BOOST_AUTO_TEST_CASE(a_host_that_breaks_off_its_data_is_told) {
  const uint8_t task = Start(3);
  engine.HandleDataWanted(task, 1024);
  Expect(SendReady{.task = task, .write = true});
  Expect(ReceiveData{.task = task, .length = 1024});
  engine.HandleStatusSent(task);
  engine.HandleDataBroken(task);
  Expect(AbortCommand{task});
  ExpectNothing();
  engine.HandleExecuted(task, 0);
  Expect(SendStatus{.task = task, .data_broken = true});
}

BOOST_AUTO_TEST_CASE(a_tag_may_be_used_again_once_its_status_is_on_its_way) {
  const uint8_t task = Start(3);
  engine.HandleExecuted(task, 0);
  Expect(SendStatus{.task = task});
  const uint8_t again = Start(3);  // the host was faster than our controller
  BOOST_TEST(again != task);
  engine.HandleStatusSent(task);
  Pass(again);
}

BOOST_AUTO_TEST_CASE(more_commands_than_places_are_told_that_the_task_set_is_full) {
  for (uint16_t tag = 1; tag <= 4; ++tag) Start(tag);
  engine.HandleIu(Command(5));
  const auto reply = Next<SendReply>();
  BOOST_TEST(reply.task_set_full);
  BOOST_TEST(reply.tag == 5);
}

BOOST_AUTO_TEST_CASE(answers_that_nobody_takes_stop_the_command_pipe) {
  for (uint8_t count = 0; count < DeviceEngine::kRepliesMax; ++count) {
    engine.HandleIu("02 00 0001"_hex);
    BOOST_TEST(Next<SendReply>().reply == count);
    if (count + 1 < DeviceEngine::kRepliesMax) Expect(ReceiveIu{});
  }
  ExpectNothing();
  engine.HandleReplySent(2);
  Expect(ReceiveIu{});
}

// ---- What is not an IU ------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(invalid_information_units_are_answered) {
  struct Case {
    const char* name;
    std::vector<uint8_t> iu;
  };
  std::vector<uint8_t> cut = Command(1), long_cdb = Command(1), reserved = Command(1, 3),
                       aca = Command(1, 4), padded = Command(1),
                       cut_function = Function(1, TaskFunction::kQueryTask);
  cut.pop_back();
  long_cdb[6] = 0x04;  // four bytes of CDB more than came
  padded.push_back(0);
  cut_function.pop_back();
  const Case cases[] = {{"header only", {1, 0, 0, 1}},
                        {"unknown kind", {2, 0, 0, 1}},
                        {"a kind that devices send", {3, 0, 0, 1}},
                        {"cut", cut},
                        {"CDB cut", long_cdb},
                        {"too long", padded},
                        {"reserved attribute", reserved},
                        {"attribute without a condition", aca},
                        {"function cut", cut_function}};
  for (const Case& one : cases) {
    BOOST_TEST_CONTEXT(one.name) {
      engine.HandleIu(one.iu);
      ExpectAnswered(1, ResponseCode::kInvalidInformationUnit);
    }
  }
}

BOOST_AUTO_TEST_CASE(reserved_tags_are_answered_where_there_is_a_way) {
  for (const uint16_t tag : std::initializer_list<uint16_t>{0x0000, 0xfffe, 0xffff}) {
    engine.HandleIu(Command(tag));
    ExpectAnswered(tag, ResponseCode::kInvalidInformationUnit);
  }
}

BOOST_AUTO_TEST_CASE(what_has_no_tag_halts_the_command_pipe) {
  for (const size_t length : {size_t{0}, size_t{3}}) {
    engine.HandleIu(Take(Bytes(kInquiry), length));
    Expect(HaltCommandPipe{});
    Expect(ReceiveIu{});
    ExpectNothing();
  }
}

BOOST_AUTO_TEST_CASE(a_longer_cdb_is_handed_on) {
  std::vector<uint8_t> iu = Command(1);
  iu[6] = 0x10;
  for (uint8_t byte = 0; byte < 16; ++byte) iu.push_back(byte);
  engine.HandleIu(iu);
  Expect(Execute{0});
  BOOST_TEST(engine.task(0).command_length == 32);
  BOOST_TEST(engine.task(0).command_block[31] == 15);
}

BOOST_AUTO_TEST_CASE(a_lun_of_another_form_is_incorrect) {
  std::vector<uint8_t> iu = Command(1);
  iu[8] = 0x80;
  engine.HandleIu(iu);
  ExpectAnswered(1, ResponseCode::kIncorrectLun);
  Start(1, kSimple, 9);  // absent, but the unit may be asked: it has sense to tell
}

BOOST_AUTO_TEST_CASE(an_overlapped_tag_aborts_everything) {
  const uint8_t first = Start(1), second = Start(2);
  engine.HandleIu(Command(1));
  Expect(AbortTask{first});
  Expect(AbortTask{second});
  Expect(ReceiveIu{});
  ExpectNothing();
  engine.HandleAborted(second);
  ExpectNothing();
  engine.HandleAborted(first);
  ExpectResponse(1, ResponseCode::kOverlappedTag);
  ExpectNothing();
  Start(1);
}

// ---- Task management --------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(abort_task_answers_when_the_task_is_gone) {
  const uint8_t task = Start(1);
  const uint8_t other = Start(2);
  engine.HandleIu(Function(9, TaskFunction::kAbortTask, 1));
  Expect(AbortTask{task});
  Expect(ReceiveIu{});
  ExpectNothing();
  engine.HandleAborted(task);
  ExpectResponse(9, ResponseCode::kComplete);
  ExpectNothing();
  Pass(other);
}

BOOST_AUTO_TEST_CASE(two_functions_may_wait_for_one_task) {
  const uint8_t task = Start(1);
  engine.HandleIu(Function(8, TaskFunction::kAbortTask, 1));
  Expect(AbortTask{task});
  Expect(ReceiveIu{});
  engine.HandleIu(Function(9, TaskFunction::kAbortTaskSet));
  Expect(ReceiveIu{});
  ExpectNothing();
  engine.HandleAborted(task);
  ExpectResponse(8, ResponseCode::kComplete);
  ExpectResponse(9, ResponseCode::kComplete);
}

BOOST_AUTO_TEST_CASE(a_task_that_is_not_there_is_aborted_already) {
  Start(1, kSimple, 1);
  engine.HandleIu(Function(9, TaskFunction::kAbortTask, 1));  // of LUN 0
  ExpectAnswered(9, ResponseCode::kComplete);
  engine.HandleIu(Function(9, TaskFunction::kAbortTask, 0xffff));
  ExpectAnswered(9, ResponseCode::kComplete);
}

BOOST_AUTO_TEST_CASE(a_set_is_that_of_its_unit) {
  for (const TaskFunction function : {TaskFunction::kAbortTaskSet, TaskFunction::kClearTaskSet}) {
    const uint8_t first = Start(1), second = Start(2), elsewhere = Start(3, kSimple, 1);
    engine.HandleIu(Function(9, function));
    Expect(AbortTask{first});
    Expect(AbortTask{second});
    Expect(ReceiveIu{});
    engine.HandleAborted(first);
    engine.HandleAborted(second);
    ExpectResponse(9, ResponseCode::kComplete);
    ExpectNothing();
    Pass(elsewhere);
  }
}

BOOST_AUTO_TEST_CASE(a_unit_is_reset_when_its_tasks_are_gone) {
  const uint8_t task = Start(1, kSimple, 1);
  engine.HandleIu(Function(9, TaskFunction::kLogicalUnitReset, 0, 1));
  Expect(AbortTask{task});
  Expect(ReceiveIu{});
  ExpectNothing();
  engine.HandleAborted(task);
  Expect(ResetUnit{1});
  ExpectResponse(9, ResponseCode::kComplete);
}

BOOST_AUTO_TEST_CASE(queries_tell_what_is_there) {
  Start(1);
  engine.HandleIu(Function(9, TaskFunction::kQueryTask, 1));
  ExpectAnswered(9, ResponseCode::kSucceeded);
  engine.HandleIu(Function(9, TaskFunction::kQueryTask, 2));
  ExpectAnswered(9, ResponseCode::kComplete);
  engine.HandleIu(Function(9, TaskFunction::kQueryTaskSet));
  ExpectAnswered(9, ResponseCode::kSucceeded);
  engine.HandleIu(Function(9, TaskFunction::kQueryTaskSet, 0, 1));
  ExpectAnswered(9, ResponseCode::kComplete);
}

BOOST_AUTO_TEST_CASE(what_is_not_supported_is_said) {
  for (const int function : {0x00, 0x03, 0x10, 0x40, 0x82, 0xff}) {
    engine.HandleIu(Function(9, static_cast<TaskFunction>(function)));
    ExpectAnswered(9, ResponseCode::kNotSupported);
  }
}

BOOST_AUTO_TEST_CASE(functions_for_absent_units_are_refused) {
  for (const int function : {0x01, 0x02, 0x04, 0x08, 0x80, 0x81}) {
    engine.HandleIu(Function(9, static_cast<TaskFunction>(function), 1, 2));
    ExpectAnswered(9, ResponseCode::kIncorrectLun);
  }
}

BOOST_AUTO_TEST_CASE(a_status_on_the_shared_pipe_stands) {
  const uint8_t task = Start(1);
  engine.HandleExecuted(task, 0);
  Expect(SendStatus{.task = task});
  engine.HandleIu(Function(9, TaskFunction::kAbortTask, 1));
  ExpectAnswered(9, ResponseCode::kComplete);
  engine.HandleStatusSent(task);
  ExpectNothing();
}

BOOST_AUTO_TEST_CASE(an_aborted_task_gives_up_its_turn) {
  const uint8_t first = Start(1), second = Start(2), third = Start(3);
  for (const uint8_t task : {first, second, third}) engine.HandleExecuted(task, 36);
  Expect(SendReady{.task = first});
  Expect(SendReady{.task = second});
  Expect(SendReady{.task = third});
  Expect(SendData{first});
  for (const uint8_t task : {first, second, third}) engine.HandleStatusSent(task);
  engine.HandleIu(Function(9, TaskFunction::kAbortTask, 2));  // it waits for its turn
  Expect(AbortTask{second});
  engine.HandleAborted(second);
  ExpectAnswered(9, ResponseCode::kComplete);
  engine.HandleIu(Function(9, TaskFunction::kAbortTask, 1));  // it is its turn
  Expect(AbortTask{first});
  Expect(ReceiveIu{});
  ExpectNothing();  // its data may still be on the pipe
  engine.HandleAborted(first);
  Expect(SendData{third});
  ExpectResponse(9, ResponseCode::kComplete);
}

// ---- Task attributes --------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_ordered_task_waits_and_is_waited_for) {
  const uint8_t before = Start(1);
  engine.HandleIu(Command(2, kOrdered));
  Expect(ReceiveIu{});
  engine.HandleIu(Command(3));
  Expect(ReceiveIu{});
  ExpectNothing();
  Start(4, kSimple, 1);  // another unit
  engine.HandleExecuted(before, 0);
  Expect(SendStatus{.task = before});
  const uint8_t ordered = Next<Execute>().task;
  BOOST_TEST(engine.task(ordered).tag == 2);
  ExpectNothing();
  engine.HandleExecuted(ordered, 0);
  Expect(SendStatus{.task = ordered});
  BOOST_TEST(engine.task(Next<Execute>().task).tag == 3);
}

BOOST_AUTO_TEST_CASE(the_head_of_the_queue_waits_for_nobody) {
  Start(1);
  engine.HandleIu(Command(2, kOrdered));
  Expect(ReceiveIu{});
  Start(3, kHeadOfQueue);
}

BOOST_AUTO_TEST_CASE(aborting_all_starts_none_of_them) {
  const uint8_t before = Start(1);
  engine.HandleIu(Command(2, kOrdered));
  Expect(ReceiveIu{});
  engine.HandleIu(Command(3));
  Expect(ReceiveIu{});
  engine.HandleIu(Function(9, TaskFunction::kAbortTaskSet));
  Expect(AbortTask{before});
  Expect(ReceiveIu{});
  ExpectNothing();
  engine.HandleAborted(before);
  ExpectResponse(9, ResponseCode::kComplete);
  ExpectNothing();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(uas_device_streams, Streams)

// Its next user would take it for its own.
BOOST_AUTO_TEST_CASE(an_answer_that_nobody_takes_goes_with_the_tag_that_is_aborted) {
  engine.HandleIu("02 00 0007"_hex);
  const auto reply = Next<SendReply>();
  Expect(ReceiveIu{});
  engine.HandleIu(Function(8, TaskFunction::kAbortTask, 7));
  Expect(TakeBackReply{7});
  const auto answer = Next<SendReply>();
  BOOST_TEST(answer.tag == 8);
  Expect(ReceiveIu{});
  engine.HandleReplySent(reply.reply);
  engine.HandleReplySent(answer.reply);
  ExpectNothing();
}

BOOST_AUTO_TEST_CASE(data_needs_no_ready_iu_and_no_turn) {
  const uint8_t first = Start(1), second = Start(2);
  engine.HandleExecuted(first, 36);
  Expect(SendData{first});
  engine.HandleExecuted(second, 36);
  Expect(SendData{second});
  engine.HandleDataMoved(second);
  Expect(SendStatus{.task = second});
  engine.HandleDataMoved(first);
  Expect(SendStatus{.task = first});
}

BOOST_AUTO_TEST_CASE(tags_that_name_no_stream_halt_the_command_pipe) {
  for (const uint16_t tag : std::initializer_list<uint16_t>{0x0000, 0x0009, 0xfffe, 0xffff}) {
    engine.HandleIu(Command(tag));
    Expect(HaltCommandPipe{});
    Expect(ReceiveIu{});
    ExpectNothing();
    engine.HandleIu(Function(tag, TaskFunction::kQueryTask));
    Expect(HaltCommandPipe{});
    Expect(ReceiveIu{});
  }
  Start(8);
}

BOOST_AUTO_TEST_CASE(a_status_nobody_takes_is_taken_back) {
  const uint8_t task = Start(1);
  engine.HandleExecuted(task, 0);
  Expect(SendStatus{.task = task});
  engine.HandleIu(Function(8, TaskFunction::kAbortTask, 1));
  Expect(AbortTask{task});
  engine.HandleAborted(task);
  ExpectAnswered(8, ResponseCode::kComplete);
}

BOOST_AUTO_TEST_CASE(a_new_setting_forgets_everything) {
  for (uint16_t tag = 1; tag <= 4; ++tag) Start(tag);
  engine.HandleDisabled();
  ExpectNothing();
  engine.HandleEnabled(0);
  Expect(ReceiveIu{});
  for (uint16_t tag = 1; tag <= 4; ++tag) Start(tag);
}

BOOST_AUTO_TEST_SUITE_END()
