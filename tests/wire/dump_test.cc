#include "wire/dump.h"

#include <boost/test/unit_test.hpp>

#include "tests/wire/dump_samples.h"
#include "wire/scsi.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace usbtwin::wire;   // NOLINT

BOOST_AUTO_TEST_SUITE(dump)

BOOST_AUTO_TEST_CASE(setup_packets_by_name) {
  BOOST_TEST(DumpSetup("80 06 0001 0000 1200"_hex) ==
             "setup in standard device: GET_DESCRIPTOR device 0, index 0000, length 18\n");
  BOOST_TEST(DumpSetup("80 06 0122 0000 1200"_hex) ==
             "setup in standard device: GET_DESCRIPTOR ? 1 (type 22), index 0000, length 18\n");
  BOOST_TEST(DumpSetup("02 01 0000 8100 0000"_hex) ==
             "setup out standard endpoint: CLEAR_FEATURE value 0000, index 0081, length 0\n");
  BOOST_TEST(DumpSetup("21 ff 0000 0100 0000"_hex) ==
             "setup out class interface: BULK_ONLY_RESET value 0000, index 0001, length 0\n");
  BOOST_TEST(DumpSetup("a1 fe 0000 0000 0100"_hex) ==
             "setup in class interface: GET_MAX_LUN value 0000, index 0000, length 1\n");
  BOOST_TEST(DumpSetup("23 03 0400 0100 0000"_hex) ==
             "setup out class other: SET_FEATURE(PORT_RESET) value 0004, index 0001, length 0\n");
  BOOST_TEST(DumpSetup("df 33 0000 0000 0000"_hex) ==
             "setup in vendor reserved: request 33 value 0000, index 0000, length 0\n");
}

BOOST_AUTO_TEST_CASE(a_short_setup_packet_is_truncated) {
  BOOST_TEST(DumpSetup("80 06 00"_hex) == "setup, truncated: 3 of 8 bytes: 80 06 00\n");
  BOOST_TEST(DumpSetup({}) == "setup, truncated: 0 of 8 bytes\n");
}

BOOST_AUTO_TEST_CASE(a_device_in_one_line) {
  BOOST_TEST(DumpDescriptors(kDevice) ==
             "device: 1234:5678 version 1.00, USB 2.00, class 00/00/00, packet 64, strings 1 2 3, "
             "configurations 1\n");
}

BOOST_AUTO_TEST_CASE(a_configuration_line_by_line) {
  BOOST_TEST(
      DumpDescriptors(kConfiguration) ==
      "configuration 1: total 32, interfaces 1, string 0, attributes 80, power 50\n"
      "interface 0 alternate 0: class 08/06/50 (mass storage, SCSI, bulk-only), endpoints 2, "
      "string 0\n"
      "endpoint 81: bulk in, packet 512, interval 0\n"
      "endpoint 02: bulk out, packet 512, interval 0\n");
}

BOOST_AUTO_TEST_CASE(pipe_usage_is_known_in_uas_only) {
  BOOST_TEST(DumpDescriptors(kUasAlternate) ==
             "interface 0 alternate 1: class 08/06/62 (mass storage, SCSI, UAS), endpoints 1, "
             "string 0\n"
             "endpoint 83: bulk in, packet 1024, interval 0\n"
             "companion: burst 15, attributes 05, 0 bytes per interval\n"
             "pipe usage: status\n");
  BOOST_TEST(DumpDescriptors("09 04 00 00 00 02 02 01 00  04 24 02 00"_hex) ==
             "interface 0 alternate 0: class 02/02/01 (communications), endpoints 0, string 0\n"
             "descriptor type 24, 4 bytes: 04 24 02 00\n");
}

