// What sg3-utils, written by other people from the same standards, read in the disk's answers.
// Skipped where they are not installed.
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>

#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::DiskOptions;

namespace {

// Runs `tool`, whose standard input is the bytes as hex digits, and gives back what it says.
std::string Ask(const std::string& tool, Bytes bytes) {
  std::string line = "echo '" + Hex(bytes) + "' | " + tool + " 2>&1";
  std::string said;
  std::FILE* pipe = popen(line.c_str(), "r");
  BOOST_REQUIRE(pipe != nullptr);
  std::array<char, 4096> text{};
  while (const size_t length = std::fread(text.data(), 1, text.size(), pipe)) {
    said.append(text.data(), length);
  }
  BOOST_TEST(pclose(pipe) == 0);
  return said;
}

bool Says(const std::string& said, std::string_view words) {
  if (said.find(words) != std::string::npos) return true;
  BOOST_TEST_MESSAGE(said);
  return false;
}

boost::test_tools::assertion_result Installed(boost::unit_test::test_unit_id) {
  if (std::system(
          "command -v sg_inq sg_vpd sg_decode_sense sg_logs sg_get_lba_status > /dev/null") == 0)
    return true;
  boost::test_tools::assertion_result no(false);
  no.message() << "sg3-utils is not installed";
  return no;
}

std::vector<uint8_t> Vital(uint8_t page) {
  DiskRig rig(DiskOptions{.serial = "SN-42"});
  rig.host.Do(scsi::Inquiry(true, page, 255));
  return rig.host.in;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_sg3, *boost::unit_test::precondition(Installed))

BOOST_AUTO_TEST_CASE(sg_inq_reads_the_standard_data) {
  DiskRig rig(DiskOptions{.removable = true});
  rig.host.Do(scsi::Inquiry(false, 0, 255));
  const std::string said = Ask("sg_inq --inhex=-", rig.host.in);
  BOOST_TEST(Says(said, "RMB=1"));
  BOOST_TEST(Says(said, "version=0x06  [SPC-4]"));
  BOOST_TEST(Says(said, "Resp_data_format=2"));
  BOOST_TEST(Says(said, "CmdQue=0"));
  BOOST_TEST(Says(said, "length=74 (0x4a)   Peripheral device type: disk"));
  BOOST_TEST(Says(said, "Vendor identification: USBTWIN"));
  BOOST_TEST(Says(said, "Product identification: Disk"));
  BOOST_TEST(Says(said, "Product revision level: 0001"));
}

BOOST_AUTO_TEST_CASE(sg_vpd_reads_every_page) {
  const std::string pages = Ask("sg_vpd --inhex=-", Vital(0x00));
  for (const char* page : {"[sv]", "[sn]", "[di]", "[pc]", "[bl]", "[bdc]", "[lbpv]"}) {
    BOOST_TEST(Says(pages, page));
  }
  BOOST_TEST(Says(Ask("sg_vpd --inhex=-", Vital(0x80)), "Unit serial number: SN-42"));

  const std::string identification = Ask("sg_vpd --inhex=-", Vital(0x83));
  BOOST_TEST(Says(identification, "designator type: NAA,  code set: Binary"));
  BOOST_TEST(Says(identification, "vendor id: USBTWIN"));
  BOOST_TEST(Says(identification, "vendor specific: Disk            SN-42"));

  const std::string limits = Ask("sg_vpd --inhex=-", Vital(0xb0));
  BOOST_TEST(Says(limits, "Optimal transfer length granularity: 8 blocks"));
  BOOST_TEST(Says(limits, "Maximum transfer length: 4194304 blocks"));
  BOOST_TEST(Says(limits, "Optimal transfer length: 2048 blocks"));
  BOOST_TEST(Says(limits, "Maximum compare and write length: 128 blocks"));
  BOOST_TEST(Says(limits, "Maximum unmap LBA count: 1048576"));
  BOOST_TEST(Says(limits, "Maximum unmap block descriptor count: 255"));
  BOOST_TEST(Says(limits, "Optimal unmap granularity: 128 blocks"));
  BOOST_TEST(Says(limits, "Unmap granularity alignment: 0"));
  BOOST_TEST(Says(limits, "Maximum write same length: 0x200000 blocks"));
  BOOST_TEST(Says(limits, "Write same non-zero (WSNZ): 1"));
  BOOST_TEST(Says(limits, "Maximum atomic transfer length: 256"));
  BOOST_TEST(Says(limits, "Atomic alignment: 8"));
  BOOST_TEST(Says(limits, "Atomic transfer length granularity: 8"));
  BOOST_TEST(Says(limits, "Maximum atomic transfer length with atomic boundary: 256"));
  BOOST_TEST(Says(limits, "Maximum atomic boundary size: 256"));
  const std::string power = Ask("sg_vpd --inhex=-", Vital(0x8a));
  BOOST_TEST(Says(power, "Standby_y=1 Standby_z=1 Idle_c=1 Idle_b=1 Idle_a=1"));

  BOOST_TEST(Says(Ask("sg_vpd --inhex=-", Vital(0xb1)), "Non-rotating medium"));
  BOOST_TEST(Says(Ask("sg_vpd --inhex=-", Vital(0xb2)), "Unmap command supported (LBPU): 1"));
}

BOOST_AUTO_TEST_CASE(sg_logs_and_sg_get_lba_status_read_theirs) {
  DiskRig rig;
  rig.host.Do(scsi::Write10(0, 4), Pattern(2048));
  rig.host.Do("4d 00 42 00 00 0000 00ff 00");
  const std::string writes = Ask("sg_logs --in=-", rig.host.in);
  BOOST_TEST(Says(writes, "Write error counter page"));
  BOOST_TEST(Says(writes, "Total bytes processed = 2048"));
  rig.host.Do("4d 00 40 00 00 0000 00ff 00");
  const std::string pages = Ask("sg_logs --in=-", rig.host.in);
  BOOST_TEST(Says(pages, "Start-stop cycle counter"));
  BOOST_TEST(Says(pages, "Informational exceptions"));
  rig.host.Do("9e 12 0000000000000000 000000ff 00 00");
  BOOST_TEST(Says(Ask("sg_get_lba_status --inhex=-", rig.host.in), "blocks:        128  mapped"));
}

BOOST_AUTO_TEST_CASE(sg_decode_sense_reads_progress) {
  DiskRig rig;
  rig.host.Do("48 82 0000000000 0000 00");
  rig.host.Do(scsi::RequestSense(false, 255));
  const std::string said = Ask("sg_decode_sense --file=-", rig.host.in);
  BOOST_TEST(Says(said, "Logical unit not ready, sanitize in progress"));
  BOOST_TEST(Says(said, "Progress indication: 0.00%"));
}

BOOST_AUTO_TEST_CASE(sg_decode_sense_reads_both_formats) {
  DiskRig rig;
  for (const bool descriptor : {false, true}) {
    rig.host.Do("28 00 00001234 00 0001 00");
    rig.host.Do(scsi::RequestSense(descriptor, 255));
    const std::string range = Ask("sg_decode_sense --file=-", rig.host.in);
    BOOST_TEST(Says(range, descriptor ? "Descriptor format" : "Fixed format"));
    BOOST_TEST(Says(range, "Sense key: Illegal Request"));
    BOOST_TEST(Says(range, "Logical block address out of range"));
    BOOST_TEST(Says(range, "1234"));

    rig.host.Do("28 20 00000000 00 0001 00");
    rig.host.Do(scsi::RequestSense(descriptor, 255));
    const std::string field = Ask("sg_decode_sense --file=-", rig.host.in);
    BOOST_TEST(Says(field, "Invalid field in cdb"));
    BOOST_TEST(Says(field, "Error in Command: byte 1 bit 7"));
  }
}

BOOST_AUTO_TEST_SUITE_END()
