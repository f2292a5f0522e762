// A twin that speaks UAS, opened by a session, in virtual time and under the Auditor: what the
// tests of the whole way of a command start from.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/decorated_bus.h"
#include "app/twin.h"
#include "host/session.h"
#include "link/fault_bus.h"
#include "tests/app/manual_system.h"
#include "tests/choosers.h"
#include "tests/host/run.h"

namespace usbtwin::tests {

struct UasStackOptions {
  usb::Speed speed = usb::Speed::kHigh;
  uint8_t luns_count = 1;
  std::vector<fault::Rule> faults;
  std::optional<link::ThrottleOptions> throttle;
};

class UasStack {
 public:
  using Job = async::Job<Result<host::ScsiResult>>;

  explicit UasStack(UasStackOptions options = {})
      : player(system.clock(), chooser, fault::Plan{options.faults}) {
    emulator::Profile profile;
    profile.speed = options.speed;
    profile.device.speeds = emulator::SpeedsUpTo(options.speed);
    emulator::FunctionProfile function{.kind = emulator::FunctionProfile::Kind::kUas};
    for (uint8_t lun = 0; lun < options.luns_count; ++lun) {
      function.units.push_back(lun);
      profile.units.push_back({.size = 8 << 20});
    }
    profile.configurations = {{.functions = {function}}};
    auto made = app::Twin::Make(system, profile, &player);
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().text));
    twin = std::move(*made);
    injected = std::make_unique<link::FaultBus>(clock, twin->bus(), player);
    audited = std::make_unique<app::DecoratedBus>(
        clock, *injected, app::Decorations{.throttle = options.throttle, .audit = true});
    session = std::make_unique<host::Session>(clock, *audited, twin->id());
    BOOST_REQUIRE(Run(clock, session->Open()).has_value());
  }
  ~UasStack() {
    const auto closed = Run(clock, session->Close());
    BOOST_CHECK(closed.has_value());
    session.reset();
  }

  host::ScsiTransport& Open(host::StorageOptions options = {}) {
    auto opened = Run(clock, session->OpenStorage(options));
    BOOST_REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().Describe()));
    transport = *opened;
    return *transport;
  }
  // The unit attention of power on is told, and gone.
  void Settle(uint64_t lun = 0) {
    const std::array<uint8_t, 6> ready{};
    BOOST_TEST(Text(Execute({.lun = lun, .cdb = ready})) == "check condition 06/29/00, 0 bytes");
    BOOST_TEST(Text(Execute({.lun = lun, .cdb = ready})) == "good, 0 bytes");
  }

  Result<host::ScsiResult> Execute(const host::ScsiRequest& request) {
    return Run(clock, transport->Execute(request));
  }
  std::unique_ptr<Job> Begin(const host::ScsiRequest& request) {
    return std::make_unique<Job>(clock, transport->Execute(request));
  }
  Result<host::ScsiResult> End(Job& job) {
    BOOST_REQUIRE(clock.RunUntil([&] { return job.done(); }));
    return job.result();
  }
  std::string Read(uint64_t lba, MutableBytes in) {
    const scsi::Cdb cdb = scsi::Read16(lba, static_cast<uint32_t>(in.size() / 512));
    return Text(
        Execute({.cdb = cdb.view(), .in = in, .in_length = static_cast<uint32_t>(in.size())}));
  }
  std::string Write(uint64_t lba, Bytes out) {
    const scsi::Cdb cdb = scsi::Write16(lba, static_cast<uint32_t>(out.size() / 512));
    return Text(Execute({.cdb = cdb.view(), .out = out}));
  }
  // "good, 1024 bytes", "check condition 05/24/00, 0 bytes, residue 36", or the error.
  static std::string Text(const Result<host::ScsiResult>& result) {
    if (!result) return result.error().Describe();
    std::string text = scsi::Name(result->status);
    if (result->sense_valid) {
      const scsi::Sense& sense = result->sense;
      const std::array<uint8_t, 3> codes{static_cast<uint8_t>(sense.key), sense.asc, sense.ascq};
      text += " " + Hex(codes, '/');
    }
    text += ", " + std::to_string(result->length_actual) + " bytes";
    if (result->residue != 0) text += ", residue " + std::to_string(result->residue);
    return text;
  }
  static std::vector<uint8_t> Pattern(size_t length, uint8_t seed) {
    std::vector<uint8_t> bytes(length);
    for (size_t index = 0; index < length; ++index) {
      bytes[index] = static_cast<uint8_t>(index * 7 + index / 251 + seed);
    }
    return bytes;
  }

  ManualSystem system;
  ManualClock& clock = system.manual_clock;
  SeededChooser chooser;
  fault::Player player;
  std::unique_ptr<app::Twin> twin;
  std::unique_ptr<link::FaultBus> injected;
  std::unique_ptr<app::DecoratedBus> audited;
  std::unique_ptr<host::Session> session;
  host::ScsiTransport* transport = nullptr;
};

}  // namespace usbtwin::tests
