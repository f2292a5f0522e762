// What one request leaves behind for the next.
#include "proto/chapter9.h"

#include <boost/test/unit_test.hpp>

#include "tests/proto/chapter9_rig.h"

using namespace usbtwin;                   // NOLINT
using namespace usbtwin::tests::requests;  // NOLINT
using chapter9::Model;
using chapter9::State;

BOOST_AUTO_TEST_SUITE(chapter9_state)

BOOST_AUTO_TEST_CASE(an_address_leads_from_state_to_state) {
  Rig rig(usb::Speed::kHigh);
  BOOST_TEST((rig.engine.state() == State::kDefault));
  rig.Ask("00 05 0700 0000 0000"_hex);
  BOOST_TEST((rig.engine.state() == State::kAddress));
  BOOST_TEST(rig.engine.address() == 7);
  rig.Ask("00 05 0900 0000 0000"_hex);
  BOOST_TEST(rig.engine.address() == 9);
  rig.Ask("00 05 0000 0000 0000"_hex);
  BOOST_TEST((rig.engine.state() == State::kDefault));
}

BOOST_AUTO_TEST_CASE(a_refused_configuration_leaves_the_old_one) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  BOOST_TEST(rig.Ask("00 09 0200 0000 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("80 08 0000 0000 0100"_hex) == "send 01");
  BOOST_TEST(rig.Ask("00 09 0500 0000 0000"_hex) ==
             "disable 0:0.0, disable 0:1.0, enable 1:3.0, ack");
  BOOST_TEST(rig.Ask("80 08 0000 0000 0100"_hex) == "send 05");
  BOOST_TEST(rig.Ask("82 00 0000 8100 0200"_hex) == "-");
  BOOST_TEST(rig.Ask("00 09 0000 0000 0000"_hex) == "disable 1:3.0, ack");
  BOOST_TEST(rig.Ask("80 08 0000 0000 0100"_hex) == "send 00");
}

BOOST_AUTO_TEST_CASE(an_alternate_setting_brings_its_endpoints) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.Ask("01 0b 0100 0100 0000"_hex);
  BOOST_TEST(rig.Ask("81 0a 0000 0100 0100"_hex) == "send 01");
  BOOST_TEST(rig.Ask("82 00 0000 8300 0200"_hex) == "send halt 83");
  BOOST_TEST(rig.Ask("02 03 0000 8300 0000"_hex) == "halt 83 of 1, ack");
  // An isochronous endpoint cannot halt, but may have a pattern.
  BOOST_TEST(rig.Ask("02 03 0000 8200 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("02 01 0000 8200 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("82 0c 0000 8200 0200"_hex) == "ask 1");
  BOOST_TEST(rig.Ask("82 0c 0100 8200 0200"_hex) == "-");
  BOOST_TEST(rig.Ask("82 0c 0000 8200 0100"_hex) == "-");
  BOOST_TEST(rig.Ask("82 0c 0000 8300 0200"_hex) == "-");
  // Another SET_CONFIGURATION begins with alternate setting 0 again.
  BOOST_TEST(rig.Ask("00 09 0100 0000 0000"_hex) ==
             "disable 0:0.0, disable 0:1.1, enable 0:0.0, enable 0:1.0, ack");
}

BOOST_AUTO_TEST_CASE(remote_wakeup_needs_the_hosts_leave_and_sleep) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.engine.HandleSuspend();
  BOOST_TEST(!rig.engine.may_wake());
  rig.engine.HandleResume();
  rig.Ask("00 03 0100 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 0300");
  BOOST_TEST(!rig.engine.may_wake());
  rig.engine.HandleSuspend();
  BOOST_TEST(rig.engine.suspended());
  BOOST_TEST(rig.engine.may_wake());
  rig.engine.HandleResume();
  rig.Ask("00 01 0100 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 0100");
}

