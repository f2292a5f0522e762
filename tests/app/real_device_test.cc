#include "app/real_device.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;

namespace {

const std::vector<usb::DeviceInfo> kDevices{
    {.id = {"usb1"}, .vendor_id = 0x1d6b, .product_id = 2, .bus_number = 1, .address = 1},
    {.id = {"1-1"}, .vendor_id = 0x1234, .product_id = 0x5678, .bus_number = 1, .address = 2},
    {.id = {"1-2"}, .vendor_id = 0x1234, .product_id = 0x5678, .bus_number = 1, .address = 9},
    {.id = {"2-1.4"}, .vendor_id = 0x00ab, .product_id = 0xcdef, .bus_number = 2, .address = 2},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(real_device)

BOOST_AUTO_TEST_CASE(ids_name_the_only_device_that_has_them) {
  const auto found = app::PickDevice(kDevices, app::UsbIds{0x00ab, 0xcdef});
  BOOST_REQUIRE(found);
  BOOST_TEST(found->port_path == "2-1.4");
}

BOOST_AUTO_TEST_CASE(bus_and_address_name_a_device) {
  const auto found = app::PickDevice(kDevices, app::UsbAddress{1, 9});
  BOOST_REQUIRE(found);
  BOOST_TEST(found->port_path == "1-2");
}

BOOST_AUTO_TEST_CASE(ids_of_several_devices_are_refused_with_their_list) {
  const auto found = app::PickDevice(kDevices, app::UsbIds{0x1234, 0x5678});
  BOOST_REQUIRE(!found);
  BOOST_TEST((found.error().kind == app::Failure::Kind::kCannotOpen));
  BOOST_TEST(found.error().text ==
             "2 devices have the ids 1234:5678; name one by its bus and address:\n"
             "  1:2  1234:5678  at port 1-1\n"
             "  1:9  1234:5678  at port 1-2");
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_refused_with_what_is) {
  const auto by_ids = app::PickDevice({kDevices[0]}, app::UsbIds{0x1234, 0x5678});
  BOOST_REQUIRE(!by_ids);
  BOOST_TEST(by_ids.error().text ==
             "there is no USB device 1234:5678; there are:\n"
             "  1:1  1d6b:0002  at port usb1");
  const auto by_address = app::PickDevice({}, app::UsbAddress{3, 7});
  BOOST_REQUIRE(!by_address);
  BOOST_TEST(by_address.error().text ==
             "there is no USB device at 3:7; this machine has none at all");
}

BOOST_AUTO_TEST_CASE(long_lists_end) {
  const std::vector<usb::DeviceInfo> many(25, kDevices[0]);
  const auto found = app::PickDevice(many, app::UsbIds{1, 2});
  BOOST_REQUIRE(!found);
  BOOST_TEST(found.error().text.ends_with("\n  and 5 more"));
}

BOOST_AUTO_TEST_SUITE_END()
