#include "os/linux/libusb_bus.h"

#include <boost/test/unit_test.hpp>

#include "tests/os/failing_calls.h"
#include "tests/os/usb_tree.h"

using namespace usbtwin;

namespace {

struct Opener final : usb::Sink<usb::OpenOp> {
  explicit Opener(const tests::UsbTree& tree) : bus(loop, tree.paths) {}

  Error Open(const std::string& port_path) {
    usb::OpenOp op;
    op.id.port_path = port_path;
    op.Push(*this);
    done = false;
    bus.Open(op);
    BOOST_TEST(!done);
    BOOST_REQUIRE(loop.RunUntil([this] { return done; }));
    BOOST_REQUIRE(!op.result.has_value());
    return op.result.error();
  }
  void OnDone(usb::OpenOp&, uint64_t) override { done = true; }

  os::Loop loop;
  os::LibusbBus bus;
  bool done = false;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(libusb_bus)

BOOST_AUTO_TEST_CASE(devices_are_enumerated) {
  const tests::UsbTree tree;
  Opener opener(tree);
  const auto devices = opener.bus.Enumerate();
  BOOST_REQUIRE(devices);
  BOOST_TEST(devices->size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_port_without_a_device_is_not_found) {
  const tests::UsbTree tree;
  Opener opener(tree);
  for (const char* port : {"1-2", "../1-1", ""}) {
    const Error error = opener.Open(port);
    BOOST_TEST((error.kind == ErrorKind::kNotFound));
    BOOST_TEST(error.Describe() == "not found in open: no device is at this port");
  }
}

BOOST_AUTO_TEST_CASE(a_device_without_a_node_is_not_found) {
  const tests::UsbTree tree;
  Opener opener(tree);
  BOOST_TEST((opener.Open("1-1").kind == ErrorKind::kNotFound));
}

BOOST_AUTO_TEST_CASE(a_node_that_is_no_device_is_a_fault) {
  tests::UsbTree tree;
  tree.File("nodes/001/012", "");
  Opener opener(tree);
  const Error error = opener.Open("1-1");
  BOOST_TEST((error.kind == ErrorKind::kFault || error.kind == ErrorKind::kNotFound));
}

BOOST_AUTO_TEST_CASE(a_system_that_gives_nothing_away_is_told) {
  const tests::UsbTree tree;
  Opener opener(tree);
  tests::failing_thread.Arm(EAGAIN);
  const Error error = opener.Open("1-1");
  BOOST_TEST(tests::failing_thread.failed == 1);
  BOOST_TEST((error.kind == ErrorKind::kFault));
  // And it is no worse for it.
  BOOST_TEST((opener.Open("1-2").kind == ErrorKind::kNotFound));
}

BOOST_AUTO_TEST_CASE(who_holds_an_interface_is_explained) {
  tests::UsbTree tree;
  tree.File("proc/self/mountinfo", "1 0 8:1 / /mnt rw - ext4 /dev/sda1 rw\n");
  Opener opener(tree);
  const std::string why = opener.bus.Explain({"1-1"}, Error{.kind = ErrorKind::kBusy});
  BOOST_TEST(why ==
             "Interface 0 belongs to the kernel's driver usb-storage.\n"
             "sda1 is mounted on /mnt.\n"
             "sda2 is part of dm-0.\n"
             "No disk is taken from its users: unmount it first.");
  BOOST_TEST(opener.bus.Explain({"1-9"}, Error{.kind = ErrorKind::kBusy}) == "");
}

BOOST_AUTO_TEST_CASE(a_node_that_may_not_be_opened_is_explained) {
  const tests::UsbTree tree;
  Opener opener(tree);
  const std::string why = opener.bus.Explain({"1-1"}, Error{.kind = ErrorKind::kDenied});
  BOOST_TEST(why.find("/001/012") != std::string::npos);
  BOOST_TEST(why.find("ATTR{idVendor}==\"1234\", ATTR{idProduct}==\"5678\"") != std::string::npos);
  BOOST_TEST(opener.bus.Explain({"1-1"}, Error{.kind = ErrorKind::kFault}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
