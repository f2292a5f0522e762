#include "proto/uas_device.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

namespace usbtwin::uas {

using scsi::TaskAttribute;
using wire::uas::CommandIu;
using wire::uas::Header;
using wire::uas::IuId;
using wire::uas::ResponseCode;
using wire::uas::TaskFunction;
using wire::uas::TaskManagementIu;

namespace {

// Takes the lowest bit out.
template <class Mask>
uint8_t TakeLowest(Mask& mask) {
  const auto index = static_cast<uint8_t>(std::countr_zero(mask));
  mask = static_cast<Mask>(mask & (mask - 1));
  return index;
}

// Those that this device carries out. It has no ACA condition that a task could belong to.
std::optional<TaskAttribute> ParseAttribute(uint8_t byte) {
  using Code = wire::uas::TaskAttribute;
  switch (static_cast<Code>(byte & wire::uas::kTaskAttributeMask)) {
    case Code::kSimple: return TaskAttribute::kSimple;
    case Code::kHeadOfQueue: return TaskAttribute::kHeadOfQueue;
    case Code::kOrdered: return TaskAttribute::kOrdered;
    case Code::kAca: break;
  }
  return std::nullopt;
}

}  // namespace

DeviceEngine::DeviceEngine(DeviceOptions options) : options_(options) {
  CHECK_LE(1, options_.tasks_count);
  CHECK_LE(options_.tasks_count, kTasksMax);
  HandleDisabled();
}

void DeviceEngine::HandleEnabled(uint16_t streams_count) {
  HandleDisabled();
  enabled_ = true;
  streams_count_ = streams_count;
}

void DeviceEngine::HandleDisabled() {
  enabled_ = receiving_ = halt_due_ = false;
  dormant_count_ = ordered_count_ = 0;
  tag_uses_.fill(0);
  for (Task& task : tasks_) task = Task{};
  for (Reply& reply : replies_) reply = Reply{};
  for (Turns& turns : turns_) turns.count = turns.announced = 0;
  tasks_free_ = options_.tasks_count == kTasksMax ? ~uint64_t{0} : Bit(options_.tasks_count) - 1;
  abort_due_ = execute_due_ = break_due_ = data_due_ = status_due_ = 0;
  replies_free_ = (1u << kRepliesMax) - 1;
  reset_due_ = reply_due_ = replies_out_ = take_back_due_ = 0;
}

std::optional<DeviceAction> DeviceEngine::Poll() {
  if (!enabled_) return std::nullopt;
  if (std::exchange(halt_due_, false)) return HaltCommandPipe{};
  if (abort_due_ != 0) return AbortTask{TakeLowest(abort_due_)};
  if (take_back_due_ != 0) return TakeBackReply{replies_[TakeLowest(take_back_due_)].what.tag};
  if (break_due_ != 0) return AbortCommand{TakeLowest(break_due_)};
  for (Turns& turns : turns_) {
    if (turns.announced == turns.count) continue;
    const uint8_t index = turns.tasks[turns.announced++];
    tasks_[index].ready_out = true;
    return SendReady{.task = index, .write = tasks_[index].out};
  }
  if (data_due_ != 0) {
    const uint8_t index = TakeLowest(data_due_);
    const Task& task = tasks_[index];
    if (task.state == State::kEnding) return EndData{index};
    if (task.out) return ReceiveData{.task = index, .length = task.length};
    return SendData{index};
  }
  if (status_due_ != 0) {
    const uint8_t index = TakeLowest(status_due_);
    Task& task = tasks_[index];
    LeaveSet(task);
    StartDormant();
    return SendStatus{.task = index, .data_broken = task.data_broken};
  }
  if (reset_due_ != 0) return ResetUnit{replies_[TakeLowest(reset_due_)].lun};
  if (reply_due_ != 0) {
    const uint8_t index = TakeLowest(reply_due_);
    replies_[index].open = false;
    --TagUses(replies_[index].what.tag);
    replies_out_ |= static_cast<uint8_t>(1u << index);
    return replies_[index].what;
  }
  if (execute_due_ != 0) return Execute{TakeLowest(execute_due_)};
  if (!receiving_ && replies_free_ != 0) {
    receiving_ = true;
    return ReceiveIu{};
  }
  return std::nullopt;
}

// ---- What the host sends ----------------------------------------------------------------------

void DeviceEngine::HandleIu(Bytes packet) {
  CHECK(receiving_);
  receiving_ = false;
  const auto* header = wire::View<Header>(packet);
  // Without a stream there is no way to answer.
  const bool answerable =
      header != nullptr &&
      (!streams() || (wire::uas::IsTag(header->tag) && header->tag <= streams_count_));
  if (!answerable) {
    halt_due_ = true;
    return;
  }
  if (wire::uas::IsTag(header->tag)) {
    if (header->id == static_cast<uint8_t>(IuId::kCommand)) return HandleCommandIu(packet);
    if (header->id == static_cast<uint8_t>(IuId::kTaskManagement)) {
      return HandleTaskManagementIu(packet);
    }
  }
  Release(OpenReply(header->tag, ResponseCode::kInvalidInformationUnit));
}

void DeviceEngine::HandleCommandIu(Bytes packet) {
  const uint16_t tag = wire::View<Header>(packet)->tag;
  const auto* iu = wire::View<CommandIu>(packet);
  const auto attribute = iu == nullptr ? std::nullopt : ParseAttribute(iu->attribute);
  if (!attribute ||
      packet.size() != sizeof(*iu) + wire::uas::AdditionalLength(iu->additional_length)) {
    return Release(OpenReply(tag, ResponseCode::kInvalidInformationUnit));
  }
  if (TagInUse(tag)) return HandleOverlappedTag(OpenReply(tag, ResponseCode::kOverlappedTag));
  const uint64_t lun = wire::uas::DecodeLun(iu->lun);
  if (lun == wire::uas::kLunNone) return Release(OpenReply(tag, ResponseCode::kIncorrectLun));
  if (tasks_free_ == 0) {
    const uint8_t reply = OpenReply(tag, ResponseCode::kComplete);
    replies_[reply].what.task_set_full = true;
    return Release(reply);
  }
  const uint8_t index = TakeLowest(tasks_free_);
  Task& task = tasks_[index];
  task = Task{.what = {.tag = tag, .lun = lun, .attribute = *attribute},
              .state = State::kDormant,
              .order = ++order_};
  const Bytes command_block = packet.subspan(offsetof(CommandIu, command_block));
  task.what.command_length =
      static_cast<uint8_t>(CopyBytes(task.what.command_block, command_block));
  EnterSet(task);
  ++dormant_count_;
  Start(index);
}

void DeviceEngine::HandleTaskManagementIu(Bytes packet) {
  const uint16_t tag = wire::View<Header>(packet)->tag;
  const auto* iu = wire::View<TaskManagementIu>(packet);
  if (iu == nullptr || packet.size() != sizeof(*iu)) {
    return Release(OpenReply(tag, ResponseCode::kInvalidInformationUnit));
  }
  if (TagInUse(tag)) return HandleOverlappedTag(OpenReply(tag, ResponseCode::kOverlappedTag));
  Manage(OpenReply(tag, ResponseCode::kComplete), *iu);
}

// SAM-5, 7. What concerns nexuses as such, an ACA or asynchronous events is not there to be
// managed.
void DeviceEngine::Manage(uint8_t reply, const TaskManagementIu& iu) {
  ResponseCode& code = replies_[reply].what.code;
  const auto function = static_cast<TaskFunction>(iu.function);
  const uint64_t lun = wire::uas::DecodeLun(iu.lun);
  const bool of_task = function == TaskFunction::kAbortTask || function == TaskFunction::kQueryTask;
  const bool of_set =
      function == TaskFunction::kAbortTaskSet || function == TaskFunction::kClearTaskSet ||
      function == TaskFunction::kLogicalUnitReset || function == TaskFunction::kQueryTaskSet;
  if (!of_task && !of_set) {
    code = ResponseCode::kNotSupported;
    return Release(reply);
  }
  if (lun >= options_.luns_count) {
    code = ResponseCode::kIncorrectLun;
    return Release(reply);
  }
  if (function == TaskFunction::kAbortTask && streams()) TakeBackReplies(iu.task_tag);
  const bool queries =
      function == TaskFunction::kQueryTask || function == TaskFunction::kQueryTaskSet;
  for (uint8_t index = 0; index < options_.tasks_count; ++index) {
    const Task& task = tasks_[index];
    if (!Manageable(task) || task.what.lun != lun) continue;
    if (of_task && task.what.tag != iu.task_tag) continue;
    if (!queries) {
      Abort(index, reply);
    } else if (task.in_set) {
      code = ResponseCode::kSucceeded;
    }
  }
  if (function == TaskFunction::kLogicalUnitReset) {
    replies_[reply].resets = true;
    replies_[reply].lun = lun;
  }
  StartDormant();  // those that waited for one that is gone
  Release(reply);
}

// Nothing tells which of the two is meant by what follows. SAM-5, 5.10.
void DeviceEngine::HandleOverlappedTag(uint8_t reply) {
  for (uint8_t index = 0; index < options_.tasks_count; ++index) {
    if (Manageable(tasks_[index])) Abort(index, reply);
  }
  Release(reply);
}

// ---- Replies ----------------------------------------------------------------------------------

uint8_t DeviceEngine::OpenReply(uint16_t tag, ResponseCode code) {
  CHECK_NE(replies_free_, 0);  // or there was no room for the IU
  const uint8_t index = TakeLowest(replies_free_);
  replies_[index] =
      Reply{.what = {.reply = index, .tag = tag, .code = code}, .waits_count = 1, .open = true};
  ++TagUses(tag);
  return index;
}

// It is due when nothing holds it any more.
void DeviceEngine::Release(uint8_t reply) {
  if (--replies_[reply].waits_count != 0) return;
  const auto bit = static_cast<uint8_t>(1u << reply);
  if (replies_[reply].resets) reset_due_ |= bit;
  reply_due_ |= bit;
}

void DeviceEngine::HandleReplySent(uint8_t reply) {
  CHECK_LT(reply, kRepliesMax);
  CHECK(!replies_[reply].open);
  const auto bit = static_cast<uint8_t>(1u << reply);
  replies_free_ |= bit;
  replies_out_ &= static_cast<uint8_t>(~bit);
  take_back_due_ &= static_cast<uint8_t>(~bit);
}

// What a task that is aborted was answered, where the IU never made a task: the next one with the
// tag must not find it.
void DeviceEngine::TakeBackReplies(uint16_t tag) {
  for (uint8_t index = 0; index < kRepliesMax; ++index) {
    const auto bit = static_cast<uint8_t>(1u << index);
    if ((replies_out_ & bit) != 0 && replies_[index].what.tag == tag) take_back_due_ |= bit;
  }
}

void DeviceEngine::EnterSet(Task& task) {
  task.in_set = true;
  ++TagUses(task.what.tag);
  if (task.what.attribute == TaskAttribute::kOrdered) ++ordered_count_;
}

void DeviceEngine::LeaveSet(Task& task) {
  if (!std::exchange(task.in_set, false)) return;
  --TagUses(task.what.tag);
  if (task.what.attribute == TaskAttribute::kOrdered) --ordered_count_;
}

bool DeviceEngine::TagInUse(uint16_t tag) const {
  if (tag_uses_[tag % tag_uses_.size()] == 0) return false;
  const auto task_has = [tag](const Task& task) { return task.in_set && task.what.tag == tag; };
  const auto reply_has = [tag](const Reply& reply) { return reply.open && reply.what.tag == tag; };
  return std::any_of(tasks_.begin(), tasks_.end(), task_has) ||
         std::any_of(replies_.begin(), replies_.end(), reply_has);
}

// A task whose status is on its way has left the set. Without streams the status pipe keeps its
// order, so the host hears of it before it hears the answer; on a stream of its own the host may
// have stopped listening, and the status must be taken back.
bool DeviceEngine::Manageable(const Task& task) const {
  if (task.state == State::kFree) return false;
  return task.state != State::kStatus || task.in_set || streams();
}

void DeviceEngine::Abort(uint8_t index, uint8_t reply) {
  Task& task = tasks_[index];
  const auto bit = static_cast<uint8_t>(1u << reply);
  CHECK_EQ(task.waiters & bit, 0);
  task.waiters |= bit;
  ++replies_[reply].waits_count;
  if (task.state == State::kAborting) return;
  if (task.state == State::kDormant) {
    --dormant_count_;
    return Vacate(index);
  }
  if (!UsesPipe(index)) LeaveTurns(index);
  task.state = State::kAborting;
  for (uint64_t* due : {&execute_due_, &break_due_, &data_due_, &status_due_}) *due &= ~Bit(index);
  abort_due_ |= Bit(index);
}

void DeviceEngine::HandleAborted(uint8_t index) {
  CHECK(tasks_[index].state == State::kAborting);
  LeaveTurns(index);
  Free(index);
}

// ---- The life of a task -----------------------------------------------------------------------

void DeviceEngine::Start(uint8_t index) {
  Task& task = tasks_[index];
  if (!MayStart(task)) return;
  --dormant_count_;
  task.state = State::kExecuting;
  execute_due_ |= Bit(index);
}

// An ordered task waits for all before it in its unit, and all but the head of the queue wait for
// an ordered one before them. SAM-5, 8.6.
bool DeviceEngine::MayStart(const Task& task) const {
  if (task.what.attribute == TaskAttribute::kHeadOfQueue) return true;
  const bool ordered = task.what.attribute == TaskAttribute::kOrdered;
  if (!ordered && ordered_count_ == 0) return true;
  return std::none_of(tasks_.begin(), tasks_.end(), [&](const Task& other) {
    return other.in_set && other.order < task.order && other.what.lun == task.what.lun &&
           (ordered || other.what.attribute == TaskAttribute::kOrdered);
  });
}

void DeviceEngine::StartDormant() {
  if (dormant_count_ == 0) return;
  for (uint8_t index = 0; index < options_.tasks_count; ++index) {
    if (tasks_[index].state == State::kDormant) Start(index);
  }
}

void DeviceEngine::HandleDataWanted(uint8_t index, uint32_t length) {
  CHECK(tasks_[index].state == State::kExecuting);
  tasks_[index].length = length;
  BeginData(index, true);
}

void DeviceEngine::HandleExecuted(uint8_t index, uint32_t length_in) {
  Task& task = tasks_[index];
  if (task.state == State::kExecuting && length_in != 0) return BeginData(index, false);
  if (task.state != State::kExecuting) {
    const bool moving = task.state == State::kReceiving || task.state == State::kBreaking;
    CHECK(moving);
    LeaveTurns(index);
  }
  BeginStatus(index);
}

void DeviceEngine::BeginData(uint8_t index, bool out) {
  Task& task = tasks_[index];
  task.out = out;
  if (streams()) {
    task.state = out ? State::kReceiving : State::kSending;
    data_due_ |= Bit(index);
    return;
  }
  task.state = State::kQueued;
  Turns& turns = turns_[out ? 1 : 0];
  turns.tasks[turns.count++] = index;
  TakeTurn(turns);
}

void DeviceEngine::TakeTurn(Turns& turns) {
  if (turns.count == 0) return;
  const uint8_t index = turns.tasks[0];
  Task& task = tasks_[index];
  if (task.state != State::kQueued) return;
  task.state = task.out ? State::kReceiving : State::kSending;
  data_due_ |= Bit(index);
}

// Whether its data may be with the controller: it is its turn, and the host was told.
bool DeviceEngine::UsesPipe(uint8_t index) const {
  const Turns& turns = turns_[tasks_[index].out ? 1 : 0];
  return turns.announced != 0 && turns.tasks[0] == index;
}

void DeviceEngine::LeaveTurns(uint8_t index) {
  for (Turns& turns : turns_) {
    const auto begin = turns.tasks.begin();
    const auto end = begin + turns.count;
    const auto place = std::find(begin, end, index);
    if (place == end) continue;
    if (place - begin < turns.announced) --turns.announced;
    std::copy(place + 1, end, place);
    --turns.count;
    TakeTurn(turns);
  }
}

void DeviceEngine::HandleDataMoved(uint8_t index) {
  const State state = tasks_[index].state;
  const bool moving = state == State::kSending || state == State::kEnding;
  CHECK(moving);
  LeaveTurns(index);
  BeginStatus(index);
}

// Where windows were to follow, the host waits for more than has come.
void DeviceEngine::HandleDataFailed(uint8_t index) {
  CHECK(tasks_[index].state == State::kSending);
  tasks_[index].state = State::kEnding;
  data_due_ |= Bit(index);
}

void DeviceEngine::HandleDataBroken(uint8_t index) {
  Task& task = tasks_[index];
  const bool moving = task.state == State::kSending || task.state == State::kReceiving;
  CHECK(moving);
  task.state = State::kBreaking;
  task.data_broken = true;
  break_due_ |= Bit(index);
}

void DeviceEngine::BeginStatus(uint8_t index) {
  Task& task = tasks_[index];
  task.state = State::kStatus;
  if (!task.ready_out) status_due_ |= Bit(index);
}

void DeviceEngine::HandleStatusSent(uint8_t index) {
  Task& task = tasks_[index];
  if (std::exchange(task.ready_out, false)) {
    if (task.state == State::kStatus) status_due_ |= Bit(index);
    return;
  }
  CHECK(task.state == State::kStatus);
  Free(index);
}

void DeviceEngine::Free(uint8_t index) {
  Vacate(index);
  StartDormant();
}

void DeviceEngine::Vacate(uint8_t index) {
  Task& task = tasks_[index];
  uint8_t waiters = task.waiters;
  task.state = State::kFree;
  LeaveSet(task);
  task.waiters = 0;
  tasks_free_ |= Bit(index);
  while (waiters != 0) {
    Release(TakeLowest(waiters));
  }
}

}  // namespace usbtwin::uas