BOOST_AUTO_TEST_CASE(a_configuration_that_cannot_wake_refuses_the_feature) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.Ask("00 09 0500 0000 0000"_hex);
  BOOST_TEST(rig.Ask("00 03 0100 0000 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("00 01 0100 0000 0000"_hex) == "-");
}

BOOST_AUTO_TEST_CASE(functions_sleep_and_wake_at_super_speed) {
  Rig rig(usb::Speed::kSuper, State::kConfigured);
  BOOST_TEST(rig.Ask("01 03 0000 0003 0000"_hex) == "suspend 0, ack");
  BOOST_TEST(rig.Ask("81 00 0000 0000 0200"_hex) == "send 0300");
  BOOST_TEST(rig.Ask("01 03 0000 0003 0000"_hex) == "ack");
  rig.engine.HandleSuspend();
  BOOST_TEST(rig.engine.may_wake());
  rig.engine.HandleResume();
  BOOST_TEST(rig.Ask("01 03 0000 0000 0000"_hex) == "resume 0, ack");
  BOOST_TEST(rig.Ask("81 00 0000 0000 0200"_hex) == "send 0100");
  rig.engine.HandleSuspend();
  BOOST_TEST(!rig.engine.may_wake());
  rig.engine.HandleResume();
  BOOST_TEST(rig.Ask("01 03 0000 0001 0000"_hex) == "suspend 0, ack");
  BOOST_TEST(rig.Ask("01 01 0000 0000 0000"_hex) == "resume 0, ack");
  // Where the configuration cannot wake, its functions cannot either.
  rig.Ask("00 09 0500 0000 0000"_hex);
  BOOST_TEST(rig.Ask("01 03 0000 0302 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("01 03 0000 0301 0000"_hex) == "suspend 3, ack");
  BOOST_TEST(rig.Ask("81 00 0000 0300 0200"_hex) == "send 0000");
}

BOOST_AUTO_TEST_CASE(link_power_features_show_and_end_with_the_configuration) {
  Rig rig(usb::Speed::kSuper, State::kConfigured);
  rig.Ask("00 03 3000 0000 0000"_hex);
  rig.Ask("00 03 3100 0000 0000"_hex);
  rig.Ask("00 03 3200 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 1d00");
  rig.Ask("00 01 3100 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 1500");
  rig.Ask("00 09 0100 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 0100");
}

BOOST_AUTO_TEST_CASE(latency_messages_are_refused_where_they_are_not_offered) {
  Rig rig(usb::Speed::kSuper, State::kConfigured);
  rig.model.latency_messages = false;
  BOOST_TEST(rig.Ask("00 03 3200 0000 0000"_hex) == "-");
  BOOST_TEST(rig.Ask("00 01 3200 0000 0000"_hex) == "-");
}

BOOST_AUTO_TEST_CASE(exit_latencies_and_delay_are_kept_until_reset) {
  Rig rig(usb::Speed::kSuper, State::kAddress);
  rig.Ask("00 30 0000 0000 0600"_hex, "0a 05 0002 0001"_hex);
  rig.Ask("00 31 2800 0000 0000"_hex);
  BOOST_TEST((rig.engine.exit_latencies() == chapter9::ExitLatencies{10, 5, 512, 256}));
  BOOST_TEST(rig.engine.isochronous_delay_ns() == 40);
  rig.engine.HandleBusReset();
  BOOST_TEST((rig.engine.exit_latencies() == chapter9::ExitLatencies{}));
  BOOST_TEST(rig.engine.isochronous_delay_ns() == 0);
}

BOOST_AUTO_TEST_CASE(a_bus_reset_takes_everything_back) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.Ask("00 03 0100 0000 0000"_hex);
  rig.Ask("01 0b 0100 0100 0000"_hex);
  rig.engine.HandleSuspend();
  rig.engine.HandleBusReset();
  BOOST_TEST(rig.Drain() == "disable 0:0.0, disable 0:1.1");
  BOOST_TEST((rig.engine.state() == State::kDefault));
  BOOST_TEST(rig.engine.address() == 0);
  BOOST_TEST(!rig.engine.suspended());
  rig.Ask("00 05 0700 0000 0000"_hex);
  BOOST_TEST(rig.Ask("80 00 0000 0000 0200"_hex) == "send 0100");
}

BOOST_AUTO_TEST_CASE(test_mode_ends_with_the_power) {
  Rig rig(usb::Speed::kHigh, State::kConfigured);
  rig.Ask("00 03 0200 0004 0000"_hex);
  BOOST_TEST(rig.engine.test_mode() == 4);
  BOOST_TEST(rig.Ask("80 06 0001 0000 1200"_hex) == "-");
  rig.engine.HandleBusReset();
  BOOST_TEST(rig.Drain() == "disable 0:0.0, disable 0:1.0");
  BOOST_TEST(rig.Ask("80 06 0001 0000 1200"_hex) == "-");
  rig.engine.HandleDisconnect();
  BOOST_TEST(rig.Drain() == "");
  BOOST_TEST(rig.Ask("80 06 0001 0000 1200"_hex) == "send 18 of type 1");
}

BOOST_AUTO_TEST_CASE(there_is_no_test_mode_below_high_speed) {
  Rig rig(usb::Speed::kFull, State::kConfigured);
  BOOST_TEST(rig.Ask("00 03 0200 0004 0000"_hex) == "-");
}

BOOST_AUTO_TEST_CASE(what_the_model_lacks_is_refused) {
  Rig rig(usb::Speed::kFull, State::kAddress);
  rig.model.qualifier = {};
  rig.model.other_speed = {};
  rig.model.bos = {};
  rig.model.strings = {};
  BOOST_TEST(rig.Ask("80 06 0006 0000 0a00"_hex) == "-");
  BOOST_TEST(rig.Ask("80 06 0007 0000 0900"_hex) == "-");
  BOOST_TEST(rig.Ask("80 06 000f 0000 0500"_hex) == "-");
  BOOST_TEST(rig.Ask("80 06 0003 0000 ff00"_hex) == "-");
}

BOOST_AUTO_TEST_CASE(every_setup_is_answered_exactly_once) {
  // Every request type and request, with a few values each, in every state.
  for (const State state : {State::kDefault, State::kAddress, State::kConfigured}) {
    Rig rig(usb::Speed::kSuper, state);
    for (unsigned type = 0; type < 256; ++type) {
      for (unsigned request = 0; request < 64; ++request) {
        for (const uint32_t value : {0x0000u, 0x0001u, 0x0002u, 0x0100u, 0x0300u, 0xffffu}) {
          const usb::SetupPacket setup{.request_type = static_cast<uint8_t>(type),
                                       .request = static_cast<uint8_t>(request),
                                       .value = static_cast<uint16_t>(value),
                                       .index = static_cast<uint16_t>(value),
                                       .length = uint16_t{0}};
          rig.engine.HandleSetup(setup, {});
          size_t answers = 0;
          while (const std::optional<chapter9::Action> action = rig.engine.Poll()) {
            answers += std::holds_alternative<chapter9::Send>(*action) ||
                       std::holds_alternative<chapter9::SendHalt>(*action) ||
                       std::holds_alternative<chapter9::Acknowledge>(*action) ||
                       std::holds_alternative<chapter9::Refuse>(*action) ||
                       std::holds_alternative<chapter9::AskFunction>(*action);
          }
          if (answers != 1) BOOST_FAIL("setup " << Hex(wire::AsBytes(setup)));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
