// World: where everything runs in virtual time under one Chooser. It is a Clock: what is posted
// runs first in, first out; time moves only when nothing is ready, to the next timer; and of the
// timers that are due at the same time the Chooser says which fires first. It knows events and
// nothing of USB. When nothing is left to happen and the work is not done, the world is stuck, and
// says who waits for what.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/chooser.h"
#include "base/error.h"
#include "base/event_queue.h"

namespace usbtwin::sim {

class World final : public Clock {
 public:
  // The chooser outlives the world.
  explicit World(Chooser& chooser) : chooser_(chooser) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  TimePoint Now() const override { return now_; }
  void Post(Deferred& item) override { queue_.Post(item); }
  bool idle() const override { return queue_.idle(); }
  void Arm(Timer& timer, TimePoint when) override { queue_.Arm(timer, when); }
  void Disarm(Timer& timer) override { queue_.Disarm(timer); }
  Chooser& chooser() { return chooser_; }

  // Runs one batch of posted items or, where there is none, fires one of the next timers, by
  // choice. False when nothing is left to happen.
  bool Step();

  // Why RunUntil gave up.
  enum class Trouble : uint8_t {
    kStuck,    // nothing is left to happen
    kEndless,  // still not done after steps_max
  };
  // Steps until `done()`.
  template <class Done>
  Result<void, Trouble> RunUntil(Done done, uint64_t steps_max) {
    for (uint64_t step = 0; !done(); ++step) {
      if (step == steps_max) return Trouble::kEndless;
      if (!Step()) return Trouble::kStuck;
    }
    return {};
  }
  uint64_t steps() const { return steps_; }

  // Someone who can say what he waits for: "READ(10) waits for its status". Asked only when the
  // world is stuck or endless; empty where he waits for nothing. Named for the list.
  void AddWitness(std::string name, std::function<std::string()> waits_for);
  // "name: what", one line each.
  std::string Waiting() const;

 private:
  Chooser& chooser_;
  EventQueue queue_;
  TimePoint now_;
  uint64_t steps_ = 0;
  std::vector<std::pair<std::string, std::function<std::string()>>> witnesses_;
};

}  // namespace usbtwin::sim
