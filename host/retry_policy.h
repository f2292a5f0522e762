// RetryPolicy: what to do about the answer to one command of a block device: take it, send the
// command again (now, after a pause, after starting the unit), or give up. A pure decision: it
// sleeps not and sends nothing. Every reason to try again has its own bound, so no device can keep
// a command for ever. The commands it judges can be sent twice without harm (reads, writes of the
// same bytes to the same place, queries). Called by BlockDevice, once for each answer.
#pragma once

#include "host/scsi_transport.h"

namespace usbtwin::host {

struct RetryLimits {
  uint8_t attentions_max = 8;     // unit attentions before the answer to one command
  uint8_t repeats_max = 2;        // after a broken conversation, an aborted command, wrong lengths
  uint8_t media_repeats_max = 1;  // after a medium or hardware error: the device has tried itself
  // For a device that is busy or becoming ready. Pauses double from the first to the longest.
  Duration wait_max = std::chrono::seconds(30);  // all pauses of one command
  Duration pause_first = std::chrono::milliseconds(20);
  Duration pause_max = std::chrono::milliseconds(500);
};

class RetryPolicy {
 public:
  enum class Step : uint8_t {
    kDone,   // the device did what was asked
    kAgain,  // send it again
    kWait,   // send it again after pause()
    kStart,  // start the unit, then send it again
    kFail,   // for the caller
  };

  // What the caller already relies on: a unit attention that puts it in doubt goes to him.
  enum class Guard : uint8_t {
    kNothing,   // nothing is known yet
    kCapacity,  // of a medium that cannot be taken out
    kMedium,    // the same medium must still be in
  };

  RetryPolicy(const RetryLimits& limits, Guard guard)
      : limits_(limits), guard_(guard), pause_next_(limits.pause_first) {}

  // The transport delivered an answer. Its lengths are the caller's to check.
  Step HandleResult(const ScsiResult& result);
  // The transport broke, or the answer was nonsense.
  Step HandleError(const Error& error);
  Duration pause() const { return pause_; }

 private:
  Step HandleSense(const scsi::Sense& sense);
  Step HandleNotReady(const scsi::Sense& sense);
  Step HandleAttention(const scsi::Sense& sense);
  void ExpectReset();
  Step Repeat(uint8_t& count, uint8_t count_max, uint8_t cost = 1);
  Step Wait();

  const RetryLimits limits_;
  Guard guard_;
  uint8_t attentions_ = 0;
  uint8_t repeats_ = 0;
  uint8_t media_repeats_ = 0;
  bool started_ = false;
  Duration waited_{};
  Duration pause_{};
  Duration pause_next_;
};
static_assert(std::is_trivially_destructible_v<RetryPolicy>);

}  // namespace usbtwin::host
