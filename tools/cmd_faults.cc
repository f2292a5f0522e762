// usbtwin faults: the kinds of faults that a plan (--faults) can play, as a list, or one explained
// with a rule to start from. Both come from the table in link/fault_kinds.
#include <fmt/format.h>

#include "app/fault_config.h"
#include "os/console.h"
#include "tools/exit_status.h"
#include "tools/json_text.h"
#include "tools/verb.h"

namespace usbtwin::tools {
namespace {

using app::Failure;
using fault::Kind;
using fault::KindInfo;
using fault::Moment;
using fault::Parameter;

struct Options {
  std::string name;
  bool json = false;
};

std::string_view GroupText(std::string_view group) {
  if (group == "usb") return "transfers of any device";
  if (group == "port") return "the port it is plugged into";
  if (group == "bot") return "Bulk-Only Transport";
  if (group == "uas") return "USB Attached SCSI";
  if (group == "scsi") return "logical units of an emulated device";
  return "the stores behind the units of an emulated device";
}

std::string DefaultText(const KindInfo& info) {
  return info.parameter_default == UINT32_MAX ? "all" : std::to_string(info.parameter_default);
}

std::string ParameterText(const KindInfo& info) {
  if (info.parameter == Parameter::kNone) return "";
  return fmt::format("{} = {}", app::KeyOf(info.parameter), DefaultText(info));
}

std::vector<std::string> MomentsOf(const KindInfo& info) {
  std::vector<std::string> names;
  for (size_t moment = 0; moment < fault::kMomentsCount; ++moment) {
    if (info.at(static_cast<Moment>(moment))) names.push_back(Name(static_cast<Moment>(moment)));
  }
  return names;
}

std::vector<std::string> ConditionsOf(const KindInfo& info) {
  const app::FaultConditions conditions = app::ConditionsOf(info.kind);
  std::vector<std::string> names;
  if (conditions.endpoint) names.emplace_back("endpoint");
  if (conditions.opcode) names.emplace_back("opcode");
  if (conditions.blocks) names.insert(names.end(), {"lun", "blocks"});
  if (conditions.tag) names.emplace_back("tag");
  return names;
}

std::string Join(const std::vector<std::string>& names) {
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

// A plan of one rule that can be played as it is.
std::string SampleOf(const KindInfo& info) {
  std::string text = fmt::format("[[fault]]\nkind = \"{}\"\n", info.name);
  const app::FaultConditions conditions = app::ConditionsOf(info.kind);
  const bool ends_store = info.at(Moment::kStoreFlush);
  if (conditions.tag && !info.at(Moment::kPortRequest)) {
    text += "opcode = 0x28         # only READ(10)\n";
  } else if (conditions.blocks && !info.at(Moment::kPortRequest) && !ends_store) {
    text += "blocks = [0, 99]      # only where one of these is touched\n";
  }
  text += "nth = 2               # the second time\n";
  text += "times = 1             # once in all\n";
  if (info.parameter == Parameter::kNone) return text;
  const bool all = info.parameter_default == UINT32_MAX;
  return text + fmt::format("{} = {}\n", app::KeyOf(info.parameter), all ? "0" : DefaultText(info));
}

std::string ListText() {
  std::string text;
  std::string_view group;
  for (const KindInfo& info : fault::Kinds()) {
    if (app::GroupOf(info.kind) != group) {
      group = app::GroupOf(info.kind);
      text += fmt::format("{}{}: {}\n", text.empty() ? "" : "\n", group, GroupText(group));
    }
    text += fmt::format("  {:<24}{:<17}{}\n", info.name, ParameterText(info), info.text);
  }
  return text + "\nusbtwin faults NAME explains one; usbtwin faults --help shows a plan.\n";
}

std::string OneText(const KindInfo& info) {
  std::string text = fmt::format(
      "{}\n"
      "  what happens   {}\n"
      "  a good host    {}\n"
      "  begins at      {}\n"
      "  conditions     {}\n",
      info.name, info.text, info.host, Join(MomentsOf(info)), Join(ConditionsOf(info)));
  text += fmt::format("  parameter      {}\n", info.parameter == Parameter::kNone
                                                   ? "none"
                                                   : ParameterText(info) + " where it is absent");
  if (app::NeedsTwin(info.kind)) text += "  possible       with emulated devices\n";
  return text + "\nA plan of one rule:\n\n" + SampleOf(info);
}

Json JsonOf(const KindInfo& info) {
  Json json;
  json["kind"] = info.name;
  json["group"] = app::GroupOf(info.kind);
  json["text"] = info.text;
  json["host"] = info.host;
  json["moments"] = MomentsOf(info);
  json["conditions"] = ConditionsOf(info);
  json["parameter"] = nullptr;
  if (info.parameter != Parameter::kNone) {
    json["parameter"] = {{"key", app::KeyOf(info.parameter)}, {"default", nullptr}};
    if (info.parameter_default != UINT32_MAX) {
      json["parameter"]["default"] = info.parameter_default;  // null: all there is
    }
  }
  json["needs_twin"] = app::NeedsTwin(info.kind);
  json["sample"] = SampleOf(info);
  return json;
}

int RunFaults(const Options& options) {
  std::optional<Kind> kind;
  if (!options.name.empty()) {
    kind = fault::ParseKind(options.name);
    if (!kind) {
      const Failure failure{Failure::Kind::kUsage, app::DescribeUnknownKind(options.name)};
      return Fail("faults", failure, options.json);
    }
  }
  std::string text = kind ? OneText(fault::Info(*kind)) : ListText();
  if (options.json) {
    Json json = JsonHead("usbtwin faults");
    json["kinds"] = Json::array();
    for (const KindInfo& info : fault::Kinds()) {
      if (!kind || *kind == info.kind) json["kinds"].push_back(JsonOf(info));
    }
    text = JsonText(json);
  }
  const Result<void, Failure> printed = os::PrintOutput(text);
  return printed ? kExitGood : Fail("faults", printed.error());
}

constexpr const char* kFooter =
    "Every command that opens a device takes --faults with a plan like this:\n\n"
    "  seed = 7                  # of all chance; the same seed, the same run\n"
    "  [[fault]]                 # any number of rules; the first that is due is played\n"
    "  kind = \"bot.stall-data\"   # what: the data pipe halts ...\n"
    "  length = 512              # ... after 512 bytes\n"
    "  opcode = 0x28             # where: READ(10) ...\n"
    "  blocks = [1000, 1999]     # ... of these blocks; or endpoint, lun, tag\n"
    "  nth = 3                   # when: the third such time; once, unless told otherwise\n"
    "  [[fault]]\n"
    "  kind = \"usb.corrupt-in\"\n"
    "  endpoint = 0x81\n"
    "  probability = 0.01        # or one_in = 100; one_in = 1: always\n"
    "  times = 5                 # at most\n"
    "  after_ms = 1000           # since the device was opened; until_ms, too\n\n"
    "The command says afterwards what was played, what the host noticed, and what never happened.";

}  // namespace

void AddFaultsVerb(CLI::App& cli, Chosen& chosen) {
  CLI::App* faults = AddVerb<Options>(
      cli, chosen, "faults", "list the faults that a plan (--faults) can play, or explain one",
      [](CLI::App& verb, Options& options) {
        verb.add_option("kind", options.name, "explain this one: bot.stall-data")
            ->type_name("NAME");
        verb.add_flag("--json", options.json, "the same as one JSON object");
      },
      RunFaults);
  faults->footer(kFooter);
}

}  // namespace usbtwin::tools
