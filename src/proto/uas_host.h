// HostEngine: the host's half of USB Attached SCSI as a pure state machine, for many commands at
// once. A command has three legs: its IU, its data and its status. They end in any order, and the
// command is done only when all of them have closed.
//
// With streams (SuperSpeed) the tag of a command is the stream of its status and data, all of which
// are asked for before the command goes out. Without (high speed) commands share the pipes: data is
// asked for when a ready IU says so, in the order in which ready IUs came. UAS, 6.3.
//
// A command that times out or is cancelled must not be left to the device. The ladder:
//
//   ABORT TASK             the command
//   LOGICAL UNIT RESET     every command of its unit
//   reset the port         every command there is
//   open the device anew
//
// A command that was sent after another had been late, and is late in the same phase with none done
// since that had one, needs more than to be taken back: the port reset comes next.
//
// A device that breaks the protocol (an IU that is malformed or belongs to nobody, a stall) goes to
// the port reset at once, and so does a data leg that must be cancelled on a shared pipe while
// others are open there: nothing says whose the next bytes would be. Each tag a device sends is
// held against the table before it is used. The shell calls Handle...() for what happened, then
// Poll() until it says kNone; it keeps time and says HandleTimeout or HandleCancel.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "proto/task_attribute.h"
#include "usb/types.h"
#include "wire/uas.h"

namespace usbtwin::uas {

struct HostOptions {
  uint16_t depth = 1;                      // commands at once, at most HostEngine::DepthOf()
  uint16_t streams_count = 0;              // of each pipe but the command pipe; 0 for none
  uint32_t transfer_length_max = 1 << 20;  // bytes in one transfer of data; whole packets
};

// What is asked; the bytes of data stay with the shell.
struct HostCommand {
  uint64_t lun = 0;     // at most wire::uas::kLunMax
  Bytes command_block;  // 1 to 32 bytes, read at once
  bool in = false;      // direction of the data, where there is any
  uint32_t length = 0;  // bytes of data
  scsi::TaskAttribute attribute = scsi::TaskAttribute::kSimple;
};

// Rungs of the ladder, lowest first.
enum class Rung : uint8_t { kNone, kAbortTask, kUnitReset, kResetPort, kReopen };
const char* Name(Rung rung);  // "abort task"

struct HostResult {
  std::optional<Error> error;  // the conversation broke
  uint8_t status = 0;          // SCSI status
  uint32_t length_actual = 0;  // bytes that moved in the data phase
  uint8_t sense_length = 0;    // bytes of `sense`
  std::array<uint8_t, 32> sense{};
  Rung rung = Rung::kNone;  // the highest rung that was needed
  uint8_t recoveries = 0;   // how many rungs
  bool broken = false;      // not even the last rung helped
};

// What the shell must do with the legs of one tag, or with the port.
struct HostAction {
  enum class Kind : uint8_t {
    kNone,
    kReadStatus,  // room for one IU, then HandleStatus; on the tag's stream, or for tag 0
    kMoveData,    // then HandleData
    kSendIu,      // iu(tag) to the command pipe, then HandleIuSent
    kCancelIu,    // ask what is under way to end; its Handle...() still comes
    kCancelData,
    kCancelStatus,  // for tag 0: every one that is out
    kResetPort,     // nothing is under way; then HandleRecovered
    kReopen,        // likewise
    kFinished,      // result(tag) is there; then Release
  };
  Kind kind = Kind::kNone;
  uint16_t tag = 0;
  bool in = false;      // kMoveData
  uint32_t offset = 0;  // kMoveData: bytes from the start of the buffer
  uint32_t length = 0;  // kMoveData: bytes
  bool operator==(const HostAction&) const = default;
};

class HostEngine {
 public:
  static constexpr uint16_t kDepthMax = 62;
  static constexpr size_t kCommandBlockLengthMax = 32;
  static constexpr size_t kIuLengthMax = sizeof(wire::uas::SenseIu) + wire::uas::kSenseLengthMax;
  static constexpr uint16_t kManagementTags = 2;  // those after the commands' tags

  // Commands at once that so many streams allow, kDepthMax without. So few that none is left for
  // task management leave the port reset alone.
  static constexpr uint16_t DepthOf(uint16_t streams_count) {
    if (streams_count == 0) return kDepthMax;
    if (streams_count <= kManagementTags) return streams_count;
    return std::min<uint16_t>(streams_count - kManagementTags, kDepthMax);
  }

