// USB/IP as lines.
#include <boost/test/unit_test.hpp>

#include "tests/wire/dump_samples.h"
#include "wire/dump.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace usbtwin::wire;   // NOLINT

namespace {

// A list of one device with two interfaces.
std::vector<uint8_t> List() {
  std::vector<uint8_t> bytes = Joined({"0111 0005 00000000 00000001"_hex});
  bytes.resize(12 + 312);
  CopyBytes(MutableBytes(bytes).subspan(12), TextBytes("/twins/disk\x1b"));
  CopyBytes(MutableBytes(bytes).subspan(12 + 256), TextBytes("1-1"));
  CopyBytes(MutableBytes(bytes).subspan(12 + 288),
            "00000001 00000002 00000003 1209 0001 0102 00 00 00 01 01 02"_hex);
  return Joined({bytes, "08065000 03010100"_hex});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(dump_usbip)

BOOST_AUTO_TEST_CASE(what_a_client_says) {
  const std::string text =
      "USB/IP import request \"1-1\"\n"
      "submit 1: device id 10002, in, endpoint 0, length 18, flags 200\n"
      "  setup in standard device: GET_DESCRIPTOR device 0, index 0000, length 18\n"
      "submit 2: device id 10002, out, endpoint 2, length 31, flags 0\n"
      "  CBW tag 1, 36 bytes in, lun 0, command block 6\n"
      "    INQUIRY allocation 36\n"
      "unlink 3: device id 10002, victim 1\n";
  BOOST_TEST(DumpUsbip(kUsbipClient) == text);
  BOOST_TEST(Dump(kUsbipClient) == text);
  BOOST_TEST(Dump(Drop(kUsbipClient, 40)) == DumpUsbip(Drop(kUsbipClient, 40)));
}

BOOST_AUTO_TEST_CASE(what_a_server_says) {
  const std::string text =
      "submit reply 1: status 0 (ok), length 18\n"
      "  device: 1234:5678 version 1.00, USB 2.00, class 00/00/00, packet 64, strings 1 2 3, "
      "configurations 1\n"
      "submit reply 2: status 0 (ok), length 31\n"
      "unlink reply 3: status -104 (cancelled)\n";
  BOOST_TEST(DumpUsbip(kUsbipServer) == text);
  BOOST_TEST(Dump(kUsbipServer) == text);
}

BOOST_AUTO_TEST_CASE(the_list_and_its_request) {
  BOOST_TEST(Dump("0111 8005 00000000"_hex) == "USB/IP list request\n");
  const std::string text =
      "USB/IP list, status 0 (ok), devices 1\n"
      "device \"1-1\" at \"/twins/disk?\": bus 1 device 2, speed 3 (high), 1209:0001 version 1.02, "
      "class 00/00/00, configuration 1 of 1, interfaces 2\n"
      "  interface 0: class 08/06/50\n"
      "  interface 1: class 03/01/01\n";
  BOOST_TEST(DumpUsbip(List()) == text);
  BOOST_TEST(Dump(List()) == text);
}

BOOST_AUTO_TEST_CASE(an_import_that_is_refused_is_its_header_alone) {
  BOOST_TEST(Dump("0111 0003 00000004"_hex) == "USB/IP import reply, status 4 (no device)\n");
  BOOST_TEST(DumpUsbip("0111 0003 00000000"_hex) ==
             "USB/IP import reply, status 0 (ok)\ndevice, truncated: 0 of 312 bytes\n");
}

BOOST_AUTO_TEST_CASE(isochronous_packets_are_shown_where_they_fit) {
  constexpr auto kSubmit =
      "00000001 00000001 00010002 00000001 00000003"
      "00000202 00000040 00000000 00000002 00000001 0000000000000000"
      "00000000 00000020 00000000 ffffffee"
      "00000020 00000020 00000000 ffffffee"_hex;
  constexpr auto kReply =
      "00000003 00000001 00000000 00000000 00000000"
      "00000000 00000002 00000000 00000002 00000001 0000000000000000"
      "a1a2"
      "00000000 00000020 00000002 00000000"
      "00000020 00000020 00000000 ffffffb9"_hex;
  BOOST_TEST(DumpUsbip(kSubmit) ==
             "submit 1: device id 10002, in, endpoint 3, length 64, flags 202, interval 1\n"
             "  packet 0: offset 0, length 0 of 32, status -18 (not moved)\n"
             "  packet 1: offset 32, length 0 of 32, status -18 (not moved)\n");
  BOOST_TEST(DumpUsbip(kReply) ==
             "submit reply 1: status 0 (ok), length 2, errors 1\n"
             "  2 bytes: a1 a2\n"
             "  packet 0: offset 0, length 2 of 32, status 0 (ok)\n"
             "  packet 1: offset 32, length 0 of 32, status -71 (bus fault)\n");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_followed_ends_the_walk) {
  BOOST_TEST(DumpUsbip("0106 8005 00000000"_hex) ==
             "odd: USB/IP version 0106, operation 8005, ends the walk: 01 06 80 05 00 00 00 00\n");
  BOOST_TEST(DumpUsbip("0111 8007 00000000 ff"_hex) ==
             "odd: USB/IP operation 8007, status 0, ends the walk: ff\n");
  std::vector<uint8_t> nothing(48);
  BOOST_TEST(DumpUsbip(nothing).starts_with("odd: USB/IP command 0 ends the walk: 00 00"));
  BOOST_TEST(DumpUsbip("00000001"_hex) ==
             "USB/IP message, truncated: 4 of 48 bytes: 00 00 00 01\n");
  BOOST_TEST(DumpUsbip({}) == "USB/IP, truncated: 0 of 8 bytes\n");
  const std::string cut = DumpUsbip(Take(Bytes(kUsbipClient), 40 + 48 + 48 + 3));
  BOOST_TEST(cut.ends_with("  truncated: 3 of 31 bytes\n  3 bytes: 55 53 42\n"));
}

// Four thousand million devices are announced, and one list after the other.
BOOST_AUTO_TEST_CASE(the_output_is_bounded) {
  std::vector<uint8_t> many = Joined({"0111 0005 00000000 ffffffff"_hex});
  many.resize(12 + 312 * 1000);
  const std::string text = DumpUsbip(many);
  BOOST_TEST(text.ends_with("and more that is not shown\n"));
  BOOST_TEST(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) == kDumpLinesMax + 1);

  std::vector<uint8_t> endless = List();
  std::fill_n(endless.begin() + 12, 288, 'x');
  BOOST_TEST((DumpUsbip(endless).find("\" that does not end") != std::string::npos));
}

BOOST_AUTO_TEST_SUITE_END()
