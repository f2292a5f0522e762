// The Bulk-Only host engine against a device that answers whatever the input says: any outcome, any
// length, any status wrapper. However it lies, a command ends within a bounded number of actions,
// success is claimed only for a right status wrapper, no more data than was announced has moved,
// and the rungs of the ladder are climbed upward, each once.
#include "proto/bot_host.h"

#include "base/check.h"
#include "input.h"

namespace {

using namespace usbtwin;       // NOLINT
using namespace usbtwin::bot;  // NOLINT
using usb::Outcome;
using wire::bot::CommandStatusWrapper;
using Kind = HostAction::Kind;

constexpr uint32_t kTransferLengthMax = 1024;  // so that data comes in pieces
constexpr uint32_t kDataLengthMax = 32 * kTransferLengthMax;
// Data pieces of the command and of its sense, and every other action twice.
constexpr int kActionsMax = 33 + 2 * 12;

struct Device {
  explicit Device(Bytes bytes) : input(bytes), engine(kTransferLengthMax) {}

  // Mostly well, or no command would get far.
  Outcome AnyOutcome() {
    constexpr std::array<Outcome, 8> kOutcomes{
        Outcome::kOk,       Outcome::kStall,        Outcome::kCancelled, Outcome::kTimedOut,
        Outcome::kOverflow, Outcome::kDisconnected, Outcome::kFault,     Outcome::kStall};
    const uint8_t choice = input.Byte();
    return choice < 0x80 ? Outcome::kOk : kOutcomes[choice % 8];
  }

  // 13 bytes that are right unless the input says otherwise.
  CommandStatusWrapper AnyWrapper() {
    const uint8_t spoiled = input.Byte();
    CommandStatusWrapper status{.signature = wire::bot::kStatusSignature,
                                .tag = engine.wrapper().tag,
                                .residue = 0u,
                                .status = 0};
    if ((spoiled & 1) != 0) status.status = input.Byte();
    if ((spoiled & 2) != 0) status.residue = input.Double();
    if ((spoiled & 4) != 0) status.tag = status.tag + static_cast<int8_t>(input.Byte());
    if ((spoiled & 8) != 0) status.signature = status.signature ^ 1u << input.Byte() % 32;
    return status;
  }

  // What the engine may take for the command's status.
  void Offer(Bytes packet) {
    const auto* status = wire::View<CommandStatusWrapper>(packet);
    accepted.reset();
    if (packet.size() != sizeof(*status) || status->signature != wire::bot::kStatusSignature ||
        status->tag != engine.wrapper().tag || status->status > 1) {
      return;
    }
    accepted = *status;
    before = Rung::kNone;  // the device is fit
    if (!engine.fetching_sense()) of_command = *status;
  }

  void MoveData(const HostAction& action) {
    CHECK_LE(action.length, kTransferLengthMax);
    CHECK_LE(action.offset + action.length, action.sense ? HostEngine::kSenseLength : announced);
    CHECK_EQ(action.sense, engine.fetching_sense());
    const Outcome outcome = AnyOutcome();
    const uint8_t choice = input.Byte();
    const CommandStatusWrapper wrapper = AnyWrapper();
    uint32_t length = action.length;
    std::array<uint8_t, sizeof(wrapper)> head{};
    if (choice % 4 == 1) length = std::min<uint32_t>(input.Word(), action.length);
    if (choice % 4 == 2) {
      length = std::min<uint32_t>(sizeof(wrapper), action.length);
      CopyBytes(head, wire::AsBytes(wrapper));
    }
    const bool at_start = action.in && action.offset == 0 && length == sizeof(wrapper) &&
                          length < action.length && outcome == Outcome::kOk;
    if (at_start) Offer(head);
    if (outcome == Outcome::kOk && !at_start) accepted.reset();
    moved[action.sense] = action.offset + length;
    if (at_start && accepted) moved[action.sense] = 0;
    engine.HandleData(outcome, length, Take(Bytes(head), action.in ? length : 0));
  }

