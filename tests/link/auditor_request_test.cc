#include "link/auditor.h"

#include <boost/test/unit_test.hpp>

#include "tests/link/auditor_stack.h"

using namespace usbtwin;                   // NOLINT
using namespace usbtwin::tests;            // NOLINT
using namespace usbtwin::tests::auditing;  // NOLINT

BOOST_AUTO_TEST_SUITE(auditor_request)

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
      {"a control transfer with isochronous packets",
       [](Transfer& transfer, MutableBytes) {
         static std::array<usb::IsoPacket, 1> packets{{{0, 4}}};
         transfer.endpoint = {};
         transfer.setup = SetupPacket{0x40, 1, uint16_t{0}, uint16_t{0}, uint16_t{4}};
         transfer.packets = packets;
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

BOOST_FIXTURE_TEST_CASE(what_the_caps_allow_may_be_used_up, OutTransfer) {
  const std::vector<uint8_t> longest(link.link_caps.transfer_length_max);
  transfer.out = longest;
  transfer.stream_id = link.link_caps.streams_max;
  Submit(transfer);
  Finish(transfer, Outcome::kOk, link.link_caps.transfer_length_max);
  BOOST_TEST(Breaches() == "");
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

BOOST_AUTO_TEST_SUITE_END()
