#include "app/played_plan.h"

#include <algorithm>

namespace usbtwin::app {

std::vector<FaultCount> PlayedPlan::counts() const {
  std::vector<FaultCount> counts;
  const std::vector<fault::Rule>& rules = file_.plan.rules;
  for (size_t index = 0; index < rules.size(); ++index) {
    const char* name = fault::Info(rules[index].kind).name;
    auto count = std::find_if(counts.begin(), counts.end(),
                              [name](const FaultCount& known) { return known.kind == name; });
    if (count == counts.end()) {
      const fault::Player::Count& played = player_.count(rules[index].kind);
      counts.push_back({.kind = name, .injected = played.injected, .observed = played.observed});
      count = counts.end() - 1;
    }
    const std::string& place = file_.places[index];
    if (player_.played(index) == 0) {
      count->idle_places.push_back(place);
    } else if (player_.observed(index) == 0) {
      count->unseen_places.push_back(place);
    }
  }
  return counts;
}

}  // namespace usbtwin::app
