// Wireshark is the reader that counts: its terminal version must find the commands in what a
// Recorder wrote.
#include <sys/wait.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "link/recorder.h"
#include "tests/link/scripted_link.h"
#include "tests/os/temp_dir.h"

using namespace usbtwin;        // NOLINT
using namespace usbtwin::link;  // NOLINT
using tests::Host;
using tests::MemorySink;
using tests::ScriptedLink;
using usb::EndpointAddress;
using usb::Outcome;

namespace {

constexpr auto kDevice = "12 01 0002 00 00 00 40 3412 7856 0001 01 02 03 01"_hex;
constexpr auto kConfiguration =
    "09 02 2000 01 01 00 80 32"
    "09 04 00 00 02 08 06 50 00"
    "07 05 81 02 0002 00"
    "07 05 02 02 0002 00"_hex;
constexpr auto kVendorConfiguration =
    "09 02 2000 01 01 00 80 32"
    "09 04 00 00 02 ff 06 50 00"
    "07 05 81 02 0002 00"
    "07 05 02 02 0002 00"_hex;
constexpr auto kInquiry =
    "55534243 01000000 24000000 80 00 06 120000002400 00000000000000000000"_hex;
constexpr auto kRead = "55534243 02000000 00020000 80 00 0a 28000000000700000100 000000000000"_hex;
constexpr auto kBad = "55534243 03000000 00000000 00 00 06 000000000000 00000000000000000000"_hex;

bool HaveTshark() {
  return std::system("tshark --version >/dev/null 2>&1") == 0;
}

// A bulk-only session, played by hand.
class Session {
 public:
  explicit Session(PcapFormat format) : writer_(sink_, format), link_(clock_) {
    recorder_.emplace(clock_, link_, writer_, RecorderOptions{.bus = 1, .device = 5});
  }
  Recorder& recorder() { return *recorder_; }

  void Get(uint16_t value, Bytes descriptor) {
    usb::Transfer transfer;
    transfer.setup = usb::SetupPacket{.request_type = 0x80,
                                      .request = 6,
                                      .value = value,
                                      .index = uint16_t{0},
                                      .length = static_cast<uint16_t>(descriptor.size())};
    In(transfer, descriptor);
  }
  void Configure() {
    usb::PortOp op;
    op.request = usb::SetConfiguration{1};
    op.Push(host_);
    recorder_->Request(op);
    link_.Finish(op, Outcome::kOk);
    clock_.RunPosted();
  }
  void BulkOut(Bytes data) {
    usb::Transfer transfer;
    transfer.endpoint = EndpointAddress::Out(2);
    transfer.out = data;
    transfer.Push(host_);
    recorder_->Submit(transfer);
    link_.Finish(transfer, Outcome::kOk, static_cast<uint32_t>(data.size()));
    clock_.Advance(std::chrono::microseconds(125));
  }
  void BulkIn(Bytes data) {
    usb::Transfer transfer;
    transfer.endpoint = EndpointAddress::In(1);
    In(transfer, data);
  }
  void Commands() {
    BulkOut(kInquiry);
    BulkIn(
        "00 80 06 02 1f 00 00 00 7573627477696e20 54776e204469736b2020202020202020 31302020"_hex);
    BulkIn("55534253 01000000 00000000 00"_hex);
    BulkOut(kRead);
    BulkIn(std::vector<uint8_t>(512, 0x5a));
    BulkIn("55534253 02000000 00000000 00"_hex);
    BulkOut(kBad);
    BulkIn("55534253 03000000 00000000 01"_hex);
  }

  // What tshark prints for this capture with these arguments.
  std::string Tshark(const std::string& ending, const std::string& arguments) {
    const tests::TempDir dir;
    const std::string path = dir.path("capture" + ending);
    std::ofstream(path, std::ios::binary)
        .write(std::string(sink_.written.begin(), sink_.written.end()).data(),
               static_cast<std::streamsize>(sink_.written.size()));
    FILE* pipe = popen(("tshark -n -r " + path + " " + arguments + " 2>/dev/null").c_str(), "r");
    BOOST_REQUIRE(pipe != nullptr);
    std::string text;
    char buffer[4096];
    while (const size_t length = fread(buffer, 1, sizeof(buffer), pipe))
      text.append(buffer, length);
    const int status = pclose(pipe);
    BOOST_TEST(WEXITSTATUS(status) == 0);
    return text;
  }