  explicit HostEngine(const HostOptions& options);

  bool may_start() const { return tasks_count_ < options_.depth; }
  // The command's tag.
  uint16_t Start(const HostCommand& command);

  void HandleIuSent(uint16_t tag, usb::Outcome outcome, uint32_t length);
  // `tag`: the stream the IU came on, 0 without streams.
  void HandleStatus(uint16_t tag, usb::Outcome outcome, Bytes iu);
  void HandleData(uint16_t tag, usb::Outcome outcome, uint32_t length);
  // The command's time is over. While draining(), only that of what should have ended by now.
  void HandleTimeout(uint16_t tag);
  void HandleCancel(uint16_t tag);
  // A step of recovery, an answer to task management, does not come.
  void HandleRecoveryTimeout();
  void HandleRecovered(usb::Outcome outcome);

  HostAction Poll();

  Bytes iu(uint16_t tag) const;
  bool IsCommandTag(uint16_t tag) const { return tag != 0 && tag <= tags_count_; }
  bool IsManagementTag(uint16_t tag) const { return manages_ && tag > tags_count_; }
  uint16_t FirstManagementTag() const { return abort_tag(); }
  uint32_t length(uint16_t tag) const { return At(tag).length; }  // bytes of data asked for
  const HostResult& result(uint16_t tag) const { return At(tag).result; }
  // After kFinished: the tag may be used again.
  void Release(uint16_t tag);
  // The command has its status, and its data was not all moved, or its IU is said to be still on
  // its way: where the device is done with it, nothing more will come.
  bool draining(uint16_t tag) const;
  // The answer to a task management function is waited for.
  bool managing() const { return management_.function.has_value(); }
  // No status is being waited for: after the last command's end nothing is under way.
  bool idle() const { return tasks_count_ == 0 && reads_out_ == 0 && recovery_ == Recovery::kNone; }
  uint16_t tasks_count() const { return tasks_count_; }
  const HostOptions& options() const { return options_; }
  // Ready IUs, or responses to functions given up, that came too late to matter.
  uint64_t late_count() const { return late_count_; }

 private:
  enum class State : uint8_t { kFree, kRunning, kEnding, kFinished };
  enum class Leg : uint8_t {
    kNone,  // there is none, or the device has not asked for it
    kDue,
    kOpen,
    kClosed,
  };
  struct Task {
    State state = State::kFree;
    Leg iu_leg = Leg::kNone;
    Leg data_leg = Leg::kNone;
    Leg status_leg = Leg::kNone;  // with streams: the transfer; without: kOpen until the SENSE IU
    bool in = false;
    bool granted = false;      // without streams: its ready IU has come
    bool has_status = false;   // a SENSE IU
    bool device_done = false;  // it has left the device's task set, or never got there
    uint8_t doubtful = 0;      // unproven_ when it began
    uint8_t expected = 0;      // IUs that are still to come, without streams
    uint32_t length = 0;
    uint32_t moved = 0;
    uint64_t lun = 0;
    uint8_t iu_length = 0;
    std::array<uint8_t, sizeof(wire::uas::CommandIu) + 16> iu{};
    HostResult result;
  };
  // The one task management function that runs.
  struct Management {
    std::optional<wire::uas::TaskFunction> function;
    uint16_t tag = 0;
    uint16_t task = 0;  // the tag for whose sake
    Leg iu_leg = Leg::kNone;
    Leg status_leg = Leg::kNone;
    bool answered = false;
    bool worked = false;
    bool given_up = false;
    bool unseen = false;  // the device never got it
    wire::uas::TaskManagementIu iu{};
  };
  // Whose data is asked for next on one shared pipe.
  struct Grants {
    std::array<uint16_t, kDepthMax> tags{};
    uint8_t count = 0;
  };
  enum class Recovery : uint8_t { kNone, kDrain, kResetPort, kReopen };
  struct Problem {
    ErrorKind kind = ErrorKind::kProtocol;
    Phase phase = Phase::kStatus;
    const char* text = "";
    std::array<uint64_t, 3> values{};
  };

  static constexpr uint64_t Bit(uint16_t tag) { return uint64_t{1} << (tag - 1); }
  static constexpr uint8_t Bit(Phase phase) {
    return static_cast<uint8_t>(1u << static_cast<unsigned>(phase));
  }
  static Phase DataPhase(const Task& task) { return task.in ? Phase::kDataIn : Phase::kDataOut; }
  Task& At(uint16_t tag) { return tasks_[tag - 1u]; }
  const Task& At(uint16_t tag) const { return tasks_[tag - 1u]; }
  bool streams() const { return options_.streams_count != 0; }

