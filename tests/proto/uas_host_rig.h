// A host's engine whose device is the test: what it asks for is taken down, and the device's words
// are literal bytes.
#pragma once

#include <boost/test/unit_test.hpp>
#include <map>

#include "proto/uas_host.h"

namespace usbtwin::uas_rig {

using namespace usbtwin::uas;  // NOLINT
using usb::Outcome;
using Kind = HostAction::Kind;

inline constexpr std::array<uint8_t, 10> kRead10{0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0};
inline constexpr uint32_t kPiece = 4096;

inline std::vector<uint8_t> Iu(uint8_t id, uint16_t tag, std::initializer_list<uint8_t> rest = {}) {
  std::vector<uint8_t> iu{id, 0, static_cast<uint8_t>(tag >> 8), static_cast<uint8_t>(tag)};
  iu.insert(iu.end(), rest);
  return iu;
}
inline std::vector<uint8_t> Sense(uint16_t tag, uint8_t status = 0) {
  return Iu(3, tag, {0, 0, status, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}
inline std::vector<uint8_t> Response(uint16_t tag, uint8_t code) {
  return Iu(4, tag, {0, 0, 0, code});
}

template <uint16_t kStreams>
struct Fixture {
  HostAction Next(Kind kind) {
    const HostAction action = engine.Poll();
    BOOST_REQUIRE_MESSAGE(action.kind == kind, "got action " << static_cast<int>(action.kind)
                                                             << ", expected "
                                                             << static_cast<int>(kind));
    return action;
  }
  void Quiet() { BOOST_TEST(static_cast<int>(engine.Poll().kind) == 0); }
  uint16_t Start(uint32_t length = 0, bool in = true, uint64_t lun = 0) {
    return engine.Start({.lun = lun, .command_block = kRead10, .in = in, .length = length});
  }
  // All that is to be done, as a map from what to the tags in order; nothing else is left.
  std::map<Kind, std::vector<uint16_t>> Drain() {
    std::map<Kind, std::vector<uint16_t>> done;
    for (HostAction action = engine.Poll(); action.kind != Kind::kNone; action = engine.Poll()) {
      done[action.kind].push_back(action.tag);
    }
    return done;
  }
  void Sent(uint16_t tag) {
    engine.HandleIuSent(tag, Outcome::kOk, static_cast<uint32_t>(engine.iu(tag).size()));
  }
  // The one command that is to be finished.
  const HostResult& Finished(uint16_t tag) {
    BOOST_TEST(Next(Kind::kFinished).tag == tag);
    Quiet();
    return engine.result(tag);
  }
  void ExpectError(uint16_t tag, ErrorKind kind, Phase phase) {
    const HostResult& result = engine.result(tag);
    BOOST_REQUIRE(result.error.has_value());
    BOOST_TEST_INFO(result.error->Describe());
    BOOST_CHECK(result.error->kind == kind);
    BOOST_CHECK(result.error->phase == phase);
  }
  // A port reset that works is under way, and everything ends with it.
  void ResetPort() {
    Next(Kind::kResetPort);
    Quiet();
    engine.HandleRecovered(Outcome::kOk);
  }
  HostEngine engine{{.depth = 4, .streams_count = kStreams, .transfer_length_max = kPiece}};
};
struct Shared : Fixture<0> {
  void Say(const std::vector<uint8_t>& iu) { engine.HandleStatus(0, Outcome::kOk, iu); }
  // Ends the reads that are still out.
  void EndReads(size_t count) {
    for (size_t read = 0; read < count; ++read) engine.HandleStatus(0, Outcome::kCancelled, {});
  }
  static constexpr uint16_t kAbortTag = HostEngine::kDepthMax + 1;
  static constexpr uint16_t kResetTag = HostEngine::kDepthMax + 2;
};
struct Streams : Fixture<6> {
  void Say(const std::vector<uint8_t>& iu) { engine.HandleStatus(iu[3], Outcome::kOk, iu); }
  static constexpr uint16_t kAbortTag = 5;
  static constexpr uint16_t kResetTag = 6;
};

}  // namespace usbtwin::uas_rig
