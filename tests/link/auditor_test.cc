#include "link/auditor.h"

#include <boost/test/unit_test.hpp>

#include "dies.h"
#include "scripted_link.h"

using namespace usbtwin;        // NOLINT
using namespace usbtwin::link;  // NOLINT
using tests::Host;
using tests::ScriptedLink;
using usb::EndpointAddress;
using usb::Outcome;
using usb::PortOp;
using usb::SetupPacket;
using usb::Transfer;

namespace {

constexpr auto kConfiguration =
    "09 02 3000 02 01 00 80 32"
    "09 04 00 00 02 ff 00 00 00"
    "07 05 81 02 0002 00"
    "07 05 02 02 0002 00"
    "09 04 01 00 01 03 00 00 00"
    "07 05 83 03 0800 0a"_hex;
constexpr auto kOut = "01020304"_hex;

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

}  // namespace

BOOST_AUTO_TEST_SUITE(auditor)

// ---- A good host over a good link -------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_good_conversation_passes) {
  Stack stack;
  stack.Learn();
  PortOp op;
  stack.Perform(op, usb::SetConfiguration{1});
  std::array<uint8_t, 8> room{};
  Transfer in, out, loan;
  in.endpoint = loan.endpoint = EndpointAddress::In(1);
  out.endpoint = EndpointAddress::Out(2);
  in.in = room;
  in.in_length_max = 8;
  loan.in_length_max = 4;
  out.out = kOut;
  StaticPin pin(kOut);

  // Short, lent and cancelled transfers, many at a time, again and again.
  for (int round = 0; round < 100; ++round) {
    stack.Submit(in);
    stack.Submit(loan);
    stack.Submit(out);
    stack.auditor->Cancel(in);
    BOOST_REQUIRE(loan.lease.Append(pin.Lend(3)));
    stack.link.Finish(loan, Outcome::kOk, 3);
    stack.link.Finish(out, Outcome::kOk, 4);
    stack.link.Finish(in, Outcome::kCancelled, 5);
    stack.clock.RunPosted();
    for (Transfer* transfer : {&in, &out, &loan}) transfer->Rearm();
  }
  // A stall, its clearing, and going on.
  stack.Submit(in);
  stack.Finish(in, Outcome::kStall, 2);
  stack.Perform(op, usb::ClearHalt{EndpointAddress::In(1)});
  in.Rearm();
  stack.Submit(in);
  stack.Finish(in, Outcome::kOk, 8);
  stack.Perform(op, usb::ResetPort{});
  stack.Perform(op, usb::SetAlternate{0, 0});
  in.Rearm();
  stack.Submit(in);
  stack.Finish(in, Outcome::kDisconnected, 0);

  BOOST_TEST(stack.host.done.size() == 1u + 300u + 3u);
  BOOST_TEST(stack.auditor->in_flight_count() == 0u);
  BOOST_TEST(stack.auditor->caps().streams_max == 4);
  stack.auditor.reset();
  BOOST_TEST(stack.Breaches() == "");
}

BOOST_AUTO_TEST_CASE(a_deep_queue_keeps_its_order) {
  Stack stack;
  std::array<Transfer, 100> transfers;
  for (int round = 0; round < 3; ++round) {
    for (Transfer& transfer : transfers) {
      transfer.endpoint = EndpointAddress::Out(2);
      transfer.Rearm();
      stack.Submit(transfer);
    }
    for (Transfer& transfer : transfers) stack.link.Finish(transfer, Outcome::kOk, 0);
    stack.clock.RunPosted();
  }
  BOOST_TEST(stack.Breaches() == "");
}

// ---- Rule 1: exactly once ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_transfer_that_never_completes_is_reported_at_the_end) {
  Stack stack;
  std::array<Transfer, 2> transfers;
  PortOp op;
  for (Transfer& transfer : transfers) {
    transfer.endpoint = EndpointAddress::Out(2);
    stack.Submit(transfer);
  }
  stack.auditor->Cancel(transfers[1]);
  stack.Request(op, usb::Suspend{});

  stack.auditor->CheckNothingInFlight();

  BOOST_TEST(stack.Breaches() ==
             "exactly once: endpoint 02 stream 0: transfer 0 of this pipe never completed; "
             "cancel completes: endpoint 02 stream 0: transfer 1 of this pipe never completed "
             "although it was cancelled; "
             "exactly once: endpoint 00 stream 0: port request never completed: suspend");
  for (Transfer& transfer : transfers) stack.link.Finish(transfer, Outcome::kCancelled, 0);
  stack.link.Finish(op, Outcome::kOk);
  stack.clock.RunPosted();
}

