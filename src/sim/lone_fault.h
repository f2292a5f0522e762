// What one fault by itself may cost: judges a command that met at most one fault while all was well
// before it. Then more is known than that an answer has a cause (report_judge.h): how high recovery
// may climb, how long it may take, in which phase the error arises, and after how many bytes.
//
// The invariant: every number here follows from what the fault promises (link/fault_kinds.h), from
// the command's deadline and from the latencies of the world; nothing from the code that is judged.
// Called by DiskRun.
#pragma once

#include <optional>

#include "link/fault_plan.h"
#include "link/fault_player.h"
#include "proto/bot_host.h"
#include "sim/report_judge.h"
#include "sim/wrong.h"

namespace usbtwin::sim {

// How the command went.
struct Course {
  const fault::Injection* met = nullptr;  // null: none
  const fault::Rule* rule = nullptr;      // by which it was played
  bot::Rung rung = bot::Rung::kNone;      // the highest that recovery came to
  Duration timeout{};                     // the deadline that the command was given
  Duration took{};
  Duration latency{};          // of everything that lies between host and medium, one way after
                               // the other, at most
  Duration since_cancelled{};  // of a command that was cancelled; its end is counted from there
  uint64_t steps_since_cancelled = 0;  // of the world
  bool far = false;                    // USB/IP lies between
  bool ahead = false;                  // the command's transfers go out together
};

// What is wrong with the answer to such a command; nothing where all is well.
std::optional<Wrong> JudgeLone(const SentCommand& sent, const Course& course,
                               const Result<host::ScsiResult>& answer);

}  // namespace usbtwin::sim
