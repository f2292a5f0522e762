#include "sim/swarm.h"

#include <array>

#include "base/check.h"

namespace usbtwin::sim {
namespace {

using fault::Kind;
using fault::Parameter;

constexpr host::StorageProtocol kAny = host::StorageProtocol::kAny;

// Rates from one in 128 to one in 16384 occasions; a command is about five. What only recovery and
// opening offer an occasion for is far more frequent, or it would never be seen.
constexpr uint64_t kRateExponentMin = 7;
constexpr uint64_t kRateExponentMax = 14;
constexpr uint64_t kRareRateExponentMax = 5;

bool IsRare(const fault::KindInfo& info) {
  using fault::Moment;
  for (const Moment moment : {Moment::kCommand, Moment::kDataIn, Moment::kDataOut, Moment::kStatus,
                              Moment::kCommandIu, Moment::kStatusIu, Moment::kDataLeg,
                              Moment::kExecute, Moment::kStoreRead, Moment::kStoreWrite}) {
    if (info.at(moment)) return false;
  }
  return true;
}

fault::Rule DrawRule(Chooser& chooser, const fault::KindInfo& info, bool uas) {
  fault::Rule rule{.kind = info.kind};
  rule.one_in = uint64_t{1} << (IsRare(info) ? chooser.Between(1, kRareRateExponentMax, "how rare")
                                             : chooser.Between(kRateExponentMin, kRateExponentMax,
                                                               "how rare"));
  switch (info.parameter) {
    case Parameter::kNone: break;
    case Parameter::kDelay: {
      static constexpr std::array<uint32_t, 4> kFactors{1, 2, 10, 30};
      const uint32_t factor = kFactors[chooser.Choose(kFactors.size(), "how long")];
      rule.delay = std::chrono::milliseconds(info.parameter_default) * factor / 10;
      break;
    }
    case Parameter::kLength: {
      static constexpr std::array<uint32_t, 7> kLengths{0, 1, 12, 512, 513, 4096, UINT32_MAX};
      // A READ that ends on a full packet before its time has no end that shows over UAS, where
      // what follows may be another command's.
      const bool first = info.kind == Kind::kShortStatus || info.kind == Kind::kShortStatusIu ||
                         (uas && info.kind == Kind::kShortData);
      const size_t count = first ? 3 : kLengths.size();
      rule.length = kLengths[chooser.Choose(count, "how many bytes")];
      break;
    }
    case Parameter::kValue:
      // Bits that the receiver can see are wrong: nothing on the bus protects the others, so a
      // flipped block number is a command to write somewhere else.
      // Of UAS only the first byte says enough of itself: a tag that is another's is as good.
      if (info.kind == Kind::kCorruptOut) rule.value = chooser.Choose(uas ? 8 : 32, "which bit");
      if (info.kind == Kind::kCorruptIn) rule.value = chooser.Choose(uas ? 8 : 64, "which bit");
      if (info.kind == Kind::kReservedStatus) rule.value = 3 + chooser.Choose(253, "which status");
      if (info.kind == Kind::kGarbageIu) rule.value = 8 + chooser.Choose(248, "which IU ID");
      if (info.kind == Kind::kResidueLie && chooser.Choose(2, "which residue") == 1) {
        rule.value = chooser.Choose(1 << 17, "which residue");
      }
      break;
  }
  return rule;
}

// UAS needs high speed, and has streams from SuperSpeed on.
emulator::Profile DrawProfile(Chooser& chooser, bool uas) {
  emulator::Profile profile;
  static constexpr std::array<usb::Speed, 3> kSpeeds{usb::Speed::kHigh, usb::Speed::kSuper,
                                                     usb::Speed::kFull};
  profile.speed = kSpeeds[chooser.Choose(kSpeeds.size() - uas, "which speed")];
  profile.device.speeds.clear();
  profile.device.speeds = emulator::SpeedsUpTo(profile.speed);
  const uint64_t units = chooser.Between(1, 4, "how many units");
  emulator::FunctionProfile function;
  if (uas) function.kind = emulator::FunctionProfile::Kind::kUas;
  for (uint64_t unit = 0; unit < units; ++unit) {
    emulator::UnitProfile drawn;
    // No unit can be taken for another.
    drawn.disk.product = "Unit " + std::to_string(unit);
    drawn.image_path = "unit " + std::to_string(unit);
    drawn.disk.serial += std::to_string(unit);
    drawn.disk.block_size = chooser.Choose(4, "which block size") == 3 ? 4096 : 512;
    drawn.disk.removable = chooser.Choose(4, "removable") == 3;
    drawn.disk.write_cache = chooser.Choose(4, "write cache") != 3;
    drawn.size = chooser.Between(256, 4096, "how many blocks") * drawn.disk.block_size;
    profile.units.push_back(drawn);
    function.units.push_back(unit);
  }
  emulator::ConfigurationProfile configuration;
  configuration.functions.push_back(function);
  profile.configurations.push_back(configuration);
  return profile;
}

// A cancelled command meets its device at work only where work takes time.
Duration DrawLatency(Chooser& chooser, std::string_view what) {
  static constexpr std::array<Duration, 4> kLatencies{
      Duration(0), Duration(0), std::chrono::microseconds(20), std::chrono::milliseconds(1)};
  return kLatencies[chooser.Choose(kLatencies.size(), what)];
}

// The longest transfer still takes less than a command's deadline.
PipesOptions DrawPipes(Chooser& chooser, bool faults) {
  PipesOptions pipes;
  static constexpr std::array<size_t, 3> kBufferLengths{64 << 10, 16 << 10, 4 << 10};
  pipes.buffer_length = kBufferLengths[chooser.Choose(kBufferLengths.size(), "how much is sent")];
  pipes.split = chooser.Choose(2, "whether what is sent arrives in pieces") == 1;
  static constexpr std::array<Duration, 3> kDelays{Duration(0), std::chrono::microseconds(20),
                                                   std::chrono::milliseconds(1)};
  pipes.delay_max = kDelays[chooser.Choose(kDelays.size(), "how late it arrives")];
  // A command is about twenty operations.
  if (faults && chooser.Choose(2, "whether connections break") == 1) {
    pipes.reset_one_in = uint64_t{1} << chooser.Between(10, 15, "how rare");
  }
  if (faults && chooser.Choose(2, "whether connections go silent") == 1) {
    pipes.silence_one_in = uint64_t{1} << chooser.Between(12, 16, "how rare");
  }
  return pipes;
}

// What brings the occasion of a fault that healthy commands have none for: the host resets the port
// for a silent endpoint, opens the device anew where it was gone, and configures it where it has
// forgotten that.
std::optional<Kind> CompanionOf(Kind kind) {
  switch (kind) {
    case Kind::kResetFails: return Kind::kSilent;
    case Kind::kConfigureFails: return Kind::kPowerLoss;
    case Kind::kClaimFails:
    case Kind::kOpenFails: return Kind::kDisconnect;
    default: return std::nullopt;
  }
}

fault::Rule RuleOf(Chooser& chooser, const Swarm& swarm, const fault::KindInfo& info,
                   uint64_t occasions_max) {
  fault::Rule rule{.kind = info.kind, .times = 1, .after = swarm.script->begins};
  rule.nth = chooser.Between(1, occasions_max, "at which occasion");
  if (info.parameter == Parameter::kDelay) {
    rule.delay = swarm.link_latency * chooser.Between(1, 2, "how long");
  }
  if (info.parameter == Parameter::kLength) {
    rule.length = chooser.Choose(2, "how many bytes") == 0 ? 1 : 511;
    if (info.kind == Kind::kShortStatus) rule.length = 12;
  }
  return rule;
}

// USB/IP carries no streams, and without them there is no UAS at SuperSpeed.
void SlowDown(emulator::Profile& profile) {
  profile.speed = usb::Speed::kHigh;
  profile.device.speeds = emulator::SpeedsUpTo(profile.speed);
}

bool DrawUas(Chooser& chooser, host::StorageProtocol protocol) {
  if (protocol != kAny) return protocol == host::StorageProtocol::kUas;
  return chooser.Choose(3, "which protocol") == 2;
}

// Faults of conversations that the host does not hold.
bool IsOfOther(const fault::KindInfo& info, bool uas) {
  return std::string_view(info.name).starts_with(uas ? "bot." : "uas.");
}

}  // namespace

Swarm DrawSmall(Chooser& chooser) {
  Swarm swarm;
  swarm.pause_one_in = 0;
  swarm.link_latency = std::chrono::milliseconds(1);
  emulator::UnitProfile unit;
  unit.size = 4 * unit.disk.block_size;
  unit.image_path = "unit 0";
  swarm.profile.units = {unit};
  swarm.profile.device.speeds = emulator::SpeedsUpTo(swarm.profile.speed);
  emulator::FunctionProfile function;
  function.units = {0};
  emulator::ConfigurationProfile configuration;
  configuration.functions = {function};
  swarm.profile.configurations = {configuration};
  swarm.script = Script{.writes = {chooser.Choose(2, "the first command") == 0,
                                   chooser.Choose(2, "the second command") == 0}};
  swarm.store_latency = swarm.link_latency * 2 * chooser.Choose(2, "whether the store is slow");
  // What stands before UAS is what the Bulk-Only engines must deal with.
  const uint64_t kinds = static_cast<uint64_t>(Kind::kLostStatusIu);
  const uint64_t kind = chooser.Choose(kinds + 1, "which fault");
  if (kind == kinds) return swarm;
  const fault::KindInfo& info = fault::Info(static_cast<Kind>(kind));
  uint64_t occasions_max = 6;  // as many as two healthy commands have transfers
  if (const std::optional<Kind> companion = CompanionOf(info.kind)) {
    swarm.power_may_fail = companion == Kind::kPowerLoss;
    if (swarm.power_may_fail) occasions_max = 2;  // it waits for a command, not for a transfer
    swarm.plan.rules = {RuleOf(chooser, swarm, fault::Info(*companion), occasions_max)};
    occasions_max = 1;
  }
  swarm.plan.rules.push_back(RuleOf(chooser, swarm, info, occasions_max));
  return swarm;
}

Swarm DrawSwarm(Chooser& chooser, const SwarmOptions& options) {
  if (options.small) return DrawSmall(chooser);
  Swarm swarm;
  swarm.uas = DrawUas(chooser, options.protocol);
  if (swarm.uas) {
    static constexpr std::array<uint16_t, 6> kDepths{1, 2, 4, 8, 16, 32};
    swarm.queue_depth = kDepths[chooser.Choose(kDepths.size(), "how many commands at once")];
  }
  swarm.profile = DrawProfile(chooser, swarm.uas);
  if (options.faults) {
    for (const fault::KindInfo& info : fault::Kinds()) {
      if (IsOfOther(info, swarm.uas)) continue;
      const bool exists = chooser.Choose(4, "whether this fault exists") == 3;
      if (!exists) continue;
      swarm.plan.rules.push_back(DrawRule(chooser, info, swarm.uas));
      swarm.power_may_fail = swarm.power_may_fail || info.kind == Kind::kPowerLoss;
    }
  }
  swarm.reads_percent = static_cast<uint32_t>(chooser.Between(35, 50, "how many reads"));
  swarm.writes_percent = static_cast<uint32_t>(chooser.Between(35, 45, "how many writes"));
  swarm.blocks_exponent_max = static_cast<uint32_t>(chooser.Between(0, 8, "how long"));
  if (chooser.Choose(2, "whether the host cancels") == 1) {
    swarm.cancel_one_in = chooser.Between(100, 2000, "how often");
  }
  if (chooser.Choose(2, "whether the host reopens") == 1) {
    swarm.reopen_one_in = chooser.Between(200, 5000, "how often");
  }
  if (chooser.Choose(6, "whether USB/IP lies between") == 5) {
    swarm.usbip = DrawPipes(chooser, options.faults);
    if (swarm.uas) SlowDown(swarm.profile);
  } else {
    swarm.link_latency = DrawLatency(chooser, "how long transfers take");
  }
  // Without streams an IU that is late reaches another read: where it is a ready IU, one command
  // may get the data of another, and no host could tell.
  if (swarm.uas && swarm.profile.speed < usb::Speed::kSuper) {
    std::erase_if(swarm.plan.rules,
                  [](const fault::Rule& rule) { return rule.kind == Kind::kLateStatusIu; });
  }
  const uint64_t one_at_a_time = swarm.usbip ? 1 : 3;
  swarm.submits_ahead = chooser.Choose(4, "whether transfers go out together") >= one_at_a_time;
  swarm.store_latency = DrawLatency(chooser, "how long stores take");
  swarm.block_device = !swarm.uas && chooser.Choose(8, "whether the host has blocks") == 7;
  return swarm;
}

}  // namespace usbtwin::sim