BOOST_AUTO_TEST_CASE(the_rest_of_chapter_9) {
  BOOST_TEST(
      DumpDescriptors(kBos) ==
      "BOS: total 42, capabilities 3\n"
      "capability USB 2.0 extension: attributes 00000002\n"
      "capability SuperSpeed: attributes 00, speeds 000e, functional from 1, exit latency U1 "
      "10 us, U2 2047 us\n"
      "capability container id: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n");
  BOOST_TEST(
      DumpDescriptors("14 10 0a 00 01000000 0011 0000 30400500 b0400a00"_hex) ==
      "capability SuperSpeedPlus: attributes 00000001, functional from 1100, 5 Gb/s 10 Gb/s\n");
  BOOST_TEST(DumpDescriptors("04 10 05 00"_hex) == "capability type 05, 4 bytes: 04 10 05 00\n");
  BOOST_TEST(DumpDescriptors("0a 06 0002 00 00 00 40 01 00"_hex) ==
             "device qualifier: USB 2.00, class 00/00/00, packet 64, configurations 1\n");
  BOOST_TEST(DumpDescriptors("08 0b 01 02 0e 03 00 00"_hex) ==
             "interface association: 2 from interface 1, class 0e/03/00 (video), string 0\n");
  BOOST_TEST(DumpDescriptors("08 31 0000 00000200"_hex) ==
             "isochronous companion: 131072 bytes per interval\n");
}

BOOST_AUTO_TEST_CASE(strings_show_what_is_not_ascii_as_numbers) {
  BOOST_TEST(DumpDescriptors("0a 03 5500 5300 2200 ac20"_hex) == "string: \"US\\u0022\\u20ac\"\n");
  BOOST_TEST(DumpDescriptors("04 03 0904"_hex) == "string: languages 0409\n");
  BOOST_TEST(DumpDescriptors("05 03 5500 53"_hex) == "string: \"U\", then 1 bytes: 53\n");
}

BOOST_AUTO_TEST_CASE(contradictions_in_descriptors_are_said) {
  BOOST_TEST(DumpDescriptors("00 01 02"_hex) ==
             "odd: a descriptor of length 0 ends the walk: 00 01 02\n");
  BOOST_TEST(DumpDescriptors("05 05 81 02 00"_hex) ==
             "odd: endpoint of 5 bytes, needs 7: 05 05 81 02 00\n");
  BOOST_TEST(DumpDescriptors("09 05 81 01 c000 01 00 00"_hex) ==
             "endpoint 81: isochronous in, packet 192, interval 1, then 2 bytes: 00 00\n");
  BOOST_TEST(DumpDescriptors("07 05 81 01 0014 01"_hex) ==
             "endpoint 81: isochronous in, packet 1024 times 3, interval 1\n");
  BOOST_TEST(
      DumpDescriptors("09 04 00 00 02 08 06 50 00 07 05 81 02 0002 00"_hex) ==
      "interface 0 alternate 0: class 08/06/50 (mass storage, SCSI, bulk-only), endpoints 2, "
      "string 0\n"
      "endpoint 81: bulk in, packet 512, interval 0\n"
      "odd: the interface says 2 endpoints, 1 follow it\n");
  BOOST_TEST(DumpDescriptors("09 02 2000 01 01 00 80 32"_hex) ==
             "configuration 1: total 32, interfaces 1, string 0, attributes 80, power 50\n"
             "truncated: total length 32, 9 bytes here\n");
  BOOST_TEST(DumpDescriptors("12 01 00"_hex) == "device, truncated: 3 of 18 bytes: 12 01 00\n");
  BOOST_TEST(DumpDescriptors("08 99 00"_hex) ==
             "descriptor type 99, truncated: 3 of 8 bytes: 08 99 00\n");
  BOOST_TEST(DumpDescriptors("02 99 07"_hex) ==
             "descriptor type 99, 2 bytes: 02 99\n1 byte left over: 07\n");
}

