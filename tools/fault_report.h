// What became of a fault plan, for people and for programs: the same words in both programs.
#pragma once

#include <span>
#include <string>

#include "app/send_cdb.h"
#include "host/scsi_transport.h"
#include "tools/json_text.h"

namespace usbtwin::tools {

// A line for each kind that happened: "fault bot.stall-data: played 1, observed 1".
std::string FaultText(std::span<const app::FaultCount> faults);
// A warning for each rule that never came to anything, and for each of which the host never noticed
// anything: such a fault proves nothing about the host.
std::string FaultWarningText(const std::string& program, std::span<const app::FaultCount> faults);
Json FaultsJson(std::span<const app::FaultCount> faults);

// "commands by the highest rung of recovery: clear halt 3, port reset 1"; "" where none was needed.
std::string RecoveryText(std::span<const host::RecoveryCount> recoveries);
Json RecoveriesJson(std::span<const host::RecoveryCount> recoveries);

// Both, as "faults" and "recoveries".
void AddFaultsJson(Json& json, std::span<const app::FaultCount> faults,
                   std::span<const host::RecoveryCount> recoveries);

}  // namespace usbtwin::tools
