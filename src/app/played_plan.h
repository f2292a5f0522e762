// PlayedPlan: a fault plan while it is played: the file, its chance and its player, and what became
// of each rule. One for a device, however often that is opened.
#pragma once

#include <vector>

#include "app/fault_config.h"
#include "app/send_cdb.h"
#include "base/seeded.h"
#include "link/fault_player.h"

namespace usbtwin::app {

class PlayedPlan {
 public:
  PlayedPlan(const Clock& clock, FaultFile plan_file)
      : file_(std::move(plan_file)), chooser_(file_.seed), player_(clock, chooser_, file_.plan) {}

  fault::Player& player() { return player_; }
  // By kind, in the plan's order.
  std::vector<FaultCount> counts() const;

 private:
  const FaultFile file_;
  Seeded chooser_;
  fault::Player player_;
};

}  // namespace usbtwin::app
