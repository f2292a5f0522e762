// Several commands at once: task attributes and the bound of the task set. SAM-5, 8.
#include <boost/test/unit_test.hpp>

#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::TaskSet;
using scsi::Status;
using scsi::TaskAttribute;

namespace {

// Commands of one initiator, each a READ of one block that the store holds.
struct Queue {
  explicit Queue(size_t count) {
    rig.store.later = true;
    for (size_t index = 0; index < count; ++index) {
      hosts.push_back(std::make_unique<Initiator>(rig.clock, rig.disk));
    }
  }
  void Start(size_t index, TaskAttribute attribute) {
    hosts[index]->command.attribute = attribute;
    hosts[index]->Start(scsi::Read10(index % 128, 1).view());
    rig.clock.RunPosted();
  }
  // "010": who has ended.
  std::string ended() const {
    std::string text;
    for (const auto& host : hosts) text += host->calls == "E" ? '1' : '0';
    return text;
  }
  void Release() {
    rig.store.Release();
    rig.clock.RunPosted();
  }
  DiskRig rig;
  std::vector<std::unique_ptr<Initiator>> hosts;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_task)

BOOST_AUTO_TEST_CASE(simple_commands_do_not_wait_for_each_other) {
  Queue queue(3);
  for (size_t index = 0; index < 3; ++index) queue.Start(index, TaskAttribute::kSimple);
  BOOST_TEST(queue.rig.store.held.size() == 3u);
}

BOOST_AUTO_TEST_CASE(an_ordered_command_waits_and_is_waited_for) {
  Queue queue(4);
  queue.Start(0, TaskAttribute::kSimple);
  queue.Start(1, TaskAttribute::kOrdered);
  queue.Start(2, TaskAttribute::kSimple);
  queue.Start(3, TaskAttribute::kOrdered);
  for (const char* ended : {"0000", "1000", "1100", "1110", "1111"}) {
    BOOST_TEST(queue.ended() == ended);
    BOOST_TEST(queue.rig.store.held.size() == (queue.ended() == "1111" ? 0u : 1u));
    if (!queue.rig.store.held.empty()) queue.Release();
  }
}

BOOST_AUTO_TEST_CASE(the_head_of_the_queue_waits_for_nobody) {
  Queue queue(5);
  queue.Start(0, TaskAttribute::kSimple);
  queue.Start(1, TaskAttribute::kOrdered);
  queue.Start(2, TaskAttribute::kHeadOfQueue);
  queue.Start(3, TaskAttribute::kHeadOfQueue);
  BOOST_TEST(queue.rig.store.held.size() == 3u);
  queue.Release();  // the first; but the ordered one waits for the heads
  BOOST_TEST(queue.rig.store.held.size() == 2u);
  queue.Start(4, TaskAttribute::kSimple);
  BOOST_TEST(queue.rig.store.held.size() == 2u);
  queue.Release();
  queue.Release();
  BOOST_TEST(queue.ended() == "10110");
  queue.Release();
  queue.Release();
  BOOST_TEST(queue.ended() == "11111");
}

BOOST_AUTO_TEST_CASE(a_command_that_waits_its_turn_can_be_aborted) {
  Queue queue(3);
  queue.Start(0, TaskAttribute::kSimple);
  queue.Start(1, TaskAttribute::kOrdered);
  queue.Start(2, TaskAttribute::kSimple);
  queue.rig.disk.Abort(queue.hosts[1]->command);
  queue.rig.clock.RunPosted();
  BOOST_TEST(queue.ended() == "010");
  BOOST_TEST((queue.hosts[1]->command.status == Status::kTaskAborted));
  BOOST_TEST(queue.rig.store.held.size() == 2u);  // nothing is in the last one's way any more
  queue.Release();
  queue.Release();
  BOOST_TEST(queue.ended() == "111");
}

BOOST_AUTO_TEST_CASE(a_command_that_waits_for_data_holds_up_the_ordered) {
  Queue queue(2);
  queue.rig.store.later = false;
  queue.hosts[0]->feed_data = false;
  queue.hosts[0]->Start(scsi::Write10(0, 1).view());
  queue.rig.clock.RunPosted();
  queue.Start(1, TaskAttribute::kOrdered);
  BOOST_TEST(queue.ended() == "00");
  queue.rig.disk.Abort(queue.hosts[0]->command);
  queue.rig.clock.RunPosted();
  BOOST_TEST(queue.ended() == "01");
}

BOOST_AUTO_TEST_CASE(many_that_wait_start_without_recursion) {
  Queue queue(TaskSet::kCommandsMax);
  for (size_t index = 0; index < TaskSet::kCommandsMax; ++index) {
    queue.Start(index, index == 0 ? TaskAttribute::kSimple : TaskAttribute::kOrdered);
  }
  queue.rig.store.later = false;
  queue.Release();
  BOOST_TEST(queue.ended() == std::string(TaskSet::kCommandsMax, '1'));
}

BOOST_AUTO_TEST_CASE(one_command_too_many_finds_the_task_set_full) {
  Queue queue(TaskSet::kCommandsMax + 1);
  for (size_t index = 0; index < TaskSet::kCommandsMax; ++index) {
    queue.Start(index, TaskAttribute::kSimple);
  }
  queue.Start(TaskSet::kCommandsMax, TaskAttribute::kHeadOfQueue);
  BOOST_TEST((queue.hosts.back()->command.status == Status::kTaskSetFull));
  BOOST_TEST(queue.hosts.back()->entered == "");
  queue.Release();
  queue.hosts.back()->Start(scsi::Read10(0, 1).view());
  while (!queue.rig.store.held.empty()) queue.Release();
  BOOST_TEST((queue.hosts.back()->command.status == Status::kGood));
}

BOOST_AUTO_TEST_SUITE_END()