  uint16_t abort_tag() const { return static_cast<uint16_t>(tags_count_ + 1); }
  uint16_t reset_tag() const { return static_cast<uint16_t>(tags_count_ + 2); }
  uint16_t reads_max() const { return static_cast<uint16_t>(options_.depth + 2); }

  // uas_host.cc
  uint16_t TakeTag();
  void CloseData(uint16_t tag);
  void LeaveGrants(uint16_t tag);
  void EndIfClosed(uint16_t tag);
  void Finish(uint16_t tag);
  void UpdateExpected(Task& task);
  HostAction PollManagement();
  HostAction PollReads();
  HostAction PollStatus();
  HostAction PollData();
  HostAction PollIu();
  HostAction MoveData(uint16_t tag);

  // uas_host_status.cc: what the device says.
  void HandleIu(uint16_t stream, Bytes iu);
  void HandleSense(uint16_t tag, Bytes iu);
  void HandleResponse(uint16_t tag, Bytes iu);
  void HandleManagementIu(uint16_t tag, Bytes iu);
  void HandleReady(uint16_t tag, bool in, Bytes iu);

  // uas_host_recovery.cc: the ladder.
  void Fail(uint16_t tag, const Problem& problem);
  void FailOutcome(uint16_t tag, usb::Outcome outcome, Phase phase);
  void FailAll(const Problem& problem, Rung rung = Rung::kResetPort);
  static Rung RungFor(usb::Outcome outcome);
  void SetProblem(Task& task, const Problem& problem);
  void Stop(uint16_t tag, ErrorKind kind);
  Problem Lateness(uint16_t tag) const;
  bool SharesPipe(uint16_t tag) const;
  void CancelLegs(uint16_t tag);
  void Note(uint16_t tag, Rung rung);
  bool IsHopeless(uint16_t tag);
  void Manage();
  void Climb(uint16_t tag);
  void BeginManagement(uint16_t tag, wire::uas::TaskFunction function);
  void HandleManagementSent(usb::Outcome outcome, uint32_t length);
  void GiveUpManagement();
  void EndManagementIfClosed();
  void ConcludeUnitReset(uint16_t culprit);
  void ResetFor(uint16_t culprit, const Problem& problem, Rung rung);
  void AdvanceRecovery();
  bool AnyLegOpen() const;

  const HostOptions options_;
  const uint16_t tags_count_;  // of commands; more than depth where tags cost nothing
  const bool manages_;
  std::array<Task, kDepthMax> tasks_;
  std::array<Grants, 2> grants_;  // data-in, data-out
  Management management_;
  uint64_t spent_ = 0;  // management tags that were never answered: unusable until a port reset
  Recovery recovery_ = Recovery::kNone;
  Rung port_rung_ = Rung::kNone;  // what recovery_ is on its way to
  Rung last_rung_ = Rung::kNone;  // that no command has passed since
  // Phases in which a command was late, a bit each, and that none has passed well since.
  uint8_t unproven_ = 0;
  bool port_action_due_ = false;
  uint64_t late_count_ = 0;
  uint16_t tasks_count_ = 0;   // whose tags are not free
  uint16_t ending_count_ = 0;  // of those, in State::kEnding
  uint16_t last_tag_ = 0;
  std::array<uint16_t, 8> released_{};  // the tags that were released last, 0 for none
  size_t released_next_ = 0;            // place of the oldest of them
  // A bit for each tag.
  uint64_t free_ = 0;
  uint64_t resting_ = 0;  // those in released_
  uint64_t iu_due_ = 0;
  uint64_t data_due_ = 0;
  uint64_t status_due_ = 0;
  uint64_t cancel_iu_due_ = 0;
  uint64_t cancel_data_due_ = 0;
  uint64_t cancel_status_due_ = 0;
  uint64_t finished_due_ = 0;
  uint64_t abort_wanted_ = 0;
  // Without streams: IUs that are to come, reads that are out, and whether those were asked to end.
  uint16_t expected_ = 0;
  uint16_t reads_out_ = 0;
  bool reads_cancelled_ = false;
  bool reads_cancel_due_ = false;
};

}  // namespace usbtwin::uas
