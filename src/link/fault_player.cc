#include "link/fault_player.h"

#include <algorithm>
#include <utility>

#include "proto/scsi_command.h"

namespace usbtwin::fault {

CommandContext ContextOf(Bytes command_block, uint8_t lun, uint32_t tag) {
  CommandContext context{.lun = lun, .tag = tag};
  if (command_block.empty()) return context;
  context.opcode = command_block[0];
  const Result<scsi::Meaning, scsi::Sense> meaning = scsi::ParseCdb(command_block);
  if (!meaning) return context;
  const auto take = [&context](const scsi::cdb::Range& range) {
    context.lba = range.lba;
    context.blocks_count = range.blocks_count;
  };
  std::visit(
      [&](const auto& what) {
        if constexpr (requires { what.range; }) take(what.range);
      },
      *meaning);
  return context;
}

Player::Player(const Clock& clock, Chooser& chooser, Plan plan)
    : clock_(clock),
      chooser_(chooser),
      plan_(std::move(plan)),
      start_(clock.Now()),
      states_(plan_.rules.size()) {
  for (uint32_t index = 0; index < plan_.rules.size(); ++index) {
    const Rule& rule = plan_.rules[index];
    for (size_t moment = 0; moment < kMomentsCount; ++moment) {
      if (Info(rule.kind).at(static_cast<Moment>(moment))) rules_at_[moment].push_back(index);
    }
    states_[index].next = std::max<uint64_t>(rule.nth, 1) - 1 + Gap(rule);
    states_[index].unconditional = IsUnconditional(rule);
  }
}

namespace {

bool Suits(Kind kind, const usb::PortRequest& request) {
  if (kind == Kind::kClearHaltFails) return std::holds_alternative<usb::ClearHalt>(request);
  if (kind == Kind::kResetFails) return std::holds_alternative<usb::ResetPort>(request);
  if (kind == Kind::kClaimFails) return std::holds_alternative<usb::ClaimInterface>(request);
  if (kind == Kind::kConfigureFails) return std::holds_alternative<usb::SetConfiguration>(request);
  if (kind == Kind::kStreamRefused) return std::holds_alternative<usb::AllocateStreams>(request);
  return true;
}

}  // namespace

// Whether every moment of its kind counts but those of port requests, of which some do not suit it.
bool Player::IsUnconditional(const Rule& rule) {
  const bool anywhere = !rule.endpoint && !rule.opcode && !rule.lun && !rule.blocks && !rule.tag;
  return anywhere && rule.after <= Duration(0) && !rule.until && !rule.times;
}

bool Player::Fits(const Rule& rule, const Occasion& occasion) {
  if (occasion.request != nullptr && !Suits(rule.kind, *occasion.request)) return false;
  if (rule.endpoint && rule.endpoint != occasion.endpoint) return false;
  if (!rule.opcode && !rule.lun && !rule.blocks && !rule.tag) return true;
  const CommandContext* command = occasion.command;
  if (command == nullptr) return false;
  if (rule.opcode && *rule.opcode != command->opcode) return false;
  if (rule.lun && *rule.lun != command->lun) return false;
  if (rule.tag && *rule.tag != command->tag) return false;
  if (!rule.blocks) return true;
  if (command->blocks_count == 0 || command->lba > rule.blocks->last) return false;
  // The last block, without overflow: hosts may ask for anything.
  const uint64_t more = std::min(command->blocks_count - 1, UINT64_MAX - command->lba);
  return command->lba + more >= rule.blocks->first;
}

// How many occasions on the next one is: 1, or on average one_in. The kind's name is what the
// choice is for.
uint64_t Player::Gap(const Rule& rule) {
  if (!rule.one_in || *rule.one_in <= 1) return 1;
  return 1 + chooser_.Choose(2 * *rule.one_in - 1, Info(rule.kind).name);
}

bool Player::Happens(uint32_t chance) {
  return chooser_.Choose(Rule::kCertain, "whether the fault happens") < chance;
}

namespace {

BlockRange BlocksOf(const CommandContext& command) {
  if (command.blocks_count == 0) return {};
  const uint64_t more = std::min(command.blocks_count - 1, UINT64_MAX - command.lba);
  return {.first = command.lba, .last = command.lba + more};
}

}  // namespace

const Rule* Player::Draw(const Occasion& occasion) {
  return DrawFrom(occasion, 0);
}

const Rule* Player::Redraw(const Occasion& occasion) {
  Retract();
  return DrawFrom(occasion, last_ + 1);
}

bool Player::MayPlay(const Rule& rule, const State& state) const {
  const Duration since = clock_.Now() - start_;
  if (since < rule.after || (rule.until && since > *rule.until)) return false;
  return !rule.times || state.played < *rule.times;
}

const Rule* Player::DrawFrom(const Occasion& occasion, uint32_t first) {
  for (const uint32_t index : rules_at_[static_cast<size_t>(occasion.moment)]) {
    if (index < first) continue;
    const Rule& rule = plan_.rules[index];
    State& state = states_[index];
    const bool counts = (state.unconditional && occasion.request == nullptr) ||
                        (Fits(rule, occasion) && MayPlay(rule, state));
    if (!counts || ++state.seen < state.next) continue;
    if (rule.chance && !Happens(*rule.chance)) continue;
    state.next = state.seen + Gap(rule);
    ++state.played;
    ++injected_;
    ++counts_[static_cast<size_t>(rule.kind)].injected;
    if (injections_.size() == kInjectionsMax) {
      injections_.erase(injections_.begin(), injections_.begin() + kInjectionsMax / 2);
    }
    const CommandContext about = occasion.command == nullptr ? CommandContext{} : *occasion.command;
    injections_.push_back({.kind = rule.kind,
                           .when = clock_.Now(),
                           .serial = ++serial_,
                           .rule = index,
                           .command = commands_,
                           .moment = occasion.moment,
                           .about = about,
                           .blocks = BlocksOf(about)});
    last_ = index;
    return &rule;
  }
  return nullptr;
}

// Null for one that was observed and forgotten.
Injection* Player::Find(uint64_t serial) {
  const auto found = std::lower_bound(
      injections_.begin(), injections_.end(), serial,
      [](const Injection& injection, uint64_t sought) { return injection.serial < sought; });
  return found != injections_.end() && found->serial == serial ? &*found : nullptr;
}

void Player::Retract(uint64_t serial) {
  const Injection* injection = Find(serial);
  CHECK(injection != nullptr);
  CHECK(!injection->observed);
  State& state = states_[injection->rule];
  --state.played;
  state.next = state.seen + 1;
  --injected_;
  --counts_[static_cast<size_t>(injection->kind)].injected;
  injections_.erase(injections_.begin() + (injection - injections_.data()));
}

void Player::Observe(uint64_t serial) {
  Injection* injection = Find(serial);
  if (injection == nullptr || std::exchange(injection->observed, true)) return;
  ++states_[injection->rule].observed;
  ++counts_[static_cast<size_t>(injection->kind)].observed;
}

void Player::Show(uint64_t serial, Sign sign) {
  if (carried_) {
    if (shown_.size() == kShownMax) shown_.erase(shown_.begin());
    return shown_.push_back({serial, sign});
  }
  if (sign == Sign::kData || sign == Sign::kStatus) Observe(serial);
}

void Player::EndWait(uint64_t serial) {
  if (!carried_) Observe(serial);
}

void Player::HandleCommand() {
  ++commands_;
  HandleForgotten();
}

void Player::HandleQueuedCommand() {
  ++commands_;
}

void Player::HandleForgotten() {
  std::erase_if(shown_, [](const Shown& shown) { return shown.sign != Sign::kGone; });
}

// Whether the injection was one in that command: a unit names all of it, a store the blocks that it
// worked on. Two commands that are the same cannot be told apart.
bool Player::Concerns(uint64_t serial, const CommandContext* command) {
  if (command == nullptr) return true;
  const Injection* injection = Find(serial);
  if (injection == nullptr || injection->about.lun != command->lun) return false;
  const BlockRange& left = injection->blocks;
  const BlockRange right = BlocksOf(*command);
  if (injection->moment != Moment::kExecute) {
    return left.first <= right.last && right.first <= left.last;
  }
  return injection->about.opcode == command->opcode && left.first == right.first &&
         left.last == right.last;
}

template <class Holds>
void Player::ObserveShown(const CommandContext* command, Holds holds) {
  if (shown_.empty()) return;
  std::erase_if(shown_, [&](const Shown& shown) {
    const bool seen = holds(shown.sign) && Concerns(shown.serial, command);
    if (seen) Observe(shown.serial);
    return seen;
  });
}

void Player::HandleStatus(const CommandContext* command) {
  ObserveShown(command, [](Sign sign) { return sign != Sign::kGone; });
}

void Player::HandleLostData(const CommandContext* command) {
  std::erase_if(shown_, [&](const Shown& shown) {
    return shown.sign == Sign::kData && Concerns(shown.serial, command);
  });
}

void Player::HandleGivenUp(const CommandContext* command) {
  ObserveShown(command, [](Sign sign) { return sign == Sign::kWait; });
}

void Player::HandleGone() {
  ObserveShown(nullptr, [](Sign sign) { return sign == Sign::kGone; });
}

void Player::Stop() {
  stopped_ = true;
  for (std::vector<uint32_t>& rules : rules_at_) rules.clear();
}

}  // namespace usbtwin::fault
