// Player: carries out one fault plan for one device. Every place that can play faults asks it at
// each moment; the player counts, draws and answers with the rule to play, or with nothing. It
// keeps account of what was played and of what the host came to notice: a fault that nobody could
// see proves nothing.
//
// A link observes for its host, since it hands over what the host sees. A place inside the twin
// only Shows that the answer it is about to give bears a fault; the FaultInjector then says what of
// the answer came through, and that alone is observed. Where no injector carries the answers, what
// is shown is observed.
#pragma once

#include <array>
#include <vector>

#include "base/bytes.h"
#include "base/chooser.h"
#include "link/fault_plan.h"
#include "usb/link.h"

namespace usbtwin::fault {

// The SCSI command that is under way, as far as the place knows it.
struct CommandContext {
  uint8_t opcode = 0;
  uint8_t lun = 0;
  uint32_t tag = 0;           // dCBWTag, or the IU's; 0 where the place sees none
  uint64_t lba = 0;           // valid where blocks_count is not 0
  uint64_t blocks_count = 0;  // blocks it reads or writes
};
// What a command block says of itself; of what is no command nothing but its first byte.
CommandContext ContextOf(Bytes command_block, uint8_t lun, uint32_t tag);

struct Occasion {
  Moment moment;
  std::optional<uint8_t> endpoint;            // bEndpointAddress
  const CommandContext* command = nullptr;    // where one is under way
  const usb::PortRequest* request = nullptr;  // at kPortRequest; its kinds fit some of them only
};

// One fault that was played.
struct Injection {
  Kind kind;
  TimePoint when;
  uint64_t serial = 0;               // its name: 1, 2, ... in the order in which they were drawn
  uint32_t rule = 0;                 // index in the plan
  uint64_t command = 0;              // commands that had gone to the device when it was drawn
  Moment moment = Moment::kCommand;  // at which it was drawn
  CommandContext about;              // what the occasion said of its command
  BlockRange blocks;                 // what the occasion was about, where it named blocks; else all
  bool observed = false;             // the host noticed: another outcome, other bytes, or later
};

// Where the host meets a fault of the twin, if it does.
enum class Sign : uint8_t {
  kData,    // in the data of the command under way, once its status says that they count
  kStatus,  // in its status
  kWait,    // in the wait for its status, or in giving up on it
  kGone,    // in the device being gone
};

class Player {
 public:
  // All three outlive the player; the plan is copied.
  Player(const Clock& clock, Chooser& chooser, Plan plan);

  // Whether Draw could ever answer at this moment: asked first, so that an idle player costs
  // nothing.
  bool watches(Moment moment) const { return !rules_at_[static_cast<size_t>(moment)].empty(); }
  // The rule to play now, or null. Whoever gets one must play it, or Retract it at once.
  const Rule* Draw(const Occasion& occasion);
  // Of the injection drawn last.
  uint64_t serial() const { return serial_; }
  // The rule drawn last cannot be played here after all (data-out of no bytes cannot be cut).
  void Retract() { Retract(serial_); }
  // The same for one drawn earlier, of which nobody saw anything: its rule waits for the next
  // occasion.
  void Retract(uint64_t serial);
  // Retracts it and draws again at the same occasion, among the rules that follow.
  const Rule* Redraw(const Occasion& occasion);
  // The host noticed this one. Saying so again changes nothing.
  void Observe(uint64_t serial);

  // From inside the twin: the answer to the command under way bears this one, there.
  void Show(uint64_t serial, Sign sign);
  // The wait that was shown is over, however it ended.
  void EndWait(uint64_t serial);

  // From the link that carries the twin's answers.
  void CarryAnswers() { carried_ = true; }
  // A command goes to the device: what the one before it showed will not come any more.
  void HandleCommand();
  // The same where others are under way; HandleForgotten says when nothing of them will come.
  void HandleQueuedCommand();
  void HandleForgotten();
  // Of the command, where several are under way. The status came as the device sent it.
  void HandleStatus(const CommandContext* command = nullptr);
  void HandleLostData(const CommandContext* command = nullptr);  // data did not
  // The host gave up on data or status that the device owes.
  void HandleGivenUp(const CommandContext* command = nullptr);
  void HandleGone();  // the device is found to be gone
  uint64_t commands() const { return commands_; }

  // Played since the last Forget, in order; of very many the latest.
  const std::vector<Injection>& injections() const { return injections_; }
  void Forget() { injections_.clear(); }
  void ForgetObserved() {
    std::erase_if(injections_, [](const Injection& injection) { return injection.observed; });
  }
  // Of the whole life.
  struct Count {
    uint64_t injected = 0;
    uint64_t observed = 0;
  };
  const Count& count(Kind kind) const { return counts_[static_cast<size_t>(kind)]; }
  uint64_t injected() const { return injected_; }
  // Of the rule with this index in the plan.
  uint64_t played(size_t rule) const { return states_[rule].played; }
  uint64_t observed(size_t rule) const { return states_[rule].observed; }

  Chooser& chooser() { return chooser_; }
  const Plan& plan() const { return plan_; }
  // No more faults: what is under way ends, nothing new begins.
  void Stop();
  bool stopped() const { return stopped_; }

 private:
  static constexpr size_t kInjectionsMax = 1 << 16;
  static constexpr size_t kShownMax = 256;  // of more, the oldest is forgotten

  struct State {
    uint64_t seen = 0;      // occasions that fit
    uint64_t played = 0;    // times
    uint64_t observed = 0;  // of those
    uint64_t next = 1;      // the occasion at which it is due
    bool unconditional = false;
  };
  struct Shown {
    uint64_t serial;
    Sign sign;
  };

  static bool IsUnconditional(const Rule& rule);
  static bool Fits(const Rule& rule, const Occasion& occasion);
  bool MayPlay(const Rule& rule, const State& state) const;
  uint64_t Gap(const Rule& rule);
  bool Happens(uint32_t chance);
  const Rule* DrawFrom(const Occasion& occasion, uint32_t first);
  Injection* Find(uint64_t serial);
  bool Concerns(uint64_t serial, const CommandContext* command);
  template <class Holds>
  void ObserveShown(const CommandContext* command, Holds holds);

  const Clock& clock_;
  Chooser& chooser_;
  const Plan plan_;
  const TimePoint start_;
  std::array<std::vector<uint32_t>, kMomentsCount> rules_at_;  // indices
  std::vector<State> states_;
  std::vector<Injection> injections_;
  std::array<Count, kKindsCount> counts_{};
  uint64_t injected_ = 0;
  uint64_t serial_ = 0;
  uint64_t commands_ = 0;
  std::vector<Shown> shown_;  // and neither observed nor lost
  bool carried_ = false;      // a link says what came through
  uint32_t last_ = 0;         // index of the rule drawn last
  bool stopped_ = false;
};

}  // namespace usbtwin::fault
