// The device's engine of USB Attached SCSI driven by operations: the input decides what the host
// sends, what the unit answers, and in which order all that is under way ends. The rules of the
// shell are kept, so what the engine then asks for must make sense: no slot is used for two things,
// a shared pipe has one user and ready IUs its order, each command has one status or is aborted,
// and whatever happened, in the end every place is free again.
#include "proto/uas_device.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "input.h"

namespace {

using namespace usbtwin;       // NOLINT
using namespace usbtwin::uas;  // NOLINT

constexpr uint8_t kTasksCount = 6;
constexpr uint16_t kStreamsCount = 12;

struct Shell {
  explicit Shell(Bytes bytes) : input(bytes) { Enable(); }

  enum class At : uint8_t {
    kFree,
    kExecuting,
    kUnit,
    kSending,
    kReceiving,
    kBreaking,
    kStatus,
    kAborting
  };
  struct Task {
    At at = At::kFree;
    bool ready_out = false;
    bool ending = false;
  };

  void Enable() {
    streams = input.Byte() % 2 == 0;
    tasks = {};
    replies = {};
    turns[0].clear();
    turns[1].clear();
    receiving = false;
    engine.HandleEnabled(streams ? kStreamsCount : 0);
    Drain();
  }

  void Drain() {
    for (int actions = 0; const auto action = engine.Poll(); ++actions) {
      CHECK_LT(actions, 100);
      std::visit([this](const auto& what) { Do(what); }, *action);
    }
  }

  // ---- What the engine asks for ----

  void Do(const ReceiveIu&) {
    CHECK(!receiving);
    receiving = true;
  }
  void Do(const HaltCommandPipe&) { CHECK(!receiving); }
  void Do(const Execute& action) {
    CHECK(tasks[action.task].at == At::kFree);
    CHECK(wire::uas::IsTag(engine.task(action.task).tag));
    CHECK(!streams || engine.task(action.task).tag <= kStreamsCount);
    CHECK_LE(16, engine.task(action.task).command_length);
    tasks[action.task] = Task{.at = At::kExecuting};
  }
  void Do(const SendReady& action) {
    CHECK(!streams);
    Task& task = tasks[action.task];
    CHECK(task.at == At::kUnit);
    CHECK(!task.ready_out);
    task.ready_out = true;
    turns[action.write ? 1 : 0].push_back(action.task);
  }
  void Move(uint8_t index, int out, At at) {
    Task& task = tasks[index];
    CHECK(task.at == At::kUnit);
    task.at = at;
    if (streams) return;
    // The order of the ready IUs, one at a time.
    auto& turn = turns[out];
    CHECK(!turn.empty());
    CHECK_EQ(turn.front(), index);
    for (const Task& other : tasks) CHECK(&other == &task || other.at != at);
  }
  void Do(const SendData& action) { Move(action.task, 0, At::kSending); }
  void Do(const ReceiveData& action) {
    CHECK_NE(action.length, 0u);
    Move(action.task, 1, At::kReceiving);
  }
  void Do(const EndData& action) {
    Task& task = tasks[action.task];
    CHECK(task.at == At::kSending);
    CHECK(!task.ending);
    task.ending = true;
  }
  void Do(const AbortCommand& action) {
    const At at = tasks[action.task].at;
    CHECK(at == At::kSending || at == At::kReceiving);
    tasks[action.task].at = At::kBreaking;
  }
  void Do(const AbortTask& action) {
    Task& task = tasks[action.task];
    CHECK(task.at != At::kAborting);
    CHECK(streams || task.at != At::kStatus);
    task.at = At::kAborting;
    // Whose turn it is not gives it up at once.
    for (auto& turn : turns) {
      if (!turn.empty() && turn.front() == action.task) continue;
      std::erase(turn, action.task);
    }
  }
  void Do(const SendStatus& action) {
    Task& task = tasks[action.task];
    CHECK(task.at == At::kUnit);
    CHECK(!task.ready_out);
    task.at = At::kStatus;
  }
  void Do(const ResetUnit& action) { CHECK_LT(action.lun, 2u); }
  void Do(const SendReply& action) {
    CHECK_LT(action.reply, DeviceEngine::kRepliesMax);
    CHECK(!replies[action.reply]);
    CHECK(!streams || (action.tag != 0 && action.tag <= kStreamsCount));
    replies[action.reply] = true;
    reply_tags[action.reply] = action.tag;
  }
  void Do(const TakeBackReply& action) {
    CHECK(streams);
    bool found = false;
    for (size_t reply = 0; reply < replies.size(); ++reply) {
      found = found || (replies[reply] && reply_tags[reply] == action.tag);
    }
    CHECK(found);
  }

  // ---- What happens ----