BOOST_AUTO_TEST_CASE(the_destructor_looks_for_what_never_completed) {
  BOOST_TEST(tests::Dies([] {
    ManualClock clock;
    ScriptedLink link(clock);
    Host host;
    auto* transfer = new Transfer;
    transfer->Push(host);
    transfer->endpoint = EndpointAddress::Out(2);
    Auditor auditor(link);
    auditor.Submit(*transfer);
  }));
}

BOOST_FIXTURE_TEST_CASE(a_completion_of_a_queued_transfer_is_one_too_many, OutTransfer) {
  Submit(transfer);
  IntrusiveList<Deferred> elsewhere;
  elsewhere.PushBack(transfer);
  link.FinishNow(transfer, Outcome::kOk, 4);
  transfer.Unlink();
  BOOST_TEST(Breaches() ==
             "exactly once: endpoint 02 stream 0: completes while it is still queued");
}

BOOST_FIXTURE_TEST_CASE(a_completion_left_over_from_an_earlier_flight_has_no_outcome, OutTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 4);
  transfer.Rearm();
  Submit(transfer);
  transfer.Complete();  // for the first flight, a second time
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 02 stream 0: completes without an outcome");
}

BOOST_FIXTURE_TEST_CASE(completing_twice_in_the_clock_cannot_happen, OutTransfer) {
  BOOST_TEST(tests::Dies([&] {
    Submit(transfer);
    link.Finish(transfer, Outcome::kOk, 4);
    clock.Post(transfer);
  }));
  BOOST_TEST(tests::Dies([&] {
    Submit(transfer);
    Finish(transfer, Outcome::kOk, 4);
    transfer.Complete();
  }));
}

// ---- Rule 2: never from inside ----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(completing_inside_submit_is_a_breach, OutTransfer) {
  transfer.out = {};
  link.finish_inside_submit = true;
  Submit(transfer);
  BOOST_TEST(Breaches() ==
             "not from inside: endpoint 02 stream 0: completes inside a call to the link");
}

BOOST_FIXTURE_TEST_CASE(completing_inside_cancel_is_a_breach, OutTransfer) {
  link.finish_inside_cancel = true;
  Submit(transfer);
  auditor->Cancel(transfer);
  BOOST_TEST(Breaches() ==
             "not from inside: endpoint 02 stream 0: completes inside a call to the link");
}

BOOST_FIXTURE_TEST_CASE(completing_inside_request_is_a_breach, Stack) {
  link.finish_inside_request = true;
  PortOp op;
  Request(op, usb::Suspend{});
  BOOST_TEST(Breaches() ==
             "not from inside: endpoint 00 stream 0: suspend completes inside a call to the link");
}