 private:
  void In(usb::Transfer& transfer, Bytes data) {
    std::vector<uint8_t> room(data.size());
    transfer.in = room;
    transfer.in_length_max = static_cast<uint32_t>(room.size());
    transfer.Push(host_);
    recorder_->Submit(transfer);
    link_.FinishIn(transfer, data);
    clock_.Advance(std::chrono::microseconds(125));
  }

  ManualClock clock_;
  MemorySink sink_;
  PcapWriter writer_;
  ScriptedLink link_;
  Host host_;
  std::optional<Recorder> recorder_;
};

// One line a packet: opcode, command tag, status.
constexpr const char* kFields =
    "-Y usbms -T fields -E separator=, -e scsi_sbc.opcode -e usbms.dCBWTag -e usbms.dCSWStatus";
constexpr const char* kExpected =
    "0x12,0x00000001,\n"
    "0x12,,\n"
    "0x12,0x00000001,0x00\n"
    "0x28,0x00000002,\n"
    "0x28,,\n"
    "0x28,0x00000002,0x00\n"
    "0x00,0x00000003,\n"
    "0x00,0x00000003,0x01\n";

bool SkippedWithoutTshark() {
  if (HaveTshark()) return false;
  BOOST_TEST_MESSAGE("skipped: tshark is not installed");
  std::puts("skipped: tshark is not installed");
  return true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tshark)

BOOST_AUTO_TEST_CASE(commands_are_named_in_both_formats) {
  if (SkippedWithoutTshark()) return;
  for (const auto& [format, ending] :
       {std::pair(PcapFormat::kPcapng, ".pcapng"), std::pair(PcapFormat::kPcap, ".pcap")}) {
    Session session(format);
    session.Get(0x0100, kDevice);
    session.Get(0x0200, kConfiguration);
    session.Configure();
    session.Commands();
    const std::string text = session.Tshark(ending, "-Y usbms");
    for (const char* wanted :
         {"SCSI: Inquiry LUN: 0x00", "SCSI: Data In LUN: 0x00 (Inquiry Response Data)",
          "SCSI: Read(10) LUN: 0x00 (LBA: 0x00000007, Len: 1)", "SCSI: Test Unit Ready LUN: 0x00",
          "SCSI: Response LUN: 0x00 (Read(10)) (Good)", "(Check Condition)"}) {
      BOOST_TEST((text.find(wanted) != std::string::npos), wanted << " is not in\n" << text);
    }
    BOOST_TEST(session.Tshark(ending, kFields) == kExpected);
    BOOST_TEST(session.Tshark(ending, "-Y _ws.malformed") == "");
  }
}

// Wireshark knows a CBW and a CSW when it sees one; data in between it leaves alone.
BOOST_AUTO_TEST_CASE(commands_are_found_without_descriptors_and_in_a_vendor_interface) {
  if (SkippedWithoutTshark()) return;
  constexpr const char* kWithoutData =
      "0x12,0x00000001,\n"
      "%s,0x00000001,0x00\n"
      "0x28,0x00000002,\n"
      "%s,0x00000002,0x00\n"
      "0x00,0x00000003,\n"
      "%s,0x00000003,0x01\n";
  char expected[300];
  Session bare(PcapFormat::kPcapng);
  bare.Commands();
  std::snprintf(expected, sizeof(expected), kWithoutData, "", "", "");
  BOOST_TEST(bare.Tshark(".pcapng", kFields) == expected);

  Session vendor(PcapFormat::kPcapng);
  vendor.Get(0x0100, kDevice);
  vendor.Get(0x0200, kVendorConfiguration);
  vendor.Configure();
  vendor.Commands();
  std::snprintf(expected, sizeof(expected), kWithoutData, "0x12", "0x28", "0x00");
  BOOST_TEST(vendor.Tshark(".pcapng", kFields) == expected);
}

BOOST_AUTO_TEST_CASE(recorded_descriptors_serve_as_well_as_read_ones) {
  if (SkippedWithoutTshark()) return;
  Session session(PcapFormat::kPcapng);
  session.recorder().RecordDescriptors(kDevice, kConfiguration);
  session.Commands();
  BOOST_TEST(session.Tshark(".pcapng", kFields) == kExpected);
  BOOST_TEST((session.Tshark(".pcapng", "-V -Y frame.number==1").find("not on the bus") !=
              std::string::npos));
}

BOOST_AUTO_TEST_SUITE_END()
