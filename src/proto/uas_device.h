// DeviceEngine: the device's half of USB Attached SCSI as a pure state machine, for many commands
// at once. It checks information units, keeps the task set, decides which task may use a data pipe
// and when, carries out task management, and says what to do next. It sees IUs and lengths; never
// data, and a command block only to hand it on.
//
// With streams (SuperSpeed) each task has its own stream of the status and data pipes, and its tag
// is the stream's number. Without (high speed) tasks share the pipes: READ READY and WRITE READY
// IUs tell the host whose data comes next, and data moves in exactly that order. UAS, 6.3.
//
// The shell calls Handle...() for what happened, then Poll() until it is empty. A task is an index
// below kTasksMax; it names the shell's buffers as well. A task leaves the set when its status goes
// to the controller: from then on its tag may be used again, though its slot is busy until
// HandleStatusSent. Room for the next IU is asked for only while there is a place for an answer to
// it, so nothing a host sends can exceed these tables.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>

#include "base/bytes.h"
#include "base/check.h"
#include "proto/task_attribute.h"
#include "wire/uas.h"

namespace usbtwin::uas {

// What the shell must do.
struct ReceiveIu {  // queue room for one packet on the command pipe, then HandleIu
  bool operator==(const ReceiveIu&) const = default;
};
struct HaltCommandPipe {  // an IU that cannot even be answered
  bool operator==(const HaltCommandPipe&) const = default;
};
struct Execute {  // give task() to the unit, then HandleDataWanted or HandleExecuted
  uint8_t task = 0;
  bool operator==(const Execute&) const = default;
};
struct SendReady {  // a ready IU on the status pipe, then HandleStatusSent
  uint8_t task = 0;
  bool write = false;  // WRITE READY, else READ READY
  bool operator==(const SendReady&) const = default;
};
struct SendData {  // all that the unit has, then HandleDataMoved, HandleDataFailed or ...Broken
  uint8_t task = 0;
  bool operator==(const SendData&) const = default;
};
struct EndData {  // a zero-length packet, so that the host sees that no more comes; HandleDataMoved
  uint8_t task = 0;
  bool operator==(const EndData&) const = default;
};
struct ReceiveData {  // feed the unit `length` bytes, then HandleExecuted or HandleDataBroken
  uint8_t task = 0;
  uint32_t length = 0;
  bool operator==(const ReceiveData&) const = default;
};
struct AbortCommand {  // the unit gets no more data and nobody wants its own; HandleExecuted
  uint8_t task = 0;
  bool operator==(const AbortCommand&) const = default;
};
struct AbortTask {  // take back all there is of the task, then HandleAborted
  uint8_t task = 0;
  bool operator==(const AbortTask&) const = default;
};
struct SendStatus {  // a SENSE IU, then HandleStatusSent
  uint8_t task = 0;
  bool data_broken = false;  // ABORTED COMMAND, DATA PHASE ERROR in place of what the unit says
  bool operator==(const SendStatus&) const = default;
};
struct ResetUnit {
  uint64_t lun = 0;
  bool operator==(const ResetUnit&) const = default;
};
struct SendReply {  // a RESPONSE IU, or a SENSE IU that says TASK SET FULL; HandleReplySent
  uint8_t reply = 0;
  uint16_t tag = 0;
  bool task_set_full = false;
  wire::uas::ResponseCode code = wire::uas::ResponseCode::kComplete;
  bool operator==(const SendReply&) const = default;
};
struct TakeBackReply {  // with streams: the host does not listen; HandleReplySent all the same
  uint16_t tag = 0;
  bool operator==(const TakeBackReply&) const = default;
};
using DeviceAction =
    std::variant<ReceiveIu, HaltCommandPipe, Execute, SendReady, SendData, EndData, ReceiveData,
                 AbortCommand, AbortTask, SendStatus, ResetUnit, SendReply, TakeBackReply>;

struct DeviceOptions {
  uint8_t tasks_count = 40;  // commands at once; more are answered TASK SET FULL
  uint16_t luns_count = 1;   // task management of others: INCORRECT LOGICAL UNIT NUMBER
};

// A COMMAND IU, checked.
struct DeviceTask {
  uint16_t tag = 0;
  uint64_t lun = 0;
  scsi::TaskAttribute attribute = scsi::TaskAttribute::kSimple;
  std::array<uint8_t, 32> command_block{};  // of a longer one, the first bytes
  uint8_t command_length = 0;
};

class DeviceEngine {
 public:
  static constexpr uint8_t kTasksMax = 64;
  static constexpr uint8_t kRepliesMax = 4;

  explicit DeviceEngine(DeviceOptions options);

  // The setting was enabled and nothing of an earlier one is under way. `streams_count`: of each
  // pipe but the command pipe; 0 for none.
  void HandleEnabled(uint16_t streams_count);
  void HandleDisabled();

