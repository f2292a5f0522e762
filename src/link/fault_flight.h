// What a FaultInjector remembers of one transfer, or of one port request, that passes through it.
// Both are kept in pools and used again; what it holds back itself is not. Internal to the
// injector.
#pragma once

#include <optional>
#include <vector>

#include "link/fault_player.h"
#include "link/uas_watch.h"
#include "usb/link.h"

namespace usbtwin::link {

class FaultInjector;

struct FaultFlight final : public ListNode, public Timer {
  enum class State : uint8_t {
    kQueued,  // waits for those before it, or for the injector's own operation
    kLate,    // goes to the device when the timer fires
    kSent,    // with the link below
    kHeld,    // ends only by cancel or reset
    kDue,     // answered; ends when the timer fires
    kOwn,     // ends, or goes on, with the injector's own operation
    kReady,   // decided; waits for those before it
    kPosted,  // decided and on the clock
  };

  FaultFlight(FaultInjector& injector_in, uint32_t index_in)
      : injector(injector_in), index(index_in) {}
  void HandleTimer() override;

  FaultInjector& injector;
  const uint32_t index;  // in the pool: the word beside the transfer
  usb::Transfer* transfer = nullptr;
  State state = State::kQueued;
  std::optional<fault::Moment> moment;       // none for isochronous ones
  const fault::Rule* rule = nullptr;         // what is played on it
  uint64_t serial = 0;                       // the name of that injection
  const fault::Rule* cancel_rule = nullptr;  // what is played on its cancellation
  uint64_t cancel_serial = 0;
  usb::Outcome outcome = usb::Outcome::kOk;  // of the link below, while the host waits
  bool drawn = false;                        // the player was asked
  bool observed = false;                     // the host will notice `rule`
  bool cancelled = false;                    // the host asked
  bool cancel_late = false;                  // the timer is that of the cancellation
  bool doomed = false;                       // its port is being reset by the injector
  bool unheeded = false;                     // the host gave up on it before it ended
  UasPipe pipe = UasPipe::kNone;             // it belongs to
  uint16_t tag = 0;                          // whose it is there, as far as it says
  bool starved = false;                      // kHeld: its IU went elsewhere
  bool recalled = false;                     // asked back, for an IU that waits for a read
  bool swapped = false;                      // `out` or `in` of the transfer is ours
  Bytes out;                                 // the caller's, while it is swapped
  MutableBytes in;                           // the caller's, while it is swapped
  std::vector<uint8_t> room;                 // in place of either
};

// An IU of the device that waits for a read of the status pipe, or for its time.
struct FaultParcel final : public Timer {
  FaultParcel(FaultInjector& injector_in, Clock& clock_in, const usb::Transfer& transfer)
      : injector(injector_in), clock(clock_in), iu(transfer) {}
  ~FaultParcel() { clock.Disarm(*this); }
  void HandleTimer() override;

  FaultInjector& injector;
  Clock& clock;
  const UasWatch::Iu iu;
  const fault::Rule* rule = nullptr;  // what shows in it; null: it is as the device sent it
  uint64_t serial = 0;                // the name of that injection
  bool due = true;                    // else when the timer fires
};

struct FaultPortFlight final : public Timer {
  FaultPortFlight(FaultInjector& injector_in, uint32_t index_in)
      : injector(injector_in), index(index_in) {}
  void HandleTimer() override;

  FaultInjector& injector;
  const uint32_t index;
  usb::PortOp* op = nullptr;          // null: free
  const fault::Rule* rule = nullptr;  // what is played on it
  uint64_t serial = 0;                // the name of that injection
  bool queued = false;                // waits for the injector's own operation
};

}  // namespace usbtwin::link