BOOST_AUTO_TEST_CASE(a_command_wrapper_explains_its_command) {
  BOOST_TEST(DumpCommandWrapper(kInquiry) ==
             "CBW tag 1, 36 bytes in, lun 0, command block 6\n"
             "  INQUIRY allocation 36\n");
  BOOST_TEST(
      DumpCommandWrapper(
          "55534244 01000000 24000000 81 10 11 12000000240000000000000000000000 07"_hex) ==
      "CBW tag 1, 36 bytes in, lun 16, command block 17, odd: signature 44425355, odd: flags 81, "
      "odd: lun above 15, odd: command block length\n"
      "  INQUIRY allocation 36\n"
      "1 byte left over: 07\n");
}

BOOST_AUTO_TEST_CASE(a_status_wrapper_in_one_line) {
  BOOST_TEST(DumpStatusWrapper(kPassed) == "CSW tag 1, residue 0, passed\n");
  BOOST_TEST(DumpStatusWrapper("55534253 ff000000 00020000 01"_hex) ==
             "CSW tag ff, residue 512, failed\n");
  BOOST_TEST(DumpStatusWrapper("55534254 01000000 00000000 07"_hex) ==
             "CSW tag 1, residue 0, odd: status 07, odd: signature 54425355\n");
}

BOOST_AUTO_TEST_CASE(command_blocks_by_name_with_blocks) {
  struct Case {
    std::vector<uint8_t> cdb;
    const char* text;
  };
  const Case cases[] = {
      {{0, 0, 0, 0, 0, 0}, "TEST UNIT READY\n"},
      {{0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "READ CAPACITY(10)\n"},
      {{0x08, 0xff, 2, 3, 0, 0}, "READ(6) lba 2032131 blocks 256\n"},
      {{0x28, 8, 0, 0, 0, 1, 0, 0, 8, 0}, "READ(10) lba 1 blocks 8 flags 08\n"},
      {{0x2a, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0},
       "WRITE(10) lba 4294967295 blocks 65535\n"},
      {{0xa8, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0}, "READ(12) lba 1 blocks 65536\n"},
      {{0x88, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0}, "READ(16) lba 4294967296 blocks 4\n"},
      {{0x12, 1, 0x80, 0, 255, 0}, "INQUIRY page 80 allocation 255\n"},
      {{0x03, 0, 0, 0, 18, 0}, "REQUEST SENSE allocation 18\n"},
      {{0x1a, 0, 0x3f, 0, 192, 0}, "MODE SENSE(6) page 3f/00 allocation 192\n"},
      {{0x5a, 0, 0x08, 0, 0, 0, 0, 1, 0, 0}, "MODE SENSE(10) page 08/00 allocation 256\n"},
      {{0x1b, 0, 0, 0, 2, 0}, "START STOP UNIT stop and load or eject\n"},
      {{0x1b, 0, 0, 2, 0x20, 0}, "START STOP UNIT power condition 2/2\n"},
      {{0x04, 0, 0, 0, 0, 0}, "FORMAT UNIT without list\n"},
      {{0x04, 0x10, 0, 0, 0, 0}, "FORMAT UNIT short list\n"},
      {{0x04, 0x30, 0, 0, 0, 0}, "FORMAT UNIT long list\n"},
      {{0x48, 0x82, 0, 0, 0, 0, 0, 0, 0, 0}, "SANITIZE BLOCK ERASE immediate parameters 0\n"},
      {{0x48, 0x01, 0, 0, 0, 0, 0, 0, 8, 0}, "SANITIZE OVERWRITE parameters 8\n"},
      {{0x48, 0x03, 0, 0, 0, 0, 0, 0, 0, 0}, "SANITIZE CRYPTOGRAPHIC ERASE parameters 0\n"},
      {{0x48, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0}, "SANITIZE EXIT FAILURE MODE parameters 0\n"},
      {{0x48, 0x09, 0, 0, 0, 0, 0, 0, 0, 0}, "SANITIZE action 09 parameters 0\n"},
      {{0x1e, 0, 0, 0, 1, 0}, "PREVENT ALLOW MEDIUM REMOVAL prevent\n"},
      {{0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}, "UNMAP parameters 24\n"},
      {{0xa0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0}, "REPORT LUNS select 02 allocation 256\n"},
      {{0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0},
       "SERVICE ACTION IN(16) READ CAPACITY(16) allocation 32\n"},
      {{0x9e, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0},
       "SERVICE ACTION IN(16) action 13 allocation 32\n"},
      {{0x9e, 0x12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 24, 0, 0},
       "SERVICE ACTION IN(16) GET LBA STATUS lba 256 allocation 24\n"},
      {{0x89, 8, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0},
       "COMPARE AND WRITE lba 7 blocks 2 flags 08\n"},
      {{0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0}, "ORWRITE(16) lba 7 blocks 2\n"},
      {{0x9c, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 16, 0, 0},
       "WRITE ATOMIC(16) lba 8 blocks 16 boundary 8\n"},
      {{0x93, 9, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0},
       "WRITE SAME(16) lba 7 blocks 2 flags 09\n"},
      {{0x37, 0, 0x1b, 0, 0, 0, 0, 1, 0, 0},
       "READ DEFECT DATA(10) lists 18 format 3 allocation 256\n"},
      {{0xb7, 0x0d, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0},
       "READ DEFECT DATA(12) lists 08 format 5 allocation 65536\n"},
      {{0x3c, 0x0a, 1, 0, 0, 2, 0, 1, 0, 0}, "READ BUFFER(10) mode 0a id 01 offset 2 length 256\n"},
      {{0x3b, 2, 0, 0, 0, 0, 0, 0, 4, 0}, "WRITE BUFFER mode 02 id 00 offset 0 length 4\n"},
      {{0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0},
       "MAINTENANCE IN REPORT SUPPORTED OPERATION CODES all allocation 256\n"},
      {{0xa3, 0x0c, 0x82, 0x9e, 0, 0x12, 0, 0, 1, 0, 0, 0},
       "MAINTENANCE IN REPORT SUPPORTED OPERATION CODES of 9e/0012 allocation 256\n"},
      {{0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0},
       "MAINTENANCE IN REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS allocation 4\n"},
      {{0xa3, 0x1f, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0}, "MAINTENANCE IN action 1f allocation 4\n"},
      {{0x4d, 0, 0x40, 0xff, 0, 0, 0, 0, 4, 0}, "LOG SENSE page 00/ff allocation 4\n"},
      {{0x4c, 0, 0x40, 0, 0, 0, 0, 0, 4, 0}, "LOG SELECT: 4c 00 40 00 00 00 00 00 04 00\n"},
      {{0x15, 0x11, 0, 0, 24, 0}, "MODE SELECT(6) parameters 24\n"},
      {{0x55, 0x11, 0, 0, 0, 0, 0, 1, 0, 0}, "MODE SELECT(10) parameters 256\n"},
      {{0x5e, 1, 0, 0, 0, 0, 0, 1, 0, 0},
       "PERSISTENT RESERVE IN READ RESERVATION allocation 256\n"},
      {{0x5e, 9, 0, 0, 0, 0, 0, 1, 0, 0}, "PERSISTENT RESERVE IN action 09 allocation 256\n"},
      {{0x5f, 4, 0x15, 0, 0, 0, 0, 0, 24, 0},
       "PERSISTENT RESERVE OUT PREEMPT scope 1 type 5 parameters 24\n"},
      {{0x5f, 0x1f, 0, 0, 0, 0, 0, 0, 24, 0},
       "PERSISTENT RESERVE OUT action 1f scope 0 type 0 parameters 24\n"},
      {{0x12, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0}, "INQUIRY allocation 36\n"},
      {{0x12, 0, 0, 0, 36, 0, 0, 7}, "INQUIRY allocation 36, then: 00 07\n"},
      {{0x28, 0, 0, 0}, "READ(10), truncated: 4 of 10 bytes: 28 00 00 00\n"},
      {{0xc0, 1, 2}, "command c0: c0 01 02\n"},
      {{0x7f, 0, 0}, "variable length: 7f 00 00\n"},
      {{}, "no command block\n"},
  };
  for (const Case& one : cases) BOOST_TEST(DumpCdb(one.cdb) == one.text);
}

BOOST_AUTO_TEST_CASE(every_command_of_the_layouts_has_a_name) {
  for (const uint8_t opcode :
       "00 03 04 08 0a 12 15 16 17 1a 1b 1e 25 28 2a 2e 2f 34 35 37 3b 3c 41 42 48 4d 55 5a 5e 5f"
       "88 89 8a 8b 8e 8f 90 91 93 9c 9e a0 a3 a8 aa ae af b7"_hex) {
    BOOST_TEST((OpcodeName(opcode) != nullptr));
  }
  BOOST_TEST((OpcodeName(0xff) == nullptr));
}

BOOST_AUTO_TEST_CASE(sense_data_of_both_formats) {
  BOOST_TEST(DumpSense(kFixed) ==
             "sense fixed current: key 5 (illegal request) asc 24 ascq 00, information 16, command "
             "byte 2 bit 3\n");
  BOOST_TEST(DumpSense("71 00 06 00000000 06 00000000 29 00"_hex) ==
             "sense fixed deferred: key 6 (unit attention) asc 29 ascq 00\n");
  BOOST_TEST(DumpSense("70 00 06 00000000 0a 00000000 29 00"_hex) ==
             "sense fixed current: key 6 (unit attention) asc 29 ascq 00, truncated: 14 of 18 "
             "bytes\n");
  BOOST_TEST(DumpSense(kDescriptor) ==
             "sense descriptor current: key 3 (medium error) asc 11 ascq 00, information 291\n");
  BOOST_TEST(DumpSense("73 05 24 00 000000 0c 02 06 0000 8f 0007 00 80 02 aabb"_hex) ==
             "sense descriptor deferred: key 5 (illegal request) asc 24 ascq 00, parameter byte 7 "
             "bit 7, descriptor 80: 80 02 aa bb\n");
  BOOST_TEST(
      DumpSense("72 02 04 1b 000000 08 02 06 0000 80 4000 00"_hex) ==
      "sense descriptor current: key 2 (not ready) asc 04 ascq 1b, progress 16384 of 65536\n");
  BOOST_TEST(DumpSense("7f 00"_hex) == "odd: sense of response code 7f: 7f 00\n");
  BOOST_TEST(DumpSense({}) == "no sense data\n");
  BOOST_TEST(DumpSense("70 00"_hex) == "fixed sense, truncated: 2 of 18 bytes: 70 00\n");
}

BOOST_AUTO_TEST_CASE(a_usbmon_record_shows_what_it_carries) {
  BOOST_TEST(DumpUsbmon(kSubmitInquiry) ==
             "12.000345 S bulk out, bus 1 device 5 endpoint 02, id 7, length 31, status -115 (in "
             "progress)\n"
             "  CBW tag 1, 36 bytes in, lun 0, command block 6\n"
             "    INQUIRY allocation 36\n");
  BOOST_TEST(
      DumpUsbmon(kIsoComplete) ==
      "0.000000 C isochronous in, bus 1 device 5 endpoint 81, id 8, length 4, status 0 (ok), "
      "interval 8, start frame 16\n"
      "  packet 0: offset 0, length 4, status 0 (ok)\n"
      "  packet 1: offset 192, length 0, status -71 (bus fault)\n"
      "  4 bytes: a1 a2 a3 a4\n");
  BOOST_TEST(
      DumpUsbmon("0100000000000000 53 02 80 05 0100 00 3c 0000000000000000 00000000 8dffffff"
                 "12000000 00000000 8006000100001200 00000000 00000000 00020000 00000000"_hex) ==
      "0.000000 S control in, bus 1 device 5 endpoint 80, id 1, length 18, status -115 (in "
      "progress)\n"
      "  setup in standard device: GET_DESCRIPTOR device 0, index 0000, length 18\n");
}

BOOST_AUTO_TEST_CASE(a_capture_shows_its_packets) {
  const std::string record =
      "  12.000345 S bulk out, bus 1 device 5 endpoint 02, id 7, length 31, status -115 (in "
      "progress)\n"
      "    CBW tag 1, 36 bytes in, lun 0, command block 6\n"
      "      INQUIRY allocation 36\n";
  BOOST_TEST(DumpCapture(Pcapng()) ==
             "pcapng section 1.0\n"
             "interface: link type 220, resolution 10^-9\n"
             "packet 1 at 0.000000001: 95 of 95 bytes, option 1 \"stream 3\"\n" +
                 record);
  const auto classic = Joined({"d4c3b2a1 0200 0400 00000000 00000000 00000008 dc000000"_hex,
                               "01000000 02000000 5f000000 5f000000"_hex, kSubmitInquiry});
  BOOST_TEST(DumpCapture(classic) ==
             "pcap 2.4, link type 220, microseconds\n"
             "packet 1 at 1.000002: 95 of 95 bytes\n" +
                 record);
  BOOST_TEST(DumpCapture("a1b2c3d4 00"_hex) ==
             "odd: no capture file, or one from a big-endian machine: a1 b2 c3 d4 00\n");
  BOOST_TEST(DumpCapture("0a0d0d0a 07000000 00"_hex) ==
             "odd: a block of length 7 ends the walk: 0a 0d 0d 0a 07 00 00 00 00\n");
}

BOOST_AUTO_TEST_CASE(the_guess_finds_each_kind) {
  BOOST_TEST(Dump(kDevice) == DumpDescriptors(kDevice));
  BOOST_TEST(Dump(Take(Bytes(kDevice), 8)) == DumpDescriptors(Take(Bytes(kDevice), 8)));
  BOOST_TEST(Dump(kConfiguration) == DumpDescriptors(kConfiguration));
  BOOST_TEST(Dump(kBos) == DumpDescriptors(kBos));
  BOOST_TEST(Dump(kInquiry) == DumpCommandWrapper(kInquiry));
  BOOST_TEST(Dump(kPassed) == DumpStatusWrapper(kPassed));
  BOOST_TEST(Dump(kFixed) == DumpSense(kFixed));
  BOOST_TEST(Dump(kDescriptor) == DumpSense(kDescriptor));
  BOOST_TEST(Dump(kSubmitInquiry) == DumpUsbmon(kSubmitInquiry));
  BOOST_TEST(Dump(kIsoComplete) == DumpUsbmon(kIsoComplete));
  BOOST_TEST(Dump(Pcapng()) == DumpCapture(Pcapng()));
  BOOST_TEST(Dump("00 09 0100 0000 0000"_hex) ==
             "setup out standard device: SET_CONFIGURATION value 0001, index 0000, length 0\n");
  BOOST_TEST(Dump("28 00 00000001 00 0008 00"_hex) == "READ(10) lba 1 blocks 8\n");
  BOOST_TEST(Dump("de ad be ef"_hex) == "4 bytes: de ad be ef\n");
  BOOST_TEST(Dump({}) == "");
}

BOOST_AUTO_TEST_CASE(inquiry_data_by_field) {
  const auto data =
      "00 80 06 02 1f 00 00 02 55534254 57494e20 4469736b 20202020 20202020 20202020 30303031"_hex;
  BOOST_TEST(DumpInquiry(data) ==
             "inquiry: type 00, qualifier 0, removable, version 06, format 2, vendor \"USBTWIN\", "
             "product \"Disk\", revision \"0001\"\n");
  BOOST_TEST(DumpInquiry("7f 00"_hex) == "inquiry, truncated: 2 of 36 bytes: 7f 00\n");
}

BOOST_AUTO_TEST_SUITE_END()
