// HostEngine: the host's half of the Bulk-Only Transport as a pure state machine: command wrapper
// out, data, status wrapper in; a failed command's REQUEST SENSE, which never asks for sense again;
// and the recovery ladder:
//
//   clear the halt of a stalled data or status phase, then read the status        BOT 1.0, 6.7
//   read the status once more                                                     6.5, figure 2
//   Bulk-Only Mass Storage Reset, then clear both halts                           5.3.4
//   reset the port
//   open the device anew
//
// A command whose conversation broke ends with an Error that names the phase; recovery then makes
// the device fit for the next command. Each rung is tried at most once a command, and a command
// that fails right after one that a rung recovered starts one rung higher; after the last one at
// the bulk-only reset again. The shell calls Handle...() for what happened, then Poll(); it keeps
// time and says kTimedOut or kCancelled.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "proto/sense.h"
#include "usb/types.h"
#include "wire/bot.h"

namespace usbtwin::bot {

// What is asked; the bytes stay with the shell.
struct HostCommand {
  uint8_t lun = 0;
  Bytes command_block;  // 1 to 16 bytes, read at once
  bool in = false;      // direction of the data, where there is any
  uint32_t length = 0;  // dCBWDataTransferLength: bytes of data
};

// Rungs of the ladder, lowest first.
enum class Rung : uint8_t {
  kNone,
  kClearHalt,
  kStatusRetry,
  kMassStorageReset,
  kResetPort,
  kReopen
};
const char* Name(Rung rung);  // "bulk-only reset"

struct HostResult {
  std::optional<Error> error;  // the conversation broke
  wire::bot::Status status = wire::bot::Status::kPassed;
  uint32_t length_actual = 0;  // bytes that moved in the data phase
  uint32_t residue = 0;        // as the device says
  uint32_t sense_length = 0;   // bytes of sense that came; 0 where none was asked for or it failed
  std::optional<scsi::SenseFailure> sense_failure;  // why it failed
  Rung rung = Rung::kNone;                          // the highest rung that was needed
  uint8_t recoveries = 0;                           // how many rungs
  bool broken = false;                              // not even the last rung helped
};

// What the shell must do. Small enough to be returned in registers.
struct HostAction {
  enum class Kind : uint8_t {
    kNone,
    kSendCommand,       // wrapper() to Bulk-Out, then HandleCommandSent
    kMoveData,          // then HandleData
    kReadStatus,        // 13 bytes from Bulk-In, then HandleStatus
    kClearHalt,         // of one pipe, then HandleRecovered
    kMassStorageReset,  // the class request, then HandleRecovered
    kResetPort,         // then HandleRecovered
    kReopen,            // then HandleRecovered
    kFinished,          // result() is there
  };
  Kind kind = Kind::kNone;
  bool in = false;      // kMoveData, kClearHalt: which pipe
  bool sense = false;   // kMoveData: into the sense buffer, not the caller's
  uint32_t offset = 0;  // kMoveData: bytes from the start of the buffer
  uint32_t length = 0;  // kMoveData: bytes
};

class HostEngine {
 public:
  static constexpr uint32_t kSenseLength = 18;  // what every device understands

  // `transfer_length_max`: bytes in one transfer of a data phase; whole packets.
  explicit HostEngine(uint32_t transfer_length_max) : transfer_length_max_(transfer_length_max) {}

  // `sense_on_failure`: ask REQUEST SENSE after status kFailed.
  void Start(const HostCommand& command, bool sense_on_failure);

  void HandleCommandSent(usb::Outcome outcome, uint32_t length);
  // `head`: the first bytes of data-in that came (13 are enough): a device that skips the data
  // phase may send its status there.
  void HandleData(usb::Outcome outcome, uint32_t length, Bytes head);
  void HandleStatus(usb::Outcome outcome, Bytes packet);
  // The end of kClearHalt, kMassStorageReset, kResetPort or kReopen.
  void HandleRecovered(usb::Outcome outcome);

  // One action at a time, then kNone: the next comes when the last one's Handle was called.
  HostAction Poll();

  const wire::bot::CommandBlockWrapper& wrapper() const { return wrapper_; }
  uint32_t transfer_length_max() const { return transfer_length_max_; }
  const HostResult& result() const { return result_; }
  // Recovery is under way: it must not be cancelled and keeps its own time.
  bool recovering() const { return state_ >= State::kReset; }
  // The command's own conversation is over and its sense is being fetched.
  bool fetching_sense() const { return sense_; }

 private:
  enum class State : uint8_t {
    kIdle,
    kCommand,
    kData,
    kClearData,  // a stalled data phase
    kStatus,
    kClearStatus,  // a stalled status phase
    kReset,        // from here on: recovery
    kClearIn,
    kClearOut,
    kResetPort,
    kReopen,
    kFinished,
  };

  void Begin(const HostCommand& command);
  void EndData();
  void Fail(ErrorKind kind, Phase phase, uint32_t length, const char* text,
            std::array<uint64_t, 3> values = {});
  void FailOutcome(usb::Outcome outcome, Phase phase, uint32_t length);
  void Recover(ErrorKind kind);
  void RetryStatus();
  void Climb(Rung rung);
  void EndRecovery(bool recovered);
  void Accept(const wire::bot::CommandStatusWrapper& status);
  bool IsStatus(Bytes packet) const;
  Phase data_phase() const { return in_ ? Phase::kDataIn : Phase::kDataOut; }

  const uint32_t transfer_length_max_;
  State state_ = State::kIdle;
  bool action_due_ = false;
  wire::bot::CommandBlockWrapper wrapper_{};
  uint32_t tag_ = 0;
  bool in_ = false;
  bool sense_ = false;  // the wrapper is our own REQUEST SENSE
  bool want_sense_ = false;
  bool status_retried_ = false;
  uint32_t length_ = 0;  // of the current data phase
  uint32_t moved_ = 0;
  Rung last_rung_ = Rung::kNone;  // what recovered the command before
  HostResult result_;
};

}  // namespace usbtwin::bot
