// The host's engine of USB Attached SCSI against a device that does whatever the input says: any
// outcome, any length, any IU on any stream, at any moment; and a caller who loses patience.
// However it lies, no leg of a command is opened twice or left open, success is claimed only for a
// command whose SENSE IU came, no more data than was asked for has moved, and in the end every
// command ends.
#include "proto/uas_host.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "input.h"

namespace {

using namespace usbtwin;       // NOLINT
using namespace usbtwin::uas;  // NOLINT
using usb::Outcome;
using Kind = HostAction::Kind;

constexpr uint16_t kTagsMax = HostEngine::kDepthMax + HostEngine::kManagementTags;
constexpr uint32_t kTransferLengthMax = 1024;

struct Device {
  explicit Device(Bytes bytes)
      : input(bytes),
        streams_count(kStreams[input.Byte() % kStreams.size()]),
        engine({.depth = std::min<uint16_t>(4, HostEngine::DepthOf(streams_count)),
                .streams_count = streams_count,
                .transfer_length_max = kTransferLengthMax}) {}

  static constexpr std::array<uint16_t, 4> kStreams{0, 0, 6, 2};

  struct Leg {
    bool out = false;
    bool cancelled = false;
    uint32_t length = 0;
  };
  struct Tag {
    bool running = false;
    bool sensed = false;  // a SENSE IU came for it, as it should
    Leg iu, data, status;
    uint32_t asked = 0;
    uint32_t moved = 0;
  };

  Outcome AnyOutcome(const Leg& leg) {
    constexpr std::array<Outcome, 8> kOutcomes{
        Outcome::kStall,        Outcome::kCancelled, Outcome::kTimedOut, Outcome::kOverflow,
        Outcome::kDisconnected, Outcome::kFault,     Outcome::kOk,       Outcome::kOk};
    const uint8_t choice = input.Byte();
    if (leg.cancelled && choice < 0xc0) return Outcome::kCancelled;
    return choice < 0xe0 ? Outcome::kOk : kOutcomes[choice % 8];
  }

  // ---- What the engine asks for ----

  static void Open(Leg& leg, uint32_t length = 0) {
    CHECK(!leg.out);
    leg = Leg{.out = true, .length = length};
  }
  static void Cancel(Leg& leg) {
    CHECK(leg.out);
    leg.cancelled = true;
  }
  void Do(const HostAction& action) {
    CHECK_LE(action.tag, kTagsMax);
    Tag& tag = tags[action.tag];
    switch (action.kind) {
      case Kind::kNone: return;
      case Kind::kReadStatus:
        CHECK_EQ(port_work, Kind::kNone);
        if (action.tag == 0) return reads.push_back({.out = true});
        CHECK_LE(action.tag, streams_count);
        return Open(tag.status);
      case Kind::kMoveData:
        CHECK(tag.running);
        CHECK_NE(action.length, 0u);
        CHECK_LE(action.length, kTransferLengthMax);
        CHECK_EQ(action.offset, tag.moved);
        CHECK_LE(action.length, tag.asked - tag.moved);
        return Open(tag.data, action.length);
      case Kind::kSendIu: return Open(tag.iu, static_cast<uint32_t>(engine.iu(action.tag).size()));
      case Kind::kCancelIu: return Cancel(tag.iu);
      case Kind::kCancelData: return Cancel(tag.data);
      case Kind::kCancelStatus:
        if (action.tag != 0) return Cancel(tag.status);
        for (Leg& read : reads) read.cancelled = true;
        return;
      case Kind::kResetPort:
      case Kind::kReopen:
        for (const Tag& one : tags) CHECK(!one.iu.out && !one.data.out && !one.status.out);
        CHECK(reads.empty());
        port_work = action.kind;
        return;
      case Kind::kFinished: return Finish(action.tag, tag);
    }
  }
  void Finish(uint16_t number, Tag& tag) {
    CHECK(std::exchange(tag.running, false));
    CHECK(!tag.iu.out && !tag.data.out && !tag.status.out);
    const HostResult& result = engine.result(number);
    CHECK_EQ(result.length_actual, tag.moved);
    CHECK(result.error.has_value() || tag.sensed);
    CHECK((result.recoveries == 0) == (result.rung == Rung::kNone));
    CHECK(!result.broken || result.rung == Rung::kReopen);
    engine.Release(number);
  }
  void Drain() {
    for (int actions = 0;; ++actions) {
      CHECK_LT(actions, 500);
      const HostAction action = engine.Poll();
      if (action.kind == Kind::kNone) return;
      Do(action);
    }
  }

  // ---- What happens ----

  void Start() {
    if (!engine.may_start()) return;
    const std::array<uint8_t, 32> block{0x28};
    const uint8_t shape = input.Byte();
    const uint32_t length = shape % 4 == 0 ? 0 : 100u * input.Byte();
    const uint16_t number = engine.Start({.lun = static_cast<uint64_t>(shape >> 6),
                                          .command_block = Take(Bytes(block), 1 + shape % 32),
                                          .in = (shape & 0x10) != 0,
                                          .length = length});
    CHECK(!tags[number].running);
    tags[number] = Tag{.running = true, .asked = length};
  }