  // One transfer ended on the command pipe.
  void HandleIu(Bytes packet);
  void HandleDataWanted(uint8_t task, uint32_t length);
  // The unit has decided and, where it took data, is done; `length_in` bytes are for the host.
  void HandleExecuted(uint8_t task, uint32_t length_in);
  void HandleDataMoved(uint8_t task);
  // A later window of data-in failed; the rest does not come.
  void HandleDataFailed(uint8_t task);
  // The host took fewer bytes than a packet holds, or sent fewer than the unit asked for.
  void HandleDataBroken(uint8_t task);
  void HandleStatusSent(uint8_t task);
  void HandleAborted(uint8_t task);
  void HandleReplySent(uint8_t reply);

  std::optional<DeviceAction> Poll();

  const DeviceTask& task(uint8_t task) const { return tasks_[task].what; }
  bool streams() const { return streams_count_ != 0; }

 private:
  enum class State : uint8_t {
    kFree,
    kDormant,    // waits for tasks before it
    kExecuting,  // with the unit
    kQueued,     // waits for its turn on a shared data pipe
    kSending,
    kEnding,     // data-in breaks off
    kReceiving,  // data-out comes, or the unit works on it
    kBreaking,   // the unit lets go, because the host broke the data phase
    kStatus,     // the SENSE IU is due or on its way
    kAborting,
  };
  struct Task {
    DeviceTask what;
    State state = State::kFree;
    bool in_set = false;     // its tag is in use
    bool ready_out = false;  // its ready IU has not gone yet
    bool data_broken = false;
    bool out = false;     // direction of its data
    uint32_t length = 0;  // bytes of data-out
    uint64_t order = 0;   // of arrival
    uint8_t waiters = 0;  // replies that wait for its end, a bit each
  };
  struct Reply {
    SendReply what;
    bool resets = false;  // and the unit, before it is sent
    uint64_t lun = 0;
    uint8_t waits_count = 0;  // what holds it: its own IU at first, then tasks that must end
    bool open = false;        // its tag is in use
  };
  // The order in which tasks use one shared data pipe. The head uses it.
  struct Turns {
    std::array<uint8_t, kTasksMax> tasks{};
    uint8_t count = 0;
    uint8_t announced = 0;  // of these, how many ready IUs were asked for
  };
  static constexpr uint64_t Bit(uint8_t task) { return uint64_t{1} << task; }

  void HandleCommandIu(Bytes packet);
  void HandleTaskManagementIu(Bytes packet);
  void Manage(uint8_t reply, const wire::uas::TaskManagementIu& iu);
  void HandleOverlappedTag(uint8_t reply);

  uint8_t OpenReply(uint16_t tag, wire::uas::ResponseCode code);
  void Release(uint8_t reply);
  void TakeBackReplies(uint16_t tag);
  bool TagInUse(uint16_t tag) const;
  uint8_t& TagUses(uint16_t tag) { return tag_uses_[tag % tag_uses_.size()]; }
  void EnterSet(Task& task);
  void LeaveSet(Task& task);
  // Whether task management finds the task.
  bool Manageable(const Task& task) const;
  void Abort(uint8_t task, uint8_t reply);

  void Start(uint8_t task);
  bool MayStart(const Task& task) const;
  void StartDormant();
  void BeginData(uint8_t task, bool out);
  void TakeTurn(Turns& turns);
  bool UsesPipe(uint8_t task) const;
  void LeaveTurns(uint8_t task);
  void BeginStatus(uint8_t task);
  void Free(uint8_t task);
  void Vacate(uint8_t task);  // the same, but nobody starts in its place yet

  const DeviceOptions options_;
  bool enabled_ = false;
  bool receiving_ = false;
  bool halt_due_ = false;
  uint16_t streams_count_ = 0;
  uint64_t order_ = 0;
  uint8_t dormant_count_ = 0;
  uint8_t ordered_count_ = 0;  // in the set
  // How many tasks and replies use the tags with this low byte: where none does, nobody is asked.
  std::array<uint8_t, 256> tag_uses_{};
  std::array<Task, kTasksMax> tasks_;
  std::array<Reply, kRepliesMax> replies_;
  std::array<Turns, 2> turns_;  // data-in, data-out
  // What Poll has still to say, a bit for each task or reply.
  uint64_t tasks_free_ = 0;
  uint64_t abort_due_ = 0;
  uint64_t execute_due_ = 0;
  uint64_t break_due_ = 0;
  uint64_t data_due_ = 0;
  uint64_t status_due_ = 0;
  uint8_t replies_free_ = 0;
  uint8_t reset_due_ = 0;
  uint8_t reply_due_ = 0;
  uint8_t replies_out_ = 0;  // said, and not sent yet
  uint8_t take_back_due_ = 0;
};

}  // namespace usbtwin::uas
