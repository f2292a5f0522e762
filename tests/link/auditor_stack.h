// What the Auditor's tests start with: an Auditor over a Link that does as the test says, a host
// that remembers what completed, a list of breaches, and transfers as a good host makes them.
#pragma once

#include <boost/test/unit_test.hpp>

#include "link/auditor.h"
#include "tests/link/scripted_link.h"

namespace usbtwin::tests::auditing {

using namespace usbtwin::link;  // NOLINT
using usb::EndpointAddress;
using usb::Outcome;
using usb::PortOp;
using usb::SetupPacket;
using usb::Transfer;

inline constexpr auto kConfiguration =
    "09 02 3000 02 01 00 80 32"
    "09 04 00 00 02 ff 00 00 00"
    "07 05 81 02 0002 00"
    "07 05 02 02 0002 00"
    "09 04 01 00 01 03 00 00 00"
    "07 05 83 03 0800 0a"_hex;
inline constexpr auto kOut = "01020304"_hex;

struct Collector final : BreachSink {
  void OnBreach(const Breach& breach) override { breaches.push_back(breach); }
  std::vector<Breach> breaches;
};

// What each test starts with: an Auditor over a Link that does as the test says.
struct Stack {
  Stack() : link(clock) { auditor.emplace(link, &collector); }

  void Submit(Transfer& transfer) {
    transfer.Push(host);
    auditor->Submit(transfer);
  }
  void Request(PortOp& op, const usb::PortRequest& request) {
    op.request = request;
    op.Push(host);
    auditor->Request(op);
  }
  void Perform(PortOp& op, const usb::PortRequest& request, Outcome outcome = Outcome::kOk) {
    op.outcome = Outcome::kPending;
    Request(op, request);
    link.Finish(op, outcome);
    clock.RunPosted();
  }
  void Finish(Transfer& transfer, Outcome outcome, uint32_t length) {
    link.Finish(transfer, outcome, length);
    clock.RunPosted();
  }
  void Learn() {
    std::array<uint8_t, 48> room{};
    static_assert(kConfiguration.size() == sizeof(room));
    Transfer read;
    read.setup = SetupPacket{0x80, 6, uint16_t{0x0200}, uint16_t{0}, uint16_t{48}};
    read.in = room;
    read.in_length_max = 48;
    Submit(read);
    link.FinishIn(read, kConfiguration);
    clock.RunPosted();
    BOOST_REQUIRE(collector.breaches.empty());
  }
  // The one breach there was, "" for none, and all of them where there were several.
  std::string Breaches() const {
    std::string text;
    for (const Breach& breach : collector.breaches) {
      if (!text.empty()) text += "; ";
      text += breach.Describe();
    }
    return text;
  }

  ManualClock clock;
  ScriptedLink link;
  Collector collector;
  Host host;
  std::optional<Auditor> auditor;
};

// A transfer as a good host makes it.
struct OutTransfer : Stack {
  OutTransfer() {
    transfer.endpoint = EndpointAddress::Out(2);
    transfer.out = kOut;
  }
  ~OutTransfer() { transfer.Rearm(); }
  Transfer transfer;
};
struct InTransfer : Stack {
  InTransfer() {
    transfer.endpoint = EndpointAddress::In(1);
    transfer.in = room;
    transfer.in_length_max = 8;
  }
  ~InTransfer() { transfer.Rearm(); }
  std::array<uint8_t, 8> room{};
  Transfer transfer;
};
struct ControlTransfer : Stack {
  ControlTransfer() {
    transfer.setup = SetupPacket{0x80, 6, uint16_t{0x0100}, uint16_t{0}, uint16_t{8}};
    transfer.in = room;
    transfer.in_length_max = 8;
  }
  std::array<uint8_t, 8> room{};
  Transfer transfer;
};
struct IsoTransfer : InTransfer {
  IsoTransfer() { transfer.packets = packets; }
  std::array<usb::IsoPacket, 2> packets{{{0, 4}, {4, 4}}};
};
struct TwoTransfers : Stack {
  TwoTransfers() {
    first.endpoint = second.endpoint = EndpointAddress::Out(2);
    Submit(first);
    Submit(second);
  }
  Transfer first, second;
};

}  // namespace usbtwin::tests::auditing