  // An IU that is right for this tag, unless the input says otherwise.
  std::vector<uint8_t> AnyIu(uint16_t number) {
    const uint8_t spoiled = input.Byte();
    if (spoiled % 32 == 31) {
      const Bytes raw = input.Piece(input.Byte() % 40);
      return {raw.begin(), raw.end()};
    }
    constexpr std::array<uint8_t, 4> kIds{3, 3, 6, 7};
    uint8_t id = engine.IsManagementTag(number) ? uint8_t{4} : kIds[spoiled >> 6];
    if (spoiled % 32 == 30) id = input.Byte();
    if (spoiled % 32 == 29) number = input.Word();
    constexpr std::array<size_t, 5> kLengths{16, 8, 16, 4, 4};
    std::vector<uint8_t> iu(id >= 3 && id <= 7 ? kLengths[id - 3u] : 16, 0);
    iu[0] = id;
    iu[2] = static_cast<uint8_t>(number >> 8);
    iu[3] = static_cast<uint8_t>(number);
    if (id == 4) {
      constexpr std::array<uint8_t, 8> kCodes{0, 0, 0, 8, 2, 4, 5, 0x0a};
      iu[7] = kCodes[input.Byte() % kCodes.size()];
    }
    if (id == 3) iu[6] = spoiled % 32 < 24 ? 0 : input.Byte();
    if (spoiled % 32 == 28) iu.resize(input.Byte() % (iu.size() + 1));
    return iu;
  }
  // Whether it is what ends the command well.
  void Note(uint16_t stream, Bytes iu) {
    const auto* sense = wire::View<wire::uas::SenseIu>(iu);
    if (sense == nullptr || sense->header.id != 3) return;
    const uint16_t number = sense->header.tag;
    if (number > kTagsMax || (stream != 0 && stream != number)) return;
    tags[number].sensed = true;
  }
  void AnswerStatus(uint16_t number, Leg& leg) {
    const Outcome outcome = AnyOutcome(leg);
    std::vector<uint8_t> iu;
    if (outcome == Outcome::kOk) iu = AnyIu(number);
    leg.out = false;
    if (outcome == Outcome::kOk) Note(streams_count == 0 ? 0 : number, iu);
    engine.HandleStatus(streams_count == 0 ? 0 : number, outcome, iu);
  }

  void Go(uint16_t number, uint8_t choice) {
    Tag& tag = tags[number];
    if (choice % 4 == 0 && tag.iu.out) {
      const Outcome outcome = AnyOutcome(tag.iu);
      const uint32_t length =
          outcome == Outcome::kOk && choice < 0xf0 ? tag.iu.length : input.Byte() % 33;
      tag.iu.out = false;
      return engine.HandleIuSent(number, outcome, length);
    }
    if (choice % 4 == 1 && tag.data.out) {
      const Outcome outcome = AnyOutcome(tag.data);
      const uint32_t length = outcome == Outcome::kOk && choice < 0xc0
                                  ? tag.data.length
                                  : std::min<uint32_t>(tag.data.length, input.Word());
      tag.data.out = false;
      tag.moved += length;
      return engine.HandleData(number, outcome, length);
    }
    if (choice % 4 == 2 && tag.status.out) return AnswerStatus(number, tag.status);
    if (choice % 4 == 2 && !reads.empty()) {
      Leg leg = reads.front();
      reads.erase(reads.begin());
      return AnswerStatus(number, leg);
    }
    if (choice % 16 == 3 && tag.running) return engine.HandleTimeout(number);
    if (choice % 16 == 7 && tag.running) return engine.HandleCancel(number);
  }

  uint16_t AnyTag() {
    const uint8_t choice = input.Byte();
    if (choice >= 0xe0) return static_cast<uint16_t>(engine.FirstManagementTag() + choice % 2);
    return static_cast<uint16_t>(1 + choice % 8);
  }

  void Step() {
    const uint8_t choice = input.Byte();
    if (choice % 8 == 0) {
      Start();
    } else if (choice % 32 == 1) {
      engine.HandleRecoveryTimeout();
    } else if (port_work != Kind::kNone && choice % 8 == 2) {
      port_work = Kind::kNone;
      engine.HandleRecovered(choice < 0xc0 ? Outcome::kOk : Outcome::kFault);
    } else {
      Go(AnyTag(), static_cast<uint8_t>(choice >> 3 | choice << 5));
    }
    Drain();
  }

  // Nothing more comes of the device: all is cancelled, and every command's time is over.
  void End() {
    for (int round = 0; round < 60; ++round) {
      for (uint16_t number = 1; number <= kTagsMax; ++number) {
        if (tags[number].running) engine.HandleTimeout(number);
        Drain();
        EndLegs(number);
        Drain();
      }
      for (size_t left = reads.size(); left > 0 && reads.front().cancelled; --left) {
        reads.erase(reads.begin());
        engine.HandleStatus(0, Outcome::kCancelled, {});
      }
      Drain();
      engine.HandleRecoveryTimeout();
      Drain();
      if (std::exchange(port_work, Kind::kNone) != Kind::kNone) {
        engine.HandleRecovered(Outcome::kOk);
      }
      Drain();
    }
    CHECK(engine.idle());
    for (const Tag& tag : tags) CHECK(!tag.running);
  }
  void EndLegs(uint16_t number) {
    Tag& tag = tags[number];
    if (tag.iu.out && tag.iu.cancelled) {
      tag.iu.out = false;
      engine.HandleIuSent(number, Outcome::kCancelled, 0);
    }
    if (tag.data.out && tag.data.cancelled) {
      tag.data.out = false;
      engine.HandleData(number, Outcome::kCancelled, 0);
    }
    if (tag.status.out && tag.status.cancelled) {
      tag.status.out = false;
      engine.HandleStatus(number, Outcome::kCancelled, {});
    }
  }

  void Run() {
    for (int steps = 0; steps < 2000 && !input.empty(); ++steps) Step();
    End();
  }

  fuzz::Input input;
  const uint16_t streams_count;
  HostEngine engine;
  std::array<Tag, kTagsMax + 1> tags;
  std::vector<Leg> reads;  // of the shared status pipe
  Kind port_work = Kind::kNone;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Device(Bytes(data, size)).Run();
  return 0;
}
