#include "tools/sim_report.h"

#include <fmt/format.h>

#include "base/text.h"
#include "proto/bot_host.h"
#include "proto/uas_host.h"
#include "tools/exit_status.h"
#include "tools/json_text.h"

namespace usbtwin::tools {
namespace {

double MeanBlocks(const sim::RunReport& report) {
  const uint64_t count = report.reads + report.writes;
  return count == 0 ? 0 : static_cast<double>(report.blocks_moved) / static_cast<double>(count);
}

double MeanAtOnce(const sim::UasCount& uas) {
  if (uas.commands == 0) return 0;
  return static_cast<double>(uas.at_once) / static_cast<double>(uas.commands);
}

std::string TimeText(Duration time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  return fmt::format("{} h {:02} min {:02} s", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string RowText(const char* name, const sim::FaultCount& count) {
  return fmt::format("{:<24}{:>10}{:>10}{:>11}{:>10}{:>11}{:>11}{:>9}\n", name, count.injected,
                     count.observed, count.recovered, count.reported, count.passed_on,
                     count.cancelled, count.outside);
}

}  // namespace

std::string SimText(const std::string& what, const sim::RunReport& report) {
  std::string text = fmt::format(
      "{}: {}, {}, {}, {} of virtual time\n"
      "{} reads and {} writes of {:.1f} blocks on average; {} MB compared\n"
      "{} ended well, {} were cancelled; {} went through a block device\n",
      what, Count(report.runs, "run"), Count(report.commands, "command"),
      Count(report.opened, "opening"), TimeText(report.virtual_time), report.reads, report.writes,
      MeanBlocks(report), report.bytes_compared / 1'000'000, Count(report.good, "command"),
      report.cancelled, Count(report.block_runs, "run"));
  text += fmt::format(
      "{} over USB/IP: {}, of which {} broke and {} went silent\n"
      "{} over UASP, {} with streams: {}, {:.1f} at once on average\n"
      "{} took {} back to what they held before\n\n",
      Count(report.usbip.runs, "run"), Count(report.usbip.connections, "connection"),
      report.usbip.broken, report.usbip.silenced, Count(report.uas.runs, "run"),
      report.uas.stream_runs, Count(report.uas.commands, "command"), MeanAtOnce(report.uas),
      Count(report.power_losses, "power loss", "power losses"), Count(report.rolled_back, "block"));
  text += fmt::format("{:<24}{:>10}{:>10}{:>11}{:>10}{:>11}{:>11}{:>9}\n", "fault", "injected",
                      "observed", "recovered", "reported", "passed on", "cancelled", "outside");
  sim::FaultCount all;
  std::string unseen;
  for (const fault::KindInfo& info : fault::Kinds()) {
    const sim::FaultCount& count = report.faults[static_cast<size_t>(info.kind)];
    text += RowText(info.name, count);
    all.Add(count);
    if (count.observed == 0) unseen += std::string(unseen.empty() ? " " : ", ") + info.name;
  }
  text += RowText("all", all);
  if (!unseen.empty() && all.injected != 0) text += "never observed:" + unseen + "\n";
  text += "\ncommands by the highest rung of recovery:";
  for (size_t rung = 1; rung < report.rungs.size(); ++rung) {
    text += fmt::format("{} {} {}", rung == 1 ? "" : ",", bot::Name(static_cast<bot::Rung>(rung)),
                        report.rungs[rung]);
  }
  text += "\nand over UASP:";
  for (size_t rung = 1; rung < report.uas.rungs.size(); ++rung) {
    text += fmt::format("{} {} {}", rung == 1 ? "" : ",", uas::Name(static_cast<uas::Rung>(rung)),
                        report.uas.rungs[rung]);
  }
  text += fmt::format("\nhistory {:016x}\n", report.history);
  return text;
}

std::string SimJson(uint64_t seed, const sim::RunReport& report,
                    const std::optional<FailedRun>& failed) {
  Json json = JsonHead("usbtwin sim");
  json["seed"] = seed;
  json["runs"] = report.runs;
  json["commands"] = report.commands;
  json["reads"] = report.reads;
  json["writes"] = report.writes;
  json["mean_blocks"] = MeanBlocks(report);
  json["bytes_compared"] = report.bytes_compared;
  json["good"] = report.good;
  json["cancelled"] = report.cancelled;
  json["openings"] = report.opened;
  json["block_runs"] = report.block_runs;
  json["power_losses"] = report.power_losses;
  json["rolled_back"] = report.rolled_back;
  json["virtual_ns"] = report.virtual_time.count();
  json["history"] = fmt::format("{:016x}", report.history);
  json["usbip"] = {{"runs", report.usbip.runs},
                   {"connections", report.usbip.connections},
                   {"broken", report.usbip.broken},
                   {"silenced", report.usbip.silenced}};
  json["faults"] = Json::object();
  for (const fault::KindInfo& info : fault::Kinds()) {
    const sim::FaultCount& count = report.faults[static_cast<size_t>(info.kind)];
    json["faults"][info.name] = {{"injected", count.injected},   {"observed", count.observed},
                                 {"recovered", count.recovered}, {"reported", count.reported},
                                 {"passed_on", count.passed_on}, {"cancelled", count.cancelled},
                                 {"outside", count.outside}};
  }
  json["rungs"] = Json::object();
  for (size_t rung = 1; rung < report.rungs.size(); ++rung) {
    json["rungs"][bot::Name(static_cast<bot::Rung>(rung))] = report.rungs[rung];
  }
  json["uasp"] = {{"runs", report.uas.runs},
                  {"stream_runs", report.uas.stream_runs},
                  {"commands", report.uas.commands},
                  {"mean_at_once", MeanAtOnce(report.uas)}};
  json["uasp_rungs"] = Json::object();
  for (size_t rung = 1; rung < report.uas.rungs.size(); ++rung) {
    json["uasp_rungs"][uas::Name(static_cast<uas::Rung>(rung))] = report.uas.rungs[rung];
  }
  json["failure"] = nullptr;
  if (failed) {
    json["exit_status"] = static_cast<int>(kExitDiffers);
    json["error"] = {{"text", failed->result.failure}, {"kind", "failed"}};
    json["failure"] = {{"seed", failed->seed},
                       {"command", failed->result.failed_command},
                       {"text", failed->result.failure}};
  }
  return JsonText(json);
}

}  // namespace usbtwin::tools
