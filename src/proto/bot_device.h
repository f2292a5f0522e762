// DeviceEngine: the device's half of the Bulk-Only Transport as a pure state machine. It checks the
// command wrapper, compares what the host announced (H) with what the unit intends (D) before any
// data moves, and says what to do next: the thirteen cases of BOT 1.0, 6.7 live here and nowhere
// else. It sees 31 bytes in and makes 13 bytes out; it never sees data and never parses a command
// block.
//
// The shell calls Handle...() for what happened, then Poll() until it is empty. An invalid wrapper
// wedges both pipes until the host has done a whole reset recovery (BOT 1.0, 5.3.4 and 6.6.1).
#pragma once

#include <optional>
#include <variant>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/bot.h"

namespace usbtwin::bot {

// What the shell must do.
struct ReceiveCommand {  // queue room for one packet on Bulk-Out, then HandleCommand
  bool operator==(const ReceiveCommand&) const = default;
};
struct Execute {  // give command() to the logical unit, then HandleDataWanted or HandleExecuted
  bool operator==(const Execute&) const = default;
};
struct SendData {  // send the first `length` bytes the unit produced, then HandleDataMoved
  uint32_t length = 0;
  bool operator==(const SendData&) const = default;
};
struct ReceiveData {  // feed the unit `length` bytes from Bulk-Out, then HandleDataMoved
  uint32_t length = 0;
  bool operator==(const ReceiveData&) const = default;
};
struct AbortCommand {  // the unit will get no more data, and nobody wants the rest of its own
  bool operator==(const AbortCommand&) const = default;
};
struct Halt {
  bool bulk_in = false;
  bool bulk_out = false;
  bool wedge = false;  // a halt that the host's CLEAR_FEATURE does not lift
  bool operator==(const Halt&) const = default;
};
struct SendStatus {  // queue the wrapper on Bulk-In, halted or not, then HandleStatusSent
  uint32_t tag = 0;
  uint32_t residue = 0;
  wire::bot::Status status = wire::bot::Status::kPassed;
  bool operator==(const SendStatus&) const = default;
};
using DeviceAction =
    std::variant<ReceiveCommand, Execute, SendData, ReceiveData, AbortCommand, Halt, SendStatus>;

wire::bot::CommandStatusWrapper Wrapper(const SendStatus& status);

class DeviceEngine {
 public:
  // The interface was enabled; its bulk endpoints are not halted. Packet size in bytes.
  void HandleEnabled(uint16_t packet_size_max);
  void HandleDisabled();

  // One transfer ended on Bulk-Out: a command wrapper, if the host behaves.
  void HandleCommand(Bytes packet);
  // The unit needs `length` bytes from the host.
  void HandleDataWanted(uint32_t length);
  // The unit has decided: status, and how many bytes it has for the host. After HandleDataWanted,
  // also where the command was aborted: `length_taken` of the host's bytes took effect.
  void HandleExecuted(bool passed, uint32_t length_in, uint32_t length_taken);
  // The data phase is over after `length` bytes; for data-out, `ended_short` where the host sent
  // fewer than asked for.
  void HandleDataMoved(uint32_t length, bool ended_short);
  // Data-in broke off after `length` bytes: a later window failed, the status is `failed`.
  void HandleDataFailed(uint32_t length);
  void HandleStatusSent();
  // Bulk-Only Mass Storage Reset, after the shell has taken back all it had queued.
  void HandleReset();

  std::optional<DeviceAction> Poll();

  // The wrapper being worked on, checked. Valid from Execute until HandleStatusSent.
  const wire::bot::CommandBlockWrapper& command() const { return command_; }
  bool wedged() const { return state_ == State::kWedged; }

 private:
  enum class State : uint8_t {
    kDisabled,
    kReady,      // waits for a command wrapper
    kExecuting,  // waits for the unit
    kSending,    // data-in is on its way
    kReceiving,  // data-out is on its way, or the unit works on it
    kAborting,   // waits for the unit to let go
    kStatus,     // the status wrapper is on its way
    kWedged,     // waits for reset recovery
  };

  bool host_in() const { return (command_.flags & wire::bot::kDirectionIn) != 0; }
  uint64_t WholePackets(uint64_t length) const;  // in bytes
  void Wedge();
  void HandleIntentIn(uint32_t length);
  void HandleNoData();
  // Takes the command from the unit; then `halt`, if any, and the status.
  void Abort(wire::bot::Status status, uint32_t residue, Halt halt);
  void Finish(wire::bot::Status status, uint32_t length_done, Halt halt);
  void Conclude();
  void Enter(State state) {
    state_ = state;
    action_due_ = true;
  }

  State state_ = State::kDisabled;
  uint16_t packet_size_max_ = 0;
  wire::bot::CommandBlockWrapper command_{};
  uint32_t length_host_ = 0;    // H
  uint32_t length_device_ = 0;  // D
  bool passed_ = false;
  // What Poll answers with: a halt first, where one is due, then the action that belongs to the
  // state. Made on demand: storing variants in a queue costs more than all the rest of the engine.
  bool halt_due_ = false;
  bool action_due_ = false;
  Halt halt_;
  SendStatus
      status_;  // the answer to this command; prepared early where the unit must let go first
};

}  // namespace usbtwin::bot
