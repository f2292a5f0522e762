// A twin that plays a fault plan, and everything a host has to meet it with: session, transport,
// block device with its retry policy. In virtual time, under the Auditor. Rules begin to hold when
// the rig is armed, a second after the start; until then a test writes what it wants to find again.
#pragma once

#include <memory>
#include <string>

#include "app/decorated_bus.h"
#include "app/twin.h"
#include "host/block_device.h"
#include "host/session.h"
#include "link/fault_bus.h"
#include "tests/app/manual_system.h"
#include "tests/choosers.h"
#include "tests/host/run.h"

namespace usbtwin::tests {

inline constexpr Duration kArmed = std::chrono::seconds(1);

struct FaultStackOptions {
  uint64_t seed = 1;
  bool removable = false;
};

class FaultStack {
 public:
  using Options = FaultStackOptions;

  explicit FaultStack(fault::Plan plan, Options options = {})
      : chooser(options.seed), player(system.clock(), chooser, Armed(std::move(plan))) {
    emulator::Profile profile;
    profile.units = {{.disk = {.removable = options.removable}, .size = 1 << 20}};
    profile.configurations = {{.functions = {{.units = {0}}}}};
    profile.device.speeds = {usb::Speed::kHigh};
    auto made = app::Twin::Make(system, profile, &player);
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().text));
    twin = std::move(*made);
    faults = std::make_unique<link::FaultBus>(clock, twin->bus(), player);
    audited = std::make_unique<app::DecoratedBus>(clock, *faults, app::Decorations{.audit = true});
    session = std::make_unique<host::Session>(clock, *audited, twin->id());
    BOOST_REQUIRE(Run(clock, session->Open()).has_value());
    auto opened = Run(clock, session->OpenStorage({}));
    BOOST_REQUIRE(opened.has_value());
    transport = *opened;
    block = std::make_unique<host::BlockDevice>(*transport);
    const host::BlockResult known = Run(clock, block->Open());
    BOOST_REQUIRE_MESSAGE(known, (known ? "" : known.error().Describe()));
  }
  ~FaultStack() {
    block.reset();
    const auto closed = Run(clock, session->Close());
    BOOST_CHECK(closed.has_value());
    session.reset();
  }

  void Arm() { clock.Advance(kArmed - (clock.Now() - TimePoint{})); }

  // "good, 1024 bytes", "check condition 03/11/00 at 5, 0 bytes, residue 1024": what the transport
  // makes of one command.
  std::string Execute(const scsi::Cdb& cdb, MutableBytes in, Bytes out) {
    const host::ScsiRequest request{
        .cdb = cdb.view(), .out = out, .in = in, .in_length = static_cast<uint32_t>(in.size())};
    const auto result = Run(clock, transport->Execute(request));
    if (!result) return result.error().Describe();
    std::string text = scsi::Name(result->status);
    if (result->sense_valid) {
      const scsi::Sense& sense = result->sense;
      text +=
          " " +
          Hex(std::array<uint8_t, 3>{static_cast<uint8_t>(sense.key), sense.asc, sense.ascq}, '/');
      if (sense.information_valid) text += " at " + std::to_string(sense.information);
    }
    text += ", " + std::to_string(result->length_actual) + " bytes";
    if (result->residue != 0) text += ", residue " + std::to_string(result->residue);
    return text;
  }
  // "done", or what the block device says went wrong.
  static std::string Text(const host::BlockResult& result) {
    return result ? "done" : result.error().Describe();
  }
  std::vector<uint8_t> Read(uint64_t lba, size_t blocks_count) {
    std::vector<uint8_t> bytes(blocks_count * 512, 0xa5);
    const host::BlockResult read = Run(clock, block->Read(lba, bytes));
    BOOST_REQUIRE_MESSAGE(read, Text(read));
    return bytes;
  }
  void Write(uint64_t lba, Bytes bytes) {
    const host::BlockResult written = Run(clock, block->Write(lba, bytes));
    BOOST_REQUIRE_MESSAGE(written, Text(written));
  }

  ManualSystem system;
  ManualClock& clock = system.manual_clock;
  SeededChooser chooser;
  fault::Player player;
  std::unique_ptr<app::Twin> twin;
  std::unique_ptr<link::FaultBus> faults;
  std::unique_ptr<app::DecoratedBus> audited;
  std::unique_ptr<host::Session> session;
  host::ScsiTransport* transport = nullptr;
  std::unique_ptr<host::BlockDevice> block;

 private:
  static fault::Plan Armed(fault::Plan plan) {
    for (fault::Rule& rule : plan.rules) rule.after = kArmed;
    return plan;
  }
};

}  // namespace usbtwin::tests