// ---- Rule 3: in order -------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(overtaking_is_a_breach, TwoTransfers) {
  Finish(second, Outcome::kOk, 0);
  Finish(first, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "in order: endpoint 02 stream 0: ok before an earlier transfer that nobody cancelled");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_transfer_may_overtake, TwoTransfers) {
  auditor->Cancel(second);
  Finish(second, Outcome::kCancelled, 0);
  Finish(first, Outcome::kOk, 0);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_transfer_may_be_overtaken, TwoTransfers) {
  auditor->Cancel(first);
  Finish(second, Outcome::kOk, 0);
  Finish(first, Outcome::kCancelled, 0);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(asking_to_cancel_is_no_licence_to_move_out_of_order, TwoTransfers) {
  auditor->Cancel(second);
  Finish(second, Outcome::kOk, 0);
  Finish(first, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "in order: endpoint 02 stream 0: ok before an earlier transfer that nobody cancelled");
}

BOOST_FIXTURE_TEST_CASE(endpoints_and_streams_have_an_order_of_their_own, Stack) {
  std::array<Transfer, 4> transfers;
  for (Transfer& transfer : transfers) transfer.endpoint = EndpointAddress::Out(2);
  transfers[1].stream_id = 1;
  transfers[2].stream_id = 2;
  transfers[3].endpoint = EndpointAddress::Out(3);
  for (Transfer& transfer : transfers) Submit(transfer);
  for (size_t index = 4; index-- > 0;) Finish(transfers[index], Outcome::kOk, 0);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(one_stream_keeps_its_order, Stack) {
  Transfer first, second;
  first.endpoint = second.endpoint = EndpointAddress::Out(2);
  first.stream_id = second.stream_id = 3;
  Submit(first);
  Submit(second);
  Finish(second, Outcome::kOk, 0);
  Finish(first, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "in order: endpoint 02 stream 3: ok before an earlier transfer that nobody cancelled");
}

// ---- Rule 4: stays disconnected ---------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(nothing_else_comes_after_a_disconnected_transfer, TwoTransfers) {
  Finish(first, Outcome::kDisconnected, 0);
  Finish(second, Outcome::kCancelled, 0);
  PortOp op;
  Perform(op, usb::ResetPort{});
  Perform(op, usb::ResetPort{}, Outcome::kDisconnected);
  BOOST_TEST(
      Breaches() ==
      "stays disconnected: endpoint 02 stream 0: cancelled after something was disconnected; "
      "stays disconnected: endpoint 00 stream 0: reset port: ok after something was "
      "disconnected");
}

BOOST_FIXTURE_TEST_CASE(a_disconnected_port_request_counts_as_well, OutTransfer) {
  PortOp op;
  Perform(op, usb::Suspend{}, Outcome::kDisconnected);
  Submit(transfer);
  Finish(transfer, Outcome::kFault, 0);
  BOOST_TEST(Breaches() ==
             "stays disconnected: endpoint 02 stream 0: fault after something was disconnected");
}

// ---- Rule 6: halted endpoints -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(nothing_moves_on_a_halted_endpoint, TwoTransfers) {
  Finish(first, Outcome::kStall, 0);
  Finish(second, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "stays halted: endpoint 02 stream 0: ok after 0 bytes on a halted endpoint");
}

