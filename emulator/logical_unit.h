// The seam between a mass-storage transport and the SCSI device behind it. A Command is executed in
// steps, so that a transport can compare what the host announced with what the unit intends before
// any data moves (BOT's thirteen cases):
//
//   no data, or refused   Execute -> OnExecuted
//   data to the host      Execute -> OnExecuted with `length_in` bytes, of which `data` holds the
//                         first window; while more remains the transport calls NextWindow ->
//                         OnWindow. A window that fails sets `status` and has no data.
//   data from the host    Execute -> OnDataWanted(length); for each piece HandleData ->
//   OnDataTaken;
//                         the last one is followed by OnExecuted. An error on the way is kept, the
//                         rest is taken and dropped, and OnExecuted tells.
//
// Sinks are called from the clock's queue, never from inside a call made here.
#pragma once

#include <array>
#include <vector>

#include "emulator/block_store.h"
#include "proto/scsi_status.h"
#include "proto/sense.h"
#include "proto/task_attribute.h"

namespace usbtwin::scsi {

class Command;
class CommandSink {
 public:
  virtual void OnExecuted(Command& command) = 0;
  virtual void OnWindow(Command& command) = 0;
  virtual void OnDataWanted(Command& command, uint32_t length) = 0;
  virtual void OnDataTaken(Command& command) = 0;

 protected:
  ~CommandSink() = default;
};

inline constexpr size_t kCommandBlockLengthMax = 32;
inline constexpr size_t kInitiatorsMax = 16;
inline constexpr uint32_t kBlockLengthMax = 4096;  // of a logical block

// One SCSI command on its way through a logical unit. Owned and reused by the transport.
class Command final : public Deferred {
 public:
  // What is asked; set by the transport.
  uint64_t lun = 0;       // logical unit number as an index, 0 for the first
  uint8_t initiator = 0;  // which I_T nexus: unit attentions and sense are kept for each
  TaskAttribute attribute = TaskAttribute::kSimple;
  bool autosense = false;  // the transport delivers `sense` itself; otherwise REQUEST SENSE does
  bool queueing = false;   // the transport can bring more commands meanwhile: CmdQue of INQUIRY
  // Task management functions the transport offers, as wire::scsi::TaskFunctions says them.
  uint16_t task_functions = 0;
  std::array<uint8_t, kCommandBlockLengthMax> command_block{};
  uint8_t command_length = 0;  // bytes of command_block that came
  CommandSink* sink = nullptr;

  // What came of it; set by the unit.
  Status status = Status::kGood;
  Sense sense;                    // where status is kCheckCondition
  bool descriptor_sense = false;  // a transport that delivers it does so in descriptor format
  uint32_t length_in = 0;         // bytes the unit produced or will produce for the host
  uint32_t length_out = 0;        // bytes from the host that took effect, whole blocks
  Lease data;                     // the current window of data-in

  Bytes cdb() const { return Bytes(command_block).first(command_length); }

  // The unit's own.
  enum class Step : uint8_t {
    kIdle,
    kExecuted,
    kWindow,
    kDataWanted,
    kDataTaken,
    kDataTakenLast,  // OnDataTaken, then OnExecuted
  };
  Step step = Step::kIdle;  // which sink call the posted command stands for
  bool aborted = false;
  bool store_busy = false;     // store_op is with the store, or waits for it
  bool taking = false;         // a piece from the host is here: its OnDataTaken is still due
  bool write_through = false;  // what was written is flushed before the status
  uint8_t work = 0;            // what the unit does for it; 0 for nothing
  uint64_t store_offset = 0;   // bytes: where the command's range begins in the store
  uint32_t length_total = 0;   // bytes: of data this command moves in all
  uint32_t length_done = 0;    // bytes: handed to or taken from the transport so far
  Bytes pending;               // from the host, not yet with the store; borrowed until OnDataTaken
  uint32_t block_filled = 0;   // bytes of `block`
  emulator::StoreOp store_op;
  std::vector<uint8_t> gathered;  // from the host, where it must be whole before it is acted upon
  // Where a block that came in pieces is put together. Last, as it is large and seldom used.
  std::array<uint8_t, kBlockLengthMax> block{};

 private:
  // Turns the posted step into the sink's call.
  void Run() override {
    const Step done = step;
    step = Step::kIdle;
    switch (done) {
      case Step::kIdle: CHECK(done != Step::kIdle); break;
      case Step::kExecuted: sink->OnExecuted(*this); break;
      case Step::kWindow: sink->OnWindow(*this); break;
      case Step::kDataWanted: sink->OnDataWanted(*this, length_total); break;
      case Step::kDataTaken: sink->OnDataTaken(*this); break;
      case Step::kDataTakenLast:
        sink->OnDataTaken(*this);
        sink->OnExecuted(*this);
        break;
    }
  }
};

class LogicalUnit {
 public:
  virtual ~LogicalUnit() = default;
  virtual void Execute(Command& command) = 0;
  // The next window of data-in; the lease of the last one was dropped or kept by the transport.
  virtual void NextWindow(Command& command) = 0;
  // The next bytes from the host, borrowed until OnDataTaken. `offset` counts from the first. They
  // may end anywhere; a block takes effect once the last of its bytes has come.
  virtual void HandleData(Command& command, uint32_t offset, Bytes bytes) = 0;
  // Asks a running command to end; asking twice changes nothing. One more OnExecuted (or the
  // OnExecuted or last OnWindow that was already posted) still comes and is the last call: with
  // kTaskAborted, no data and length_in 0 unless it was already decided. Also how a transport ends
  // a command that waits for HandleData or for NextWindow.
  virtual void Abort(Command& command) = 0;
  // A command of this initiator to this unit was answered by somebody else, who keeps what there is
  // to tell: sense kept for REQUEST SENSE ends with it, as with any command but that. SPC-4, 6.39.
  virtual void ForgetSense(uint8_t initiator) = 0;
  // Logical unit reset (bus or transport reset): mode parameters to default, a unit attention
  // 06/29/00 for every initiator, medium-removal prevention lifted.
  virtual void Reset() = 0;
  // The same for the one unit with this LUN; nothing where there is none. SAM-5, 7.6.
  virtual void ResetUnit(uint64_t lun) = 0;
};

}  // namespace usbtwin::scsi
