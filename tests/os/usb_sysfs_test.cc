#include "os/linux/usb_sysfs.h"

#include <boost/test/unit_test.hpp>

#include "tests/os/usb_tree.h"

using namespace usbtwin;
namespace fs = std::filesystem;

namespace {

using Tree = tests::UsbTree;

std::vector<std::string> Uses(const Tree& tree) {
  return os::ListUses(tree.paths, "1-1", 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usb_sysfs)

BOOST_AUTO_TEST_CASE(devices_are_listed_by_bus_and_address) {
  const Tree tree;
  const std::vector<usb::DeviceInfo> devices = os::ListUsbDevices(tree.paths);
  BOOST_REQUIRE(devices.size() == 2u);
  BOOST_TEST(devices[0].id.port_path == "usb1");
  BOOST_TEST((devices[0].speed == usb::Speed::kHigh));
  BOOST_TEST(devices[1].id.port_path == "1-1");
  BOOST_TEST(devices[1].vendor_id == 0x1234);
  BOOST_TEST(devices[1].product_id == 0x5678);
  BOOST_TEST((devices[1].speed == usb::Speed::kSuper));
  BOOST_TEST(os::NodePath(tree.paths, devices[1]) == tree.dir.path("nodes/001/012"));
}

BOOST_AUTO_TEST_CASE(a_machine_without_usb_has_no_devices) {
  const os::UsbPaths nowhere{.sysfs = "/nonexistent", .proc = "/nonexistent", .nodes = ""};
  BOOST_TEST(os::ListUsbDevices(nowhere).empty());
  BOOST_TEST(!os::FindUsbDevice(nowhere, "1-1").has_value());
  BOOST_TEST(!os::ActiveConfiguration(nowhere, "1-1").has_value());
  BOOST_TEST(os::ListBoundInterfaces(nowhere, "1-1").empty());
  BOOST_TEST(os::ListUses(nowhere, "1-1", 0).empty());
}

BOOST_AUTO_TEST_CASE(a_device_whose_attributes_make_no_sense_is_not_there) {
  Tree tree;
  tree.Write("devices/pci/usb1/1-1/idVendor", "12x4");
  BOOST_TEST(os::ListUsbDevices(tree.paths).size() == 1u);
}

BOOST_AUTO_TEST_CASE(port_paths_lead_nowhere_else) {
  for (const char* good : {"1-1", "1-1.4.2", "usb12"}) BOOST_TEST(os::IsPortPath(good));
  for (const char* bad : {"", ".", "..", "../1-1", "usb", "1-1/..", "1-1:1.0", "-1", "emu-1"}) {
    BOOST_TEST(!os::IsPortPath(bad), bad);
  }
}

BOOST_AUTO_TEST_CASE(the_configuration_is_a_number_or_none) {
  Tree tree;
  BOOST_TEST(os::ActiveConfiguration(tree.paths, "1-1").value() == 1);
  tree.Write("devices/pci/usb1/1-1/bConfigurationValue", "");
  BOOST_TEST(os::ActiveConfiguration(tree.paths, "1-1").value() == 0);
}

BOOST_AUTO_TEST_CASE(interfaces_with_a_driver_are_named) {
  const Tree tree;
  const auto bound = os::ListBoundInterfaces(tree.paths, "1-1");
  BOOST_REQUIRE(bound.size() == 1u);
  BOOST_TEST(bound[0].number == 0);
  BOOST_TEST(bound[0].driver == "usb-storage");
}

BOOST_AUTO_TEST_CASE(mounts_swap_and_holders_are_uses) {
  Tree tree;
  tree.File("proc/self/mountinfo",
            "1 0 8:1 / /mnt rw - ext4 /dev/sda1 rw\n2 0 254:0 / /crypt rw - ext4 /dev/dm-0 rw\n"
            "3 0 8:16 / /other rw - ext4 /dev/sdb rw\n");
  tree.File("proc/swaps", "Filename\n/dev/sda1 partition 1 0 -2\n");
  const std::vector<std::string> expected{"sda1 is mounted on /mnt", "sda1 is swap space",
                                          "sda2 is part of dm-0", "dm-0 is mounted on /crypt"};
  BOOST_TEST(Uses(tree) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_disk_nobody_uses_has_no_uses) {
  Tree tree;
  fs::remove(tree.dir.path("sys/class/block/sda2/holders/dm-0"));
  BOOST_TEST(Uses(tree).empty());
  BOOST_TEST(os::ListUses(tree.paths, "1-1", 10).empty());
}

BOOST_AUTO_TEST_SUITE_END()