BOOST_FIXTURE_TEST_CASE(not_even_part_of_a_cancelled_transfer_moves, InTransfer) {
  std::array<uint8_t, 8> more{};
  Transfer later;
  later.endpoint = transfer.endpoint;
  later.in = more;
  later.in_length_max = 8;
  Submit(transfer);
  Submit(later);
  Finish(transfer, Outcome::kStall, 3);
  auditor->Cancel(later);
  Finish(later, Outcome::kCancelled, 1);
  BOOST_TEST(Breaches() ==
             "stays halted: endpoint 81 stream 0: cancelled after 1 bytes on a halted endpoint");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_transfer_that_moved_before_the_stall_is_none_of_it,
                        InTransfer) {
  std::array<uint8_t, 8> more{};
  Transfer later;
  later.endpoint = transfer.endpoint;
  later.in = more;
  later.in_length_max = 8;
  Submit(transfer);
  Submit(later);
  auditor->Cancel(transfer);
  Finish(later, Outcome::kStall, 0);
  Finish(transfer, Outcome::kCancelled, 5);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(halted_means_until_a_clear_halt_that_succeeds, OutTransfer) {
  PortOp op;
  const auto submit = [&](Outcome outcome, uint32_t length) {
    transfer.Rearm();
    Submit(transfer);
    Finish(transfer, outcome, length);
  };
  submit(Outcome::kStall, 0);
  submit(Outcome::kStall, 0);                           // it may say so again
  Perform(op, usb::ClearHalt{EndpointAddress::In(2)});  // the other direction
  Perform(op, usb::ClearHalt{EndpointAddress::Out(2)}, Outcome::kStall);
  BOOST_TEST(Breaches() == "");
  submit(Outcome::kOk, 4);
  BOOST_TEST(Breaches() ==
             "stays halted: endpoint 02 stream 0: ok after 4 bytes on a halted endpoint");
  collector.breaches.clear();
  Perform(op, usb::ClearHalt{EndpointAddress::Out(2)});
  submit(Outcome::kOk, 4);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(each_request_that_resets_endpoints_ends_a_halt, OutTransfer) {
  for (const usb::PortRequest& request :
       {usb::PortRequest(usb::SetConfiguration{1}), usb::PortRequest(usb::SetAlternate{0, 1}),
        usb::PortRequest(usb::ResetPort{})}) {
    transfer.Rearm();
    Submit(transfer);
    Finish(transfer, Outcome::kStall, 0);
    PortOp op;
    Perform(op, request);
    transfer.Rearm();
    Submit(transfer);
    Finish(transfer, Outcome::kOk, 4);
  }
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(a_control_endpoint_is_never_halted, ControlTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kStall, 0);
  transfer.Rearm();
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(clear_halt_with_a_transfer_in_flight_is_a_breach, OutTransfer) {
  transfer.stream_id = 2;
  Submit(transfer);
  PortOp op;
  Perform(op, usb::ClearHalt{EndpointAddress::In(2)});
  BOOST_TEST(Breaches() == "");
  auditor->Cancel(transfer);  // asked is not done
  Perform(op, usb::ClearHalt{EndpointAddress::Out(2)});
  BOOST_TEST(Breaches() ==
             "idle before request: endpoint 02 stream 2: clear halt with 1 in flight");
  Finish(transfer, Outcome::kCancelled, 0);
}

BOOST_FIXTURE_TEST_CASE(set_configuration_with_anything_in_flight_is_a_breach, ControlTransfer) {
  Submit(transfer);
  PortOp op;
  Perform(op, usb::SetConfiguration{1});
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(Breaches() ==
             "idle before request: endpoint 00 stream 0: set configuration with 1 in flight");
}

BOOST_FIXTURE_TEST_CASE(set_alternate_touches_its_own_interface_only, OutTransfer) {
  Learn();
  Submit(transfer);  // endpoint 02 is of interface 0
  PortOp op;
  Perform(op, usb::SetAlternate{1, 0});
  BOOST_TEST(Breaches() == "");
  Perform(op, usb::SetAlternate{0, 0});
  Finish(transfer, Outcome::kOk, 4);
  BOOST_TEST(Breaches() ==
             "idle before request: endpoint 02 stream 0: set alternate setting with 1 in flight");
}

// ---- Rules 7 and 8 ----------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(port_requests_must_not_travel_as_control_transfers, Stack) {
  const usb::PortRequest requests[] = {usb::SetConfiguration{1}, usb::SetAlternate{0, 1},
                                       usb::ClearHalt{EndpointAddress::In(1)}, usb::ResetPort{}};
  for (const usb::PortRequest& request : requests) {
    collector.breaches.clear();
    Transfer transfer;
    transfer.setup = usb::AsSetupPacket(request);
    Submit(transfer);
    Finish(transfer, Outcome::kOk, 0);
    BOOST_TEST(Breaches() == std::string("not as control transfer: endpoint 00 stream 0: ") +
                                 usb::Name(request) + " is a port request");
  }
}

BOOST_FIXTURE_TEST_CASE(a_port_reset_cancels_what_was_queued, TwoTransfers) {
  PortOp op;
  Perform(op, usb::ResetPort{});
  Finish(first, Outcome::kCancelled, 0);
  Finish(second, Outcome::kOk, 0);
  BOOST_TEST(Breaches() ==
             "reset cancels: endpoint 02 stream 0: ok although the port was reset since it was "
             "submitted");
}

BOOST_FIXTURE_TEST_CASE(a_port_reset_that_failed_cancels_nothing, TwoTransfers) {
  PortOp op;
  Perform(op, usb::ResetPort{}, Outcome::kFault);
  Finish(first, Outcome::kOk, 0);
  Finish(second, Outcome::kOk, 0);
  BOOST_TEST(Breaches() == "");
}

// ---- What the host may ask --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(requests_that_make_no_sense_are_reported) {
  struct Case {
    const char* text;  // after "request makes sense: endpoint .. stream ..: "
    void (*make)(Transfer& transfer, MutableBytes room);
  };
  const Case cases[] = {
      {"submitted with the outcome ok of an earlier flight",
       [](Transfer& transfer, MutableBytes) { transfer.outcome = Outcome::kOk; }},
      {"submitted with 3 bytes, 0 errors and a lease of 0 bytes of an earlier flight",
       [](Transfer& transfer, MutableBytes) { transfer.length_actual = 3; }},
      {"submitted with 0 bytes, 2 errors and a lease of 0 bytes of an earlier flight",
       [](Transfer& transfer, MutableBytes) { transfer.error_count = 2; }},
      {"submitted with 0 bytes, 0 errors and a lease of 4 bytes of an earlier flight",
       [](Transfer& transfer, MutableBytes) {
         transfer.lease.AppendOrCopy(OwnedPin::Make(4).first);
       }},
      {"the address has reserved bits",
       [](Transfer& transfer, MutableBytes) { transfer.endpoint.value = 0x12; }},
      {"the link has 4 streams", [](Transfer& transfer, MutableBytes) { transfer.stream_id = 5; }},
      {"a control transfer without a setup packet",
       [](Transfer& transfer, MutableBytes) { transfer.endpoint = {}; }},
      {"a setup packet for another endpoint than 0",
       [](Transfer& transfer, MutableBytes) {
         transfer.setup = SetupPacket{0x40, 1, uint16_t{0}, uint16_t{0}, uint16_t{4}};
       }},
      {"a setup packet for another endpoint than 0",
       [](Transfer& transfer, MutableBytes) {
         transfer.endpoint = {0x80};
         transfer.setup = SetupPacket{0x40, 1, uint16_t{0}, uint16_t{0}, uint16_t{4}};
       }},
      {"wLength 5 with 4 bytes of data",
       [](Transfer& transfer, MutableBytes) {
         transfer.endpoint = {};
         transfer.setup = SetupPacket{0x40, 1, uint16_t{0}, uint16_t{0}, uint16_t{5}};
       }},
      {"wLength 5 with 8 bytes of data",
       [](Transfer& transfer, MutableBytes room) {
         transfer.endpoint = {};
         transfer.out = {};
         transfer.in = room;
         transfer.in_length_max = 8;
         transfer.setup = SetupPacket{0xc0, 1, uint16_t{0}, uint16_t{0}, uint16_t{5}};
       }},
      {"only bulk endpoints have streams",
       [](Transfer& transfer, MutableBytes) {
         transfer.endpoint = {};
         transfer.stream_id = 1;
         transfer.setup = SetupPacket{0x40, 1, uint16_t{0}, uint16_t{0}, uint16_t{4}};
       }},
      {"an OUT transfer with room for 8 bytes in",
       [](Transfer& transfer, MutableBytes room) { transfer.in = room; }},
      {"an OUT transfer with room for 1 bytes in",
       [](Transfer& transfer, MutableBytes) { transfer.in_length_max = 1; }},
      {"an IN transfer with 4 bytes out",
       [](Transfer& transfer, MutableBytes) { transfer.endpoint = EndpointAddress::In(1); }},
      {"asks for 7 bytes with room for 8",
       [](Transfer& transfer, MutableBytes room) {
         transfer.endpoint = EndpointAddress::In(1);
         transfer.out = {};
         transfer.in = room;
         transfer.in_length_max = 7;
       }},
      {"asks for a loan of 8 bytes where none is given",
       [](Transfer& transfer, MutableBytes) {
         transfer.endpoint = {};
         transfer.out = {};
         transfer.in_length_max = 8;
         transfer.setup = SetupPacket{0xc0, 1, uint16_t{0}, uint16_t{0}, uint16_t{8}};
       }},
      {"asks for a loan of 8 bytes where none is given",
       [](Transfer& transfer, MutableBytes) {
         transfer.endpoint = EndpointAddress::In(3);  // interrupt
         transfer.out = {};
         transfer.in_length_max = 8;
       }},
      {"1048577 bytes, the link takes 1048576",
       [](Transfer& transfer, MutableBytes) {
         static const std::vector<uint8_t> kLong((1 << 20) + 1);
         transfer.out = kLong;
       }},
      {"packet 0: 4 bytes at offset 4294967295 of 4",
       [](Transfer& transfer, MutableBytes) {
         static std::array<usb::IsoPacket, 1> packets{{{UINT32_MAX, 4}}};
         transfer.packets = packets;
       }},
  };
  for (const Case& one : cases) {
    BOOST_TEST_CONTEXT(one.text) {
      Stack stack;
      stack.Learn();
      std::array<uint8_t, 8> room{};
      Transfer transfer;
      transfer.endpoint = EndpointAddress::Out(2);
      transfer.out = kOut;
      one.make(transfer, room);
      stack.Submit(transfer);
      BOOST_REQUIRE(stack.collector.breaches.size() == 1u);
      BOOST_TEST((stack.collector.breaches[0].rule == Rule::kRequestMakesSense));
      BOOST_TEST(stack.collector.breaches[0].text == one.text);
      BOOST_TEST(stack.collector.breaches[0].endpoint.value == transfer.endpoint.value);
      // Reported, and passed on.
      BOOST_TEST(stack.link.waiting.size() == 1u);
      transfer.Rearm();
      stack.Finish(transfer, Outcome::kCancelled, 0);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_loan_needs_a_link_that_lends, Stack) {
  auditor.reset();
  link.link_caps.lends_data = false;
  auditor.emplace(link, &collector);
  Transfer transfer;
  transfer.endpoint = EndpointAddress::In(1);
  transfer.in_length_max = 8;
  Submit(transfer);
  Finish(transfer, Outcome::kCancelled, 0);
  BOOST_TEST(Breaches() ==
             "request makes sense: endpoint 81 stream 0: asks for a loan of 8 bytes where none is "
             "given");
}

BOOST_FIXTURE_TEST_CASE(a_transfer_nobody_waits_for_is_a_breach, OutTransfer) {
  auditor->Submit(transfer);
  Finish(transfer, Outcome::kOk, 4);
  BOOST_TEST(Breaches() == "request makes sense: endpoint 02 stream 0: submitted without a sink");
}

BOOST_FIXTURE_TEST_CASE(submitting_what_is_in_flight_goes_no_further, OutTransfer) {
  Submit(transfer);
  auditor->Submit(transfer);
  BOOST_TEST(link.waiting.size() == 1u);
  link.Finish(transfer, Outcome::kOk, 4);
  auditor->Submit(transfer);  // decided, but not completed
  clock.RunPosted();
  BOOST_TEST(host.done.size() == 1u);
  BOOST_TEST(Breaches() ==
             "request makes sense: endpoint 02 stream 0: submitted while it is in flight; "
             "request makes sense: endpoint 02 stream 0: submitted while it is in flight");
}

BOOST_FIXTURE_TEST_CASE(cancelling_what_is_not_in_flight_goes_no_further, OutTransfer) {
  auditor->Cancel(transfer);
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 4);
  auditor->Cancel(transfer);
  BOOST_TEST(link.cancelled.empty());
  BOOST_TEST(Breaches() ==
             "request makes sense: endpoint 02 stream 0: cancelled while it is not in flight; "
             "request makes sense: endpoint 02 stream 0: cancelled while it is not in flight");
}

BOOST_FIXTURE_TEST_CASE(a_transfer_must_not_change_in_flight, OutTransfer) {
  Submit(transfer);
  transfer.endpoint = EndpointAddress::Out(3);
  Finish(transfer, Outcome::kOk, 4);
  BOOST_TEST(Breaches() ==
             "request makes sense: endpoint 03 stream 0: was submitted to endpoint 02 stream 0");
  BOOST_TEST(auditor->in_flight_count() == 0u);
}

BOOST_FIXTURE_TEST_CASE(port_requests_must_be_ready, Stack) {
  PortOp op;
  op.outcome = Outcome::kOk;
  Request(op, usb::Suspend{});
  auditor->Request(op);
  BOOST_TEST(link.ops.size() == 1u);
  link.Finish(op, Outcome::kOk);
  auditor->Request(op);
  clock.RunPosted();
  PortOp lonely;
  lonely.request = usb::Resume{};
  auditor->Request(lonely);
  link.Finish(lonely, Outcome::kOk);
  clock.RunPosted();
  BOOST_TEST(
      Breaches() ==
      "request makes sense: endpoint 00 stream 0: port request that is not ready to be made: "
      "suspend; "
      "request makes sense: endpoint 00 stream 0: port request made while it is in flight: "
      "suspend; "
      "request makes sense: endpoint 00 stream 0: port request made while it is in flight: "
      "suspend; "
      "request makes sense: endpoint 00 stream 0: port request that is not ready to be made: "
      "resume");
}

// ---- What the link may answer -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(more_than_was_asked_for_is_a_breach, InTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kOverflow, 9);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: 9 bytes moved, 8 were asked for");
}

BOOST_FIXTURE_TEST_CASE(an_out_transfer_cannot_be_ok_and_short, OutTransfer) {
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 3);
  BOOST_TEST(Breaches() == "result makes sense: endpoint 02 stream 0: ok after 3 of 4 bytes out");
}

