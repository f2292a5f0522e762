// FaultInjector: a Link that plays the faults of transfers, of ports, of Bulk-Only and of UAS
// devices (fault_kinds.h) on whatever Link is below it. It knows nothing of the device but what
// passes: it follows command wrappers and IUs to know which commands are under way, and what each
// transfer of them is.
//
// The invariant: it keeps the Link contract (usb/link.h) itself, whatever it plays. Behind a
// transfer with a fault the later ones of its endpoint wait, and behind a stall they move nothing;
// an endpoint that was told to be halted refuses until the halt is cleared; after a disconnection
// everything is disconnected. Its own operations (a reset, a suspension, reading data that the host
// must not see) run only while an operation of the host is in flight, so none outlives it. Where no
// fault is played nothing is allocated, and with a player that cannot play anything every call goes
// straight through.
//
// It also observes for the host: what it played itself, where the host sees that and not something
// else, and what the twin showed, where the answer that bears it arrives as the twin gave it.
#pragma once

#include <bitset>
#include <deque>
#include <memory>

#include "link/bot_watch.h"
#include "link/fault_flight.h"

namespace usbtwin::fault {

// What outlives an opening of the device: whether it is at its port.
struct PortState {
  TimePoint absent_until{INT64_MIN};
  bool absent(TimePoint now) const { return now < absent_until; }
};

}  // namespace usbtwin::fault

