#include "sim/world.h"

namespace usbtwin::sim {

bool World::Step() {
  ++steps_;
  if (queue_.RunPosted() != 0) return true;
  const TimePoint next = queue_.deadline();
  if (next == kNever) return false;
  if (next > now_) now_ = next;
  const size_t due = queue_.CountDue(now_);
  queue_.FireDue(now_, due == 1 ? 0 : chooser_.Choose(due, "which of the events that are due"));
  return true;
}

void World::AddWitness(std::string name, std::function<std::string()> waits_for) {
  witnesses_.emplace_back(std::move(name), std::move(waits_for));
}

std::string World::Waiting() const {
  std::string lines;
  for (const auto& [name, waits_for] : witnesses_) {
    const std::string what = waits_for();
    if (!what.empty()) lines += name + ": " + what + "\n";
  }
  if (lines.empty()) lines = "nobody says that he waits\n";
  return lines;
}

}  // namespace usbtwin::sim