BOOST_FIXTURE_TEST_CASE(short_is_not_ok_where_the_host_said_so, InTransfer) {
  transfer.flags.short_not_ok = true;
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 7);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: ok after 7 of 8 bytes, where short is not "
             "ok");
}

BOOST_FIXTURE_TEST_CASE(a_lease_only_where_there_was_no_room, InTransfer) {
  Submit(transfer);
  transfer.lease.AppendOrCopy(OwnedPin::Make(8).first);
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(
      Breaches() ==
      "result makes sense: endpoint 81 stream 0: 8 bytes are lent where none were asked for");
}

BOOST_FIXTURE_TEST_CASE(a_lease_is_as_long_as_what_moved, InTransfer) {
  transfer.in = {};
  Submit(transfer);
  transfer.lease.AppendOrCopy(OwnedPin::Make(4).first);
  Finish(transfer, Outcome::kOk, 5);
  transfer.Rearm();
  Submit(transfer);
  Finish(transfer, Outcome::kOk, 8);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: 5 bytes moved, 4 are lent; "
             "result makes sense: endpoint 81 stream 0: 8 bytes moved, 0 are lent");
}

BOOST_FIXTURE_TEST_CASE(isochronous_packets_must_add_up, IsoTransfer) {
  Submit(transfer);
  packets[0].length_actual = 5;
  packets[0].outcome = Outcome::kOk;
  Finish(transfer, Outcome::kOk, 5);
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 81 stream 0: packet 0: 5 bytes moved, 4 were asked for; "
             "result makes sense: endpoint 81 stream 0: packet 1 has no outcome; "
             "result makes sense: endpoint 81 stream 0: 1 packets failed, error_count is 0");
}

