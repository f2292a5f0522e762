#include "emulator/device.h"

#include <boost/test/unit_test.hpp>

#include "tests/emulator/device_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT

BOOST_AUTO_TEST_SUITE(device)

BOOST_AUTO_TEST_CASE(functions_are_bound_once_though_two_configurations_have_them) {
  Journal journal(Speed::kHigh);
  Scripted disk("disk", kDisk, {"Disk"});
  auto device =
      Device::Make({}, {{.value = 1, .functions = {&disk}}, {.value = 2, .functions = {&disk}}});
  BOOST_REQUIRE(device);
  BOOST_REQUIRE((*device)->Bind(journal));
  BOOST_TEST(journal.Take() == "disk bound");
}

BOOST_AUTO_TEST_CASE(a_speed_the_device_does_not_know_is_refused) {
  Journal journal(Speed::kSuper);
  Scripted disk("disk", kDisk, {"Disk"});
  auto device = Device::Make({}, {{.functions = {&disk}}});
  BOOST_TEST((*device)->Bind(journal).error().Describe() ==
             "not supported: the device does not know this speed");
}

BOOST_AUTO_TEST_CASE(a_configuration_brings_interfaces_and_endpoints) {
  Rig rig(Speed::kHigh);
  BOOST_TEST(rig.Ask("00 09 0100 0000 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() ==
             "enable 81/512, enable 01/512, disk gets 0.0 81 01, "
             "enable 82/8, modem gets 0.0 82, modem gets 1.0");

  BOOST_TEST(rig.Ask("01 0b 0100 0200 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() ==
             "modem loses 1, enable 83/512, enable 02/512, modem gets 1.1 83 02");
  BOOST_TEST(rig.Ask("81 0a 0000 0200 0100"_hex) == "01");

  BOOST_TEST(rig.Ask("00 09 0200 0000 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() ==
             "disable 81, disable 01, disk loses 0, disable 82, modem loses 0, "
             "disable 83, disable 02, modem loses 1, enable 81/512, enable 01/512, "
             "disk gets 0.0 81 01");
  BOOST_TEST(rig.Ask("00 09 0000 0000 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() == "disable 81, disable 01, disk loses 0");
}

BOOST_AUTO_TEST_CASE(class_requests_reach_their_function_with_its_own_number) {
  Rig rig(Speed::kHigh);
  rig.Configure();
  BOOST_TEST(rig.Ask("21 22 0300 0200 0200"_hex, "aabb"_hex, 7) == "ack");
  BOOST_TEST(rig.journal.Take() == "modem asked 1 2122030002000200 ticket 7 out aabb");
  rig.disk.reply = ControlReply::Later();
  BOOST_TEST(rig.Ask("21 ff 0000 0000 0000"_hex, {}, 8) == "later");
  BOOST_TEST(rig.journal.Take() == "disk asked 0 21ff000000000000 ticket 8 out ");
  const auto one = "03"_hex;
  rig.disk.reply = ControlReply::Data(one);
  BOOST_TEST(rig.Ask("a1 fe 0000 0000 0100"_hex) == "03");
  rig.journal.Take();
  // By endpoint; 83 belongs to a setting that was not chosen.
  rig.modem.reply = ControlReply::Stall();
  BOOST_TEST(rig.Ask("22 01 0001 8200 0000"_hex) == "stall");
  BOOST_TEST(rig.journal.Take() == "modem asked 0 2201000182000000 ticket 1 out ");
  BOOST_TEST(rig.Ask("22 01 0001 8300 0000"_hex) == "stall");
  BOOST_TEST(rig.journal.Take() == "");
}

BOOST_AUTO_TEST_CASE(the_host_sets_and_clears_halts) {
  Rig rig(Speed::kHigh);
  rig.Configure();
  BOOST_TEST(rig.Ask("82 00 0000 8100 0200"_hex) == "0000");
  BOOST_TEST(rig.Ask("02 03 0000 8100 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() == "halt 81=1");
  BOOST_TEST(rig.Ask("82 00 0000 8100 0200"_hex) == "0100");
  BOOST_TEST(rig.Ask("02 03 0000 8100 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() == "");
  BOOST_TEST(rig.Ask("02 01 0000 8100 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() == "halt 81=0, disk cleared 81");
  // Once more resets the toggle, and is no news.
  BOOST_TEST(rig.Ask("02 01 0000 8100 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() == "halt 81=0");
}

BOOST_AUTO_TEST_CASE(a_wedge_outlives_the_hosts_wishes) {
  Rig rig(Speed::kHigh);
  rig.Configure();
  rig.journal.halts[usb::EndpointAddress::In(1).index()] = HaltState::kWedged;
  BOOST_TEST(rig.Ask("02 01 0000 8100 0000"_hex) == "ack");
  BOOST_TEST(rig.Ask("02 03 0000 8100 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() == "");
  BOOST_TEST(rig.Ask("82 00 0000 8100 0200"_hex) == "0100");
}

BOOST_AUTO_TEST_CASE(a_bus_reset_reaches_every_function) {
  Rig rig(Speed::kHigh);
  rig.Ask("00 09 0200 0000 0000"_hex);
  rig.journal.Take();
  rig.device->HandleBusReset();
  BOOST_TEST(rig.journal.Take() == "disable 81, disable 01, disk loses 0, disk reset, modem reset");
  BOOST_TEST(rig.Ask("80 08 0000 0000 0100"_hex) == "stall");
}

BOOST_AUTO_TEST_CASE(a_disconnect_takes_the_interfaces) {
  Rig rig(Speed::kHigh);
  rig.Ask("00 09 0200 0000 0000"_hex);
  rig.journal.Take();
  rig.device->HandleDisconnect();
  BOOST_TEST(rig.journal.Take() == "disable 81, disable 01, disk loses 0");
  rig.device->HandleDisconnect();
  BOOST_TEST(rig.journal.Take() == "");
}

BOOST_AUTO_TEST_CASE(sleep_reaches_the_active_functions_once) {
  Rig rig(Speed::kHigh);
  rig.device->HandleSuspend();
  rig.device->HandleResume();
  BOOST_TEST(rig.journal.Take() == "");
  rig.Configure();
  rig.device->HandleSuspend();
  rig.device->HandleSuspend();
  BOOST_TEST(rig.journal.Take() == "disk suspended, modem suspended");
  rig.device->HandleResume();
  rig.device->HandleResume();
  BOOST_TEST(rig.journal.Take() == "disk resumed, modem resumed");
}

BOOST_AUTO_TEST_CASE(the_host_is_woken_only_with_its_leave) {
  Rig rig(Speed::kHigh);
  rig.Configure();
  rig.Ask("00 03 0100 0000 0000"_hex);
  BOOST_TEST(!rig.device->WakeHost());
  rig.device->HandleSuspend();
  rig.journal.Take();
  BOOST_TEST(rig.device->WakeHost());
  BOOST_TEST(rig.journal.Take() == "wake");
}

BOOST_AUTO_TEST_CASE(one_function_sleeps_alone_at_super_speed) {
  Rig rig(Speed::kSuper);
  rig.Configure();
  BOOST_TEST(rig.Ask("01 03 0000 0101 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() == "modem suspended");
  BOOST_TEST(rig.Ask("01 03 0000 0100 0000"_hex) == "ack");
  BOOST_TEST(rig.journal.Take() == "modem resumed");
}

BOOST_AUTO_TEST_CASE(an_isochronous_endpoint_without_bandwidth_is_not_enabled) {
  Journal journal(Speed::kHigh);
  Scripted camera("camera",
                  {Copy("09 04 00 00 01 0e 02 00 00  07 05 81 05 0000 01"
                        "09 04 00 01 01 0e 02 00 00  07 05 81 05 0014 01"_hex)},
                  {});
  auto device = Device::Make({.speeds = {Speed::kHigh}}, {{.functions = {&camera}}});
  BOOST_REQUIRE((*device)->Bind(journal));
  for (const auto& setup : {"00 05 0100 0000 0000"_hex, "00 09 0100 0000 0000"_hex}) {
    (*device)->HandleSetup(*wire::View<usb::SetupPacket>(setup), {}, 1);
  }
  BOOST_TEST(journal.Take() == "camera bound, camera gets 0.0 81");
  const auto choose = "01 0b 0100 0000 0000"_hex;
  (*device)->HandleSetup(*wire::View<usb::SetupPacket>(choose), {}, 1);
  BOOST_TEST(journal.Take() == "disable 81, camera loses 0, enable 81/1024, camera gets 0.1 81");
}

BOOST_AUTO_TEST_SUITE_END()
