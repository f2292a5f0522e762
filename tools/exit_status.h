// Exit codes: one table for both programs, and sg3_utils' table for scripts written for sg_raw. A
// code is decided from the result alone, never from what was printed, so every path has one.
//
//   0  good: the device reported success
//   1  usbtwin disk verify: the disk and the file differ; usbtwin sim: a run failed
//   2  the device reported CHECK CONDITION, or another status that is not good
//   3  the device could not be opened, be it for its image or its profile, or the conversation with
//      it broke
//   4  the arguments make no sense, or a file they name cannot be opened or made
//   5  a file or pipe broke while it was read or written
#pragma once

#include <string>

#include "app/failure.h"
#include "app/send_cdb.h"

namespace usbtwin::tools {

enum class ExitTable { kPlain, kSg3 };

inline constexpr int kExitGood = 0;
inline constexpr int kExitDiffers = 1;
inline constexpr int kExitCheckCondition = 2;
inline constexpr int kExitTransport = 3;
inline constexpr int kExitUsage = 4;
inline constexpr int kExitFile = 5;

int ExitStatus(ExitTable table, const app::CdbResult& result);
int ExitStatus(ExitTable table, app::Failure::Kind kind);
// Options that contradict each other have a code of their own in sg3_utils' table.
int ContradictionExitStatus(ExitTable table);

// The table above, for --help; with the 1 of `usbtwin disk verify`, or without.
std::string ExitStatusHelp(bool with_difference);

}  // namespace usbtwin::tools