BOOST_FIXTURE_TEST_CASE(good_isochronous_packets_pass, IsoTransfer) {
  Submit(transfer);
  packets[0].length_actual = 4;
  packets[0].outcome = Outcome::kOk;
  packets[1].outcome = Outcome::kFault;
  transfer.error_count = 1;
  Finish(transfer, Outcome::kOk, 4);
  BOOST_TEST(Breaches() == "");
}

BOOST_FIXTURE_TEST_CASE(port_requests_have_results_that_make_sense, Stack) {
  PortOp op;
  Perform(op, usb::ClaimInterface{0}, Outcome::kPending);
  Perform(op, usb::ClaimInterface{0}, Outcome::kCancelled);
  op.granted = 4;
  Perform(op, usb::AllocateStreams{.count = 3, .endpoints = {}});
  Perform(op, usb::AllocateStreams{.count = 4, .endpoints = {}});
  op.granted = 5;
  Perform(op, usb::AllocateStreams{.count = 5, .endpoints = {}});
  BOOST_TEST(Breaches() ==
             "result makes sense: endpoint 00 stream 0: claim interface: pending; "
             "result makes sense: endpoint 00 stream 0: claim interface: cancelled; "
             "result makes sense: endpoint 00 stream 0: allocate streams granted 4 of 3; "
             "result makes sense: endpoint 00 stream 0: allocate streams granted 5 of 5");
}

