// Shrink: makes the choices of a failing run fewer and smaller while it still breaks the same law
// (sim/wrong.h).
//
// What a choice was for is known while it is cut: where a candidate's run asks for something else
// than its list has next, the list is brought back into step, so that leaving out a command or a
// fault does not make nonsense of all that follows. The invariant: the list that comes back fails,
// and is never longer. Called by `usbtwin sim` and tests.
#pragma once

#include <functional>

#include "sim/choice_list.h"

namespace usbtwin::sim {

struct ShrinkOptions {
  uint64_t tries_max = 20'000;  // runs; at most 100 that are stuck, as those stay in memory
  // Called before each try with what there is so far; false ends it.
  std::function<bool(uint64_t tries, size_t choices_count)> progress;
};

ChoiceList Shrink(ChoiceList list, const RunResult& failed, const ShrinkOptions& options = {});

}  // namespace usbtwin::sim