  void ReadStatus() {
    const Outcome outcome = AnyOutcome();
    const uint8_t choice = input.Byte();
    const CommandStatusWrapper wrapper = AnyWrapper();
    Bytes packet = wire::AsBytes(wrapper);
    if (choice % 4 == 1) packet = Take(packet, input.Byte() % 14);
    if (choice % 8 == 2) packet = input.Piece(input.Byte() % 32);
    accepted.reset();
    if (outcome == Outcome::kOk) Offer(packet);
    engine.HandleStatus(outcome, packet);
  }

  // `rung` is one of the three that make a device fit for the next command.
  void Climb(Rung rung) {
    accepted.reset();
    if (heavy == Rung::kNone) {
      // A device opened anew begins at the first rung again.
      const bool starts_higher = before != Rung::kNone && before != Rung::kReopen;
      CHECK(!starts_higher || rung > before);
    } else {
      CHECK(rung > heavy);
    }
    heavy = rung;
    engine.HandleRecovered(AnyOutcome());
  }

  void Do(const HostAction& action) {
    switch (action.kind) {
      case Kind::kSendCommand: {
        const Outcome outcome = AnyOutcome();
        const uint8_t sent = input.Byte();
        engine.HandleCommandSent(outcome, sent % 4 == 1 ? sent % 32 : 31);
        return;
      }
      case Kind::kMoveData: return MoveData(action);
      case Kind::kReadStatus: return ReadStatus();
      case Kind::kClearHalt: engine.HandleRecovered(AnyOutcome()); return;
      case Kind::kMassStorageReset: return Climb(Rung::kMassStorageReset);
      case Kind::kResetPort: return Climb(Rung::kResetPort);
      case Kind::kReopen: return Climb(Rung::kReopen);
      case Kind::kNone:
      case Kind::kFinished: break;
    }
    CHECK(action.kind == Kind::kFinished);  // never: an action is always due
  }

  void RunCommand() {
    const std::array<uint8_t, 16> block{input.Byte()};
    const uint8_t shape = input.Byte();
    announced = std::min(input.Length(512), kDataLengthMax);
    const bool in = (shape & 1) != 0;
    of_command.reset();
    accepted.reset();
    heavy = Rung::kNone;
    moved = {};
    engine.Start({.lun = static_cast<uint8_t>(shape >> 4),
                  .command_block = Take(Bytes(block), 1 + (shape >> 1 & 7)),
                  .in = in,
                  .length = announced},
                 (shape & 0x10) != 0);
    Rung highest = Rung::kNone;
    HostAction action = engine.Poll();
    for (int actions = 0; action.kind != Kind::kFinished; action = engine.Poll()) {
      CHECK_LE(++actions, kActionsMax);
      CHECK(engine.Poll().kind == Kind::kNone);
      Do(action);
      CHECK(highest <= engine.result().rung);
      highest = engine.result().rung;
    }
    CheckResult();
    if (heavy != Rung::kNone) before = heavy;
  }

  void CheckResult() {
    const HostResult& result = engine.result();
    CHECK(result.rung >= heavy);
    CHECK_LE(result.length_actual, announced);
    CHECK_LE(result.sense_length, HostEngine::kSenseLength);
    CHECK((result.recoveries == 0) == (result.rung == Rung::kNone));
    CHECK(!result.broken || heavy == Rung::kReopen);
    if (result.error) {
      CHECK(!of_command.has_value());
      return;
    }
    CHECK(of_command.has_value());
    CHECK_EQ(static_cast<uint8_t>(result.status), of_command->status);
    CHECK_EQ(result.residue, of_command->residue);
    CHECK_EQ(result.length_actual, moved[false]);
    CHECK(result.sense_length == 0 || (accepted && accepted->status == 0));
  }

  fuzz::Input input;
  HostEngine engine;
  uint32_t announced = 0;
  std::array<uint32_t, 2> moved{};                 // of the command, of its sense
  std::optional<CommandStatusWrapper> accepted;    // right, and offered last
  std::optional<CommandStatusWrapper> of_command;  // the same, not of REQUEST SENSE
  Rung heavy = Rung::kNone;                        // of this command
  Rung before = Rung::kNone;                       // of the one before
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Device device(Bytes(data, size));
  for (int commands = 0; commands < 64 && !device.input.empty(); ++commands) device.RunCommand();
  return 0;
}
