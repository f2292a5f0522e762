// BotWatch: follows a Bulk-Only conversation from outside, transfer by transfer, so that a
// decorator knows which command is under way and whether a transfer is its data or its status. It
// believes what it sees: a conversation that broke, or was reset, is over. On a device that speaks
// something else it never sees a command. For the FaultInjector.
#pragma once

#include <optional>

#include "link/fault_player.h"
#include "usb/transfer.h"
#include "wire/bot.h"

namespace usbtwin::link {

class BotWatch {
 public:
  // What a transfer is that the host submits now. Not for isochronous ones.
  fault::Moment HandleSubmit(const usb::Transfer& transfer);
  // It completed, as the host is about to see it.
  void HandleDone(const usb::Transfer& transfer, fault::Moment moment);
  // The device forgot what was under way.
  void HandleReset() { phase_ = Phase::kIdle; }

  // The command under way, from its wrapper to its status; null for none.
  const fault::CommandContext* command() const {
    return phase_ == Phase::kIdle ? nullptr : &context_;
  }
  // Of the command seen last.
  const wire::bot::CommandBlockWrapper& wrapper() const { return wrapper_; }
  uint32_t announced() const { return wrapper_.data_length; }  // bytes
  uint32_t moved() const { return moved_; }                    // bytes of data that were told
  bool is_in() const { return (wrapper_.flags & wire::bot::kDirectionIn) != 0; }

  // The status wrapper in what came, whatever its tag; nullopt where it is none.
  static std::optional<wire::bot::CommandStatusWrapper> StatusIn(const usb::Transfer& transfer);

 private:
  enum class Phase : uint8_t { kIdle, kData, kStatus };

  void Begin(const usb::Transfer& transfer, const wire::bot::CommandBlockWrapper& wrapper);

  Phase phase_ = Phase::kIdle;
  wire::bot::CommandBlockWrapper wrapper_{};
  fault::CommandContext context_;
  usb::EndpointAddress out_;
  std::optional<usb::EndpointAddress> in_;  // once a status came from it
  uint32_t asked_ = 0;                      // bytes of data that the host has submitted
  uint32_t moved_ = 0;
};

}  // namespace usbtwin::link
