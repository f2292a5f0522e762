#include "app/fault_config.h"

#include <algorithm>
#include <cmath>

#include "app/toml_reader.h"
#include "base/text.h"

namespace usbtwin::app {
namespace {

using fault::Kind;
using fault::KindInfo;
using fault::Moment;
using fault::Parameter;
using fault::Rule;

constexpr int64_t kDelayMax = 86'400'000;      // ms: a day
constexpr int64_t kCountMax = 1'000'000'000;   // occasions
constexpr int64_t kTimeMax = 365 * kDelayMax;  // ms
constexpr TomlTable::Range kWord{0, UINT32_MAX};

bool IsAtAny(const KindInfo& info, std::initializer_list<Moment> moments) {
  return std::any_of(moments.begin(), moments.end(),
                     [&info](Moment moment) { return info.at(moment); });
}

void Refuse(const TomlTable& table, const char* key, const KindInfo& info) {
  if (!table.Has(key)) return;
  table.Fail(key, std::string("where ") + info.name + " begins, none is known");
}

void ReadWhere(const TomlTable& table, const KindInfo& info, Rule& rule) {
  const FaultConditions conditions = ConditionsOf(info.kind);
  if (!conditions.endpoint) Refuse(table, "endpoint", info);
  if (!conditions.opcode) Refuse(table, "opcode", info);
  if (!conditions.blocks) Refuse(table, "lun", info);
  if (!conditions.blocks) Refuse(table, "blocks", info);
  if (!conditions.tag) Refuse(table, "tag", info);
  if (const auto endpoint = table.Integer("endpoint", {0, 0xff})) {
    // USB 2.0, 9.6.6: bits 4 to 6 of bEndpointAddress are reserved.
    if ((*endpoint & 0x70) != 0) {
      table.Fail("endpoint", std::to_string(*endpoint) +
                                 " is no endpoint address: 0 to 0x0f are OUT, 0x80 to 0x8f are IN");
    }
    rule.endpoint = static_cast<uint8_t>(*endpoint);
  }
  if (const auto opcode = table.Integer("opcode", {0, 0xff})) {
    rule.opcode = static_cast<uint8_t>(*opcode);
  }
  if (const auto lun = table.Integer("lun", {0, 15})) rule.lun = static_cast<uint8_t>(*lun);
  if (const auto tag = table.Integer("tag", kWord)) rule.tag = static_cast<uint32_t>(*tag);
  if (const auto blocks = table.Interval("blocks", {0, INT64_MAX})) {
    rule.blocks = {static_cast<uint64_t>(blocks->min), static_cast<uint64_t>(blocks->max)};
  }
}

void ReadWhen(const TomlTable& table, Rule& rule) {
  const auto count = [&table](const char* key) -> std::optional<uint64_t> {
    const std::optional<int64_t> number = table.Integer(key, {1, kCountMax});
    if (!number) return std::nullopt;
    return static_cast<uint64_t>(*number);
  };
  rule.nth = count("nth").value_or(1);
  rule.one_in = count("one_in");
  rule.times = count("times");
  if (const std::optional<double> probability = table.Number("probability")) {
    constexpr double kMin = 1.0 / Rule::kCertain;
    // Not the other way round: what is no number is not within, either.
    if (!(*probability >= kMin && *probability <= 1)) {
      table.Fail("probability", "not within 0.000000001 and 1");
    } else {
      rule.chance = static_cast<uint32_t>(std::lround(*probability * Rule::kCertain));
    }
    if (table.Has("one_in")) table.Fail("one_in", "and probability: give one of the two");
  }
  const bool repeats = table.Has("one_in") || table.Has("probability");
  if (!repeats && !table.Has("times")) rule.times = 1;
  const auto after = table.Integer("after_ms", {0, kTimeMax});
  const auto until = table.Integer("until_ms", {0, kTimeMax});
  rule.after = std::chrono::milliseconds(after.value_or(0));
  if (until) rule.until = std::chrono::milliseconds(*until);
  if (until && *until < after.value_or(0)) {
    table.Fail("until_ms", std::to_string(*until) +
                               " is before after_ms = " + std::to_string(after.value_or(0)));
  }
}

void ReadParameter(const TomlTable& table, const KindInfo& info, Rule& rule) {
  const std::string_view allowed = KeyOf(info.parameter);
  for (const char* key : {"delay_ms", "length", "value"}) {
    if (key == allowed || !table.Has(key)) continue;
    table.Fail(key,
               std::string(info.name) + " takes " +
                   (allowed.empty() ? "no parameter" : std::string(allowed) + ", and no other"));
  }
  const TomlTable::Range values = info.kind == Kind::kReservedStatus ? TomlTable::Range{3, 255}
                                                                     // BOT 1.0, table 5.3
                                                                     : kWord;
  switch (info.parameter) {
    case Parameter::kNone: return;
    case Parameter::kDelay:
      if (const auto delay = table.Integer("delay_ms", {0, kDelayMax})) {
        rule.delay = std::chrono::milliseconds(*delay);
      }
      return;
    case Parameter::kLength:
      if (const auto length = table.Integer("length", kWord)) {
        rule.length = static_cast<uint32_t>(*length);
      }
      return;
    case Parameter::kValue:
      if (const auto value = table.Integer("value", values)) {
        rule.value = static_cast<uint32_t>(*value);
      }
      return;
  }
}

void ReadRule(TomlFile& file, const toml::table& source, FaultFile& target) {
  const TomlTable table(
      file, source, "fault",
      {"kind", "endpoint", "opcode", "lun", "blocks", "tag", "nth", "times", "probability",
       "one_in", "after_ms", "until_ms", "delay_ms", "length", "value"});
  if (!table.Has("kind")) {
    return table.Fail("kind", "missing; `usbtwin faults` lists what is possible");
  }
  const std::optional<std::string> name = table.Text("kind");
  if (!name) return;
  const std::optional<Kind> kind = fault::ParseKind(*name);
  if (!kind) return table.Fail("kind", DescribeUnknownKind(*name));
  const KindInfo& info = fault::Info(*kind);
  Rule rule{.kind = *kind};
  ReadWhere(table, info, rule);
  ReadWhen(table, rule);
  ReadParameter(table, info, rule);
  target.plan.rules.push_back(rule);
  target.places.push_back(Printable(file.path) + ":" + std::to_string(source.source().begin.line));
}

void ReadFile(TomlFile& file, const toml::table& source, FaultFile& target) {
  const TomlTable table(file, source, "", {"seed", "fault"});
  target.seed = static_cast<uint64_t>(table.Integer("seed", {0, INT64_MAX}).value_or(1));
  const std::vector<const toml::table*> rules = table.Tables("fault");
  if (rules.empty() || rules.size() > FaultFile::kRulesMax) {
    table.Fail("fault", std::to_string(rules.size()) + " tables [[fault]], 1 to " +
                            std::to_string(FaultFile::kRulesMax) + " are possible");
  }
  for (const toml::table* rule : rules) ReadRule(file, *rule, target);
}

}  // namespace

std::string_view GroupOf(Kind kind) {
  const std::string_view name = fault::Info(kind).name;
  return name.substr(0, name.find('.'));
}

const char* KeyOf(Parameter parameter) {
  switch (parameter) {
    case Parameter::kNone: return "";
    case Parameter::kDelay: return "delay_ms";
    case Parameter::kLength: return "length";
    case Parameter::kValue: return "value";
  }
  return "";
}

std::string DescribeUnknownKind(const std::string& name) {
  const std::string group = name.substr(0, name.find('.'));
  std::string names;
  std::string groups;
  std::string_view last;
  for (const KindInfo& info : fault::Kinds()) {
    const std::string_view known = GroupOf(info.kind);
    if (known == group) names.append(names.empty() ? "" : ", ").append(info.name);
    if (known != last) groups.append(groups.empty() ? "" : ", ").append(known).append(".");
    last = known;
  }
  const std::string text = Quote(name) + " is no kind of fault; ";
  if (!names.empty()) return text + "known are " + names;
  return text + "they begin with " + groups + "; `usbtwin faults` lists them";
}

FaultConditions ConditionsOf(Kind kind) {
  const KindInfo& info = fault::Info(kind);
  const bool transfer = IsAtAny(info, {Moment::kCommand, Moment::kDataIn, Moment::kDataOut,
                                       Moment::kStatus, Moment::kCommandIu, Moment::kStatusIu,
                                       Moment::kDataLeg, Moment::kControl, Moment::kCancel});
  const bool port = info.at(Moment::kPortRequest);
  const bool unit = info.at(Moment::kExecute);
  const bool store = IsAtAny(info, {Moment::kStoreRead, Moment::kStoreWrite, Moment::kStoreFlush});
  return {.endpoint = transfer || kind == Kind::kClearHaltFails || kind == Kind::kPortSlow,
          .opcode = transfer || port || unit,
          .blocks = transfer || port || unit || store,
          .tag = transfer || port};
}

bool NeedsTwin(Kind kind) {
  return IsAtAny(fault::Info(kind),
                 {Moment::kExecute, Moment::kStoreRead, Moment::kStoreWrite, Moment::kStoreFlush});
}

Result<void, Failure> CheckWithoutTwin(const FaultFile& file, const std::string& device) {
  for (size_t index = 0; index < file.plan.rules.size(); ++index) {
    const Kind kind = file.plan.rules[index].kind;
    if (!NeedsTwin(kind)) continue;
    return Failure{Failure::Kind::kUsage,
                   file.places[index] + ": " + fault::Info(kind).name +
                       " begins inside an emulated device, and " + Printable(device) +
                       " is none; usb., port., bot. and uas. faults are possible there"};
  }
  return {};
}

Result<FaultFile, Failure> ParseFaults(std::string_view text, const std::string& path) {
  TomlFile file{.path = path, .failure = std::nullopt};
  const std::optional<toml::table> parsed = ParseToml(file, text);
  if (!parsed) return *file.failure;
  FaultFile target;
  ReadFile(file, *parsed, target);
  if (file.failure) return *file.failure;
  return target;
}

Result<FaultFile, Failure> LoadFaults(System& system, const std::string& path) {
  const Result<std::vector<uint8_t>, Failure> bytes = system.ReadFile(path, kTomlLengthMax);
  if (!bytes) return bytes.error();
  return ParseFaults(std::string(bytes->begin(), bytes->end()), path);
}

}  // namespace usbtwin::app
