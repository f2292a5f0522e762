#include "tools/fault_report.h"

#include <fmt/format.h>

namespace usbtwin::tools {

std::string FaultText(std::span<const app::FaultCount> faults) {
  std::string text;
  for (const app::FaultCount& fault : faults) {
    if (fault.injected == 0) continue;
    text += fmt::format("fault {}: played {}, observed {}\n", fault.kind, fault.injected,
                        fault.observed);
  }
  return text;
}

std::string FaultWarningText(const std::string& program, std::span<const app::FaultCount> faults) {
  std::string text;
  for (const app::FaultCount& fault : faults) {
    for (const std::string& place : fault.idle_places) {
      text += fmt::format("{}: warning: {}: this {} never happened\n", program, place, fault.kind);
    }
    for (const std::string& place : fault.unseen_places) {
      text += fmt::format("{}: warning: {}: the host noticed nothing of this {}\n", program, place,
                          fault.kind);
    }
  }
  return text;
}

Json FaultsJson(std::span<const app::FaultCount> faults) {
  Json json = Json::array();
  for (const app::FaultCount& fault : faults) {
    Json one;
    one["kind"] = fault.kind;
    one["injected"] = fault.injected;
    one["observed"] = fault.observed;
    one["never_happened"] = fault.idle_places;
    one["never_observed"] = fault.unseen_places;
    json.push_back(one);
  }
  return json;
}

std::string RecoveryText(std::span<const host::RecoveryCount> recoveries) {
  std::string text;
  for (const host::RecoveryCount& recovery : recoveries) {
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", recovery.rung, recovery.commands_count);
  }
  return text.empty() ? text : "commands by the highest rung of recovery: " + text + "\n";
}

Json RecoveriesJson(std::span<const host::RecoveryCount> recoveries) {
  Json json = Json::object();
  for (const host::RecoveryCount& recovery : recoveries) {
    json[recovery.rung] = recovery.commands_count;
  }
  return json;
}

void AddFaultsJson(Json& json, std::span<const app::FaultCount> faults,
                   std::span<const host::RecoveryCount> recoveries) {
  json["faults"] = FaultsJson(faults);
  json["recoveries"] = RecoveriesJson(recoveries);
}

}  // namespace usbtwin::tools