BOOST_FIXTURE_TEST_CASE(a_queued_port_request_that_completes_is_one_too_many, Stack) {
  PortOp op;
  Request(op, usb::Suspend{});
  IntrusiveList<Deferred> elsewhere;
  elsewhere.PushBack(op);
  op.outcome = Outcome::kOk;
  op.Complete();
  op.Unlink();
  BOOST_TEST(Breaches() ==
             "exactly once: endpoint 00 stream 0: suspend completes while it is still queued");
}

BOOST_FIXTURE_TEST_CASE(caps_must_not_change, Stack) {
  link.link_caps.streams_max = 0;
  BOOST_TEST(auditor->caps().streams_max == 0);
  BOOST_TEST(Breaches() == "caps are constant: endpoint 00 stream 0: the link's caps changed");
}

// ---- Without a sink ---------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_breach_aborts_where_nobody_collects) {
  const auto overtake = [](BreachSink* sink) {
    ManualClock clock;
    ScriptedLink link(clock);
    Host host;
    Auditor auditor(link, sink);
    std::array<Transfer, 2> transfers;
    for (Transfer& transfer : transfers) {
      transfer.endpoint = EndpointAddress::Out(2);
      transfer.Push(host);
      auditor.Submit(transfer);
    }
    link.Finish(transfers[1], Outcome::kOk, 0);
    link.Finish(transfers[0], Outcome::kOk, 0);
    clock.RunPosted();
  };
  Collector collector;
  BOOST_TEST(!tests::Dies([&] { overtake(&collector); }));
  BOOST_TEST(tests::Dies([&] { overtake(nullptr); }));
}

BOOST_AUTO_TEST_SUITE_END()