namespace usbtwin::link {

class FaultInjector final : public usb::Link,
                            private usb::TransferSink,
                            private usb::PortSink,
                            private Timer {
 public:
  // All outlive the injector; `port` may be null. Nothing may be in flight when it is destroyed.
  FaultInjector(Clock& clock, usb::Link& inner, fault::Player& player,
                fault::PortState* port = nullptr);
  ~FaultInjector() override;

  usb::LinkCaps caps() const override { return inner_.caps(); }
  void Submit(usb::Transfer& transfer) override;
  void Cancel(usb::Transfer& transfer) override;
  void Request(usb::PortOp& op) override;

  uint64_t in_flight_count() const { return in_flight_count_; }

 private:
  friend struct FaultFlight;
  friend struct FaultPortFlight;
  friend struct FaultParcel;
  using Flight = FaultFlight;
  using PortFlight = FaultPortFlight;
  using Parcel = FaultParcel;
  using State = FaultFlight::State;
  using Before = void (FaultInjector::*)(Flight&);
  // How a kind is played: `before` in place of sending the transfer, `after` when it was answered.
  struct Handler {
    fault::Kind kind;
    Before before;
    Before after;
  };

  static constexpr uint64_t kOwnWord = UINT64_MAX;  // beside the injector's own operations
  static const Handler& HandlerOf(fault::Kind kind);

  void OnDone(usb::Transfer& transfer, uint64_t word) override;
  void OnDone(usb::PortOp& op, uint64_t word) override;
  void HandleTimer() override;  // the suspension is over

  // fault_injector.cc: the life of a transfer.
  bool engaged() const;
  void Note(const Flight& flight);
  void NoteCame(const Flight& flight);
  void NoteSpoilt(const Flight& flight);
  Flight& TakeFlight(usb::Transfer& transfer);
  bool SamePipe(const Flight& left, const Flight& right) const;
  bool MayBegin(const Flight& flight);
  bool HasEarlier(const Flight& flight);
  void Begin(Flight& flight);
  void Send(Flight& flight);
  void Answered(Flight& flight);
  void Keep(Flight& flight);
  void Decide(Flight& flight, usb::Outcome outcome, uint32_t length = 0);
  void Settle(Flight& flight);
  void EndCancelled(Flight& flight);
  void ApplyCancel(Flight& flight);
  void HandleFlightTimer(Flight& flight);
  void Finish(Flight& flight);
  void Pump();
  void DelayUntil(Flight& flight, State state);
  void HoldBehind(Flight& halting);
  void GiveUpBehind(Flight& last);

  // fault_draw.cc: which fault.
  void Draw(Flight& flight);
  bool Playable(const Flight& flight, const fault::Rule& rule) const;
  void DrawForCommand(Flight& flight);

  // fault_play.cc: what happens.
  void PlayStall(Flight& flight);
  void PlayStallTwice(Flight& flight);
  void PlayHold(Flight& flight);
  void PlaySilent(Flight& flight);
  void PlayDelay(Flight& flight);
  void PlayFault(Flight& flight);
  void PlayEmpty(Flight& flight);
  void SwapIn(Flight& flight);
  void SwapOutCut(Flight& flight);
  void SwapOutFlipped(Flight& flight);
  void Restore(Flight& flight);
  void EndStalled(Flight& flight);
  void EndHeld(Flight& flight);
  void EndDelayed(Flight& flight);
  void EndCut(Flight& flight);
  void EndFaulty(Flight& flight);
  void EndOverflowing(Flight& flight);
  void EndFlipped(Flight& flight);
  void EndSpoilt(Flight& flight);

  // fault_play_bot.cc: Bulk-Only.
  void PlayStallData(Flight& flight);
  void EndStallData(Flight& flight);
  void PlayStatusForData(Flight& flight);
  void EndWrongStatus(Flight& flight);
  void EndShortStatus(Flight& flight);
  void EndStaleStatus(Flight& flight);
  void NoteStatus(Flight& flight);
  void ForgeData(Flight& flight, uint32_t length);
  void Forge(Flight& flight);

  // fault_play_uas.cc: UAS.
  void HandleSubmitUas(Flight& flight);
  void DrawForIu(Flight& flight);
  void DrawForAnswer(Flight& flight);
  bool PlayableUas(Flight& flight, const fault::Rule& rule);
  void AnsweredUas(Flight& flight);
  bool HoldReady(Flight& flight);
  bool PassOn(Flight& flight);
  void PlayLostIu(Flight& flight);
  void EndLostIu(Flight& flight);
  void EndLateIu(Flight& flight);
  void EndRepeatedIu(Flight& flight);
  void EndForgedIu(Flight& flight);
  void EndWrongIu(Flight& flight);
  void EndAbortedLeg(Flight& flight);
  void NoteUas(const Flight& flight);
  void FinishUas(const Flight& flight);
  // fault_mail.cc: IUs that come to another read than the one they were sent to.
  bool SharesStatus(const Flight& flight) const;
  bool Resetting() const;
  void Starve(Flight& flight);
  Parcel& Stow(const usb::Transfer& transfer);
  void Deliver();
  void ForgetConversation();

  // fault_own.cc: the injector's own operations.
  enum class Errand : uint8_t { kNone, kReset, kUnplug, kSuspending, kSuspended, kResuming };
  enum class Drain : uint8_t { kNone, kRest, kData, kClear, kStatus };
  bool own_busy() const { return errand_ != Errand::kNone || drain_ != Drain::kNone; }
  void PlayPort(Flight& flight);
  void SendOwn(const usb::PortRequest& request);
  void HandleOwnDone(usb::PortOp& op);
  void EndErrand(usb::Outcome outcome);
  void EndSuspend();
  void BeginDrain(Flight& flight, Drain drain, uint32_t length);
  void DrainMore();
  void ReadOwn(uint32_t length);
  void HandleOwnDone(usb::Transfer& transfer);
  void EndDrain(std::optional<usb::Outcome> outcome);
  void CancelOwn();

  // fault_port.cc: requests to the port.
  PortFlight& TakePort(usb::PortOp& op);
  void BeginPort(PortFlight& flight);
  void ForwardPort(PortFlight& flight);
  void HandlePortDone(const usb::PortRequest& request);
  void CancelHeld();

  Clock& clock_;
  usb::Link& inner_;
  fault::Player& player_;
  fault::PortState* const port_;
  bool watching_ = false;    // the plan has rules for this place
  bool stalls_out_ = false;  // one of them cuts data-out short
  bool disconnected_ = false;

  std::deque<Flight> flights_;  // never removed: words name them by index
  IntrusiveList<Flight> free_;
  IntrusiveList<Flight> live_;  // in the order they were submitted
  std::deque<PortFlight> port_flights_;
  uint64_t in_flight_count_ = 0;                  // transfers and port requests
  std::bitset<usb::kEndpointIndexCount> halted_;  // the host was told, and has not cleared it
  std::bitset<usb::kEndpointIndexCount> silent_;

  // The conversation under way, and what the injector owes it.
  BotWatch watch_;
  UasWatch uas_;
  std::optional<const fault::Rule*> drawn_early_;  // for the first data-out of the command
  uint64_t drawn_early_serial_ = 0;
  // What the device got of this command is spoilt; by which injection, and whether in its wrapper.
  uint64_t spoilt_serial_ = 0;  // 0: nothing is
  bool spoilt_wrapper_ = false;
  uint16_t spoilt_tag_ = 0;  // of UAS
  bool forged_ = false;      // the device does not know of the command
  bool stall_status_again_ = false;
  std::optional<uint32_t> residue_;  // what its status must say
  std::optional<wire::bot::CommandStatusWrapper> last_status_;

  std::deque<std::unique_ptr<Parcel>> parcels_;
  bool mail_ = false;  // there may be parcels, or reads that are starved
  std::array<std::vector<uint16_t>, 2> ready_lost_;  // of these tags, data-in and data-out

  Errand errand_ = Errand::kNone;
  Drain drain_ = Drain::kNone;
  Flight* own_flight_ = nullptr;  // whose operation it is
  uint32_t drain_left_ = 0;       // bytes
  uint8_t clears_count_ = 0;
  usb::Outcome doom_ = usb::Outcome::kFault;
  usb::PortOp own_op_;
  usb::Transfer own_transfer_;
  std::vector<uint8_t> own_room_;
};

}  // namespace usbtwin::link