  void Say(uint8_t choice) {
    if (!receiving) return;
    receiving = false;
    if (choice % 16 == 0) return engine.HandleIu(input.Piece(input.Byte() % 64));
    const auto tag = static_cast<uint16_t>(choice % 16 == 1 ? input.Word() : 1 + input.Byte() % 14);
    const auto lun = wire::uas::EncodeLun(input.Byte() % 3);
    if (choice % 3 == 0) {
      constexpr std::array<uint8_t, 11> kFunctions{1, 2, 4, 8, 0x10, 0x40, 0x80, 0x81, 0x82, 1, 3};
      const wire::uas::TaskManagementIu iu{.header = {.id = 5, .reserved1 = 0, .tag = tag},
                                           .function = kFunctions[input.Byte() % kFunctions.size()],
                                           .reserved5 = 0,
                                           .task_tag = static_cast<uint16_t>(1 + input.Byte() % 14),
                                           .lun = lun};
      return engine.HandleIu(wire::AsBytes(iu));
    }
    constexpr std::array<uint8_t, 8> kAttributes{0, 0, 0, 0, 1, 2, 2, 4};
    const wire::uas::CommandIu iu{.header = {.id = 1, .reserved1 = 0, .tag = tag},
                                  .attribute = kAttributes[input.Byte() % kAttributes.size()],
                                  .reserved5 = 0,
                                  .additional_length = 0,
                                  .reserved7 = 0,
                                  .lun = lun,
                                  .command_block = {0x28}};
    engine.HandleIu(wire::AsBytes(iu));
  }

  // Something that is under way for this task ends.
  void Go(uint8_t index, uint8_t choice) {
    Task& task = tasks[index];
    if (task.ready_out && choice % 2 == 0) {
      task.ready_out = false;
      if (task.at != At::kAborting) engine.HandleStatusSent(index);
      return;
    }
    switch (task.at) {
      case At::kFree:
      case At::kUnit: return;
      case At::kExecuting:
        task.at = At::kUnit;
        if (choice % 3 == 0) return engine.HandleDataWanted(index, 1u + choice);
        return engine.HandleExecuted(index, choice % 3 == 1 ? 1u + choice : 0);
      case At::kSending:
        if (!task.ending && choice % 8 == 1) return engine.HandleDataFailed(index);
        if (!task.ending && choice % 8 == 3) return engine.HandleDataBroken(index);
        LeaveTurn(index);
        task.at = At::kUnit;
        return engine.HandleDataMoved(index);
      case At::kReceiving:
        if (choice % 4 == 1) return engine.HandleDataBroken(index);
        LeaveTurn(index);
        task.at = At::kUnit;
        return engine.HandleExecuted(index, 0);
      case At::kBreaking:
        LeaveTurn(index);
        task.at = At::kUnit;
        return engine.HandleExecuted(index, 0);
      case At::kStatus: task.at = At::kFree; return engine.HandleStatusSent(index);
      case At::kAborting:
        // On a shared pipe a ready IU that is out is not taken back.
        if (task.ready_out && !streams) return;
        LeaveTurn(index);
        task = Task{};
        return engine.HandleAborted(index);
    }
  }
  void LeaveTurn(uint8_t index) {
    for (auto& turn : turns) std::erase(turn, index);
  }

  void EndReply(uint8_t index) {
    if (!std::exchange(replies[index], false)) return;
    engine.HandleReplySent(index);
  }

  void Step() {
    const uint8_t choice = input.Byte();
    if (choice == 0xff) return Enable();
    if (choice % 4 == 0) {
      Say(input.Byte());
    } else if (choice % 4 == 1) {
      EndReply(input.Byte() % DeviceEngine::kRepliesMax);
    } else {
      Go(input.Byte() % kTasksCount, choice >> 2);
    }
    Drain();
  }

  void End() {
    for (int round = 0; round < 200; ++round) {
      for (uint8_t index = 0; index < kTasksCount; ++index) {
        Go(index, 0);
        Drain();
      }
      for (uint8_t index = 0; index < replies.size(); ++index) {
        EndReply(index);
        Drain();
      }
    }
    for (const Task& task : tasks) CHECK(task.at == At::kFree);
    CHECK(receiving);
    // As many commands as ever find their places.
    for (uint16_t tag = 1; tag <= kTasksCount; ++tag) {
      receiving = false;
      const wire::uas::CommandIu iu{.header = {.id = 1, .reserved1 = 0, .tag = tag}};
      engine.HandleIu(wire::AsBytes(iu));
      Drain();
    }
    for (const Task& task : tasks) CHECK(task.at == At::kExecuting);
  }

  void Run() {
    for (int steps = 0; steps < 2000 && !input.empty(); ++steps) Step();
    End();
  }

  fuzz::Input input;
  DeviceEngine engine{{.tasks_count = kTasksCount, .luns_count = 2}};
  bool streams = false;
  bool receiving = false;
  std::array<Task, kTasksCount> tasks;
  std::array<bool, DeviceEngine::kRepliesMax> replies{};
  std::array<uint16_t, DeviceEngine::kRepliesMax> reply_tags{};
  std::array<std::vector<uint8_t>, 2> turns;  // tasks whose ready IU was sent, in that order
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Shell(Bytes(data, size)).Run();
  return 0;
}
