// Wireshark reads USB/IP too: what the ends say, in a capture of their connection, must be for it
// what it is for us.
#include <sys/wait.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "proto/usbip_ops.h"
#include "proto/usbip_session.h"
#include "tests/os/temp_dir.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::usbip;  // NOLINT

namespace {

bool SkippedWithoutTshark() {
  if (std::system("tshark --version >/dev/null 2>&1") == 0) return false;
  std::puts("SKIP: usbip_tshark: tshark is not installed");
  return true;
}

// A capture of one TCP connection to port 3240, one packet for each thing said.
class Connection {
 public:
  Connection() {
    Add("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 e4000000"_hex);  // pcap 2.4, IPv4 packets
  }
  void FromClient(Bytes bytes) { Packet(bytes, kClient, kServer); }
  void FromServer(Bytes bytes) { Packet(bytes, kServer, kClient); }

  // What tshark prints for these arguments.
  std::string Tshark(const std::string& arguments) const {
    const tests::TempDir dir;
    const std::string path = dir.path("connection.pcap");
    std::ofstream(path, std::ios::binary)
        .write(std::string(capture_.begin(), capture_.end()).data(),
               static_cast<std::streamsize>(capture_.size()));
    FILE* pipe = popen(
        ("tshark -n -d tcp.port==3240,usbip -r " + path + " " + arguments + " 2>/dev/null").c_str(),
        "r");
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
  struct Side {
    uint8_t address;
    uint16_t port;
    size_t index;
  };
  static constexpr Side kClient{1, 40000, 0};
  static constexpr Side kServer{2, wire::usbip::kPort, 1};

  void Add(Bytes bytes) { capture_.insert(capture_.end(), bytes.begin(), bytes.end()); }
  template <class T>
  void Number(T value) {
    Add(wire::AsBytes(value));
  }

  void Packet(Bytes payload, const Side& from, const Side& to) {
    const auto length = static_cast<uint32_t>(40 + payload.size());
    Number(wire::Le32(0u));
    Number(wire::Le32(++packets_count_));  // microseconds
    Number(wire::Le32(length));
    Number(wire::Le32(length));
    Add("45 00"_hex);
    Number(wire::Be16(static_cast<uint16_t>(length)));
    Add("0000 4000 40 06 0000 0a0000"_hex);  // TCP, 10.0.0
    capture_.push_back(from.address);
    Add("0a0000"_hex);
    capture_.push_back(to.address);
    Number(wire::Be16(from.port));
    Number(wire::Be16(to.port));
    Number(wire::Be32(1 + sent_[from.index]));
    Number(wire::Be32(1 + sent_[to.index]));
    Add("5018 ffff 0000 0000"_hex);  // PSH, ACK
    Add(payload);
    sent_[from.index] += static_cast<uint32_t>(payload.size());
  }

  std::vector<uint8_t> capture_;
  std::array<uint32_t, 2> sent_{};
  uint32_t packets_count_ = 0;
};

Device Disk(const char* bus_id, uint32_t number) {
  return {.path = "/twins/disk",
          .bus_id = bus_id,
          .bus_number = 1,
          .device_number = number,
          .speed = usb::Speed::kHigh,
          .vendor_id = 0x1209,
          .product_id = 0x0001,
          .release_number = 0x0100,
          .configuration_value = 1,
          .configurations_count = 1,
          .interfaces_count = 1,
          .interfaces = {{8, 6, 0x50, 0}}};
}

std::vector<uint8_t> Joined(Bytes header, Bytes data) {
  std::vector<uint8_t> all(header.begin(), header.end());
  all.insert(all.end(), data.begin(), data.end());
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_tshark)

BOOST_AUTO_TEST_CASE(the_list_is_understood) {
  if (SkippedWithoutTshark()) return;
  Connection connection;
  connection.FromClient(wire::AsBytes(MakeDevicesRequest()));
  connection.FromServer(MakeDevicesReply({Disk("1-1", 2), Disk("1-2", 3)}));
  BOOST_TEST(connection.Tshark("-T fields -E separator=, -E aggregator=+ -e usbip.version "
                               "-e usbip.operation -e usbip.number_of_devices -e usbip.busid "
                               "-e usbip.dev_num -e usbip.speed -e usbip.idVendor "
                               "-e usbip.bcdDevice -e usbip.bNumInterfaces "
                               "-e usbip.bInterfaceProtocol") ==
             "0x0111,0x8005,,,,,,,,\n"
             "0x0111,0x0005,2,1-1+1-2,0x00000002+0x00000003,3+3,0x1209+0x1209,0x0100+0x0100,1+1,"
             "0x50+0x50\n");
  BOOST_TEST(connection.Tshark("-Y _ws.malformed") == "");
}

BOOST_AUTO_TEST_CASE(an_import_and_its_transfers_are_understood) {
  if (SkippedWithoutTshark()) return;
  const Device disk = Disk("1-1", 2);
  ClientSession session(disk.device_id());
  Connection connection;
  connection.FromClient(wire::AsBytes(MakeImportRequest("1-1")));
  connection.FromServer(MakeImportReply(disk));

  // GET_DESCRIPTOR, and its answer.
  usb::Transfer control;
  control.setup = usb::SetupPacket{.request_type = 0x80,
                                   .request = 6,
                                   .value = uint16_t{0x100},
                                   .index = uint16_t{0},
                                   .length = uint16_t{18}};
  control.in_length_max = 18;
  const auto get = session.Begin({.endpoint = {}, .in = true, .length = 18}).value();
  const auto submit = session.MakeSubmit(get, control, 0);
  connection.FromClient(wire::AsBytes(submit));
  control.outcome = usb::Outcome::kOk;
  control.length_actual = 18;
  connection.FromServer(Joined(wire::AsBytes(MakeReply(submit.basic.sequence, control)),
                               "12 01 0002 00 00 00 40 0912 0100 0001 01 02 03 01"_hex));

  // A bulk OUT transfer with its bytes, and one IN that is cancelled.
  constexpr auto kInquiry =
      "55534243 01000000 24000000 80 00 06 120000002400 00000000000000000000"_hex;
  usb::Transfer bulk;
  bulk.endpoint = usb::EndpointAddress::Out(2);
  const auto write = session.Begin({.endpoint = bulk.endpoint, .length = 31}).value();
  const auto command = session.MakeSubmit(write, bulk, 0);
  connection.FromClient(Joined(wire::AsBytes(command), kInquiry));
  bulk.outcome = usb::Outcome::kOk;
  bulk.length_actual = 31;
  connection.FromServer(wire::AsBytes(MakeReply(command.basic.sequence, bulk)));

  usb::Transfer in;
  in.endpoint = usb::EndpointAddress::In(1);
  const auto read = session.Begin({.endpoint = in.endpoint, .in = true, .length = 36}).value();
  connection.FromClient(wire::AsBytes(session.MakeSubmit(read, in, 0)));
  const auto unlink = session.MakeUnlink(read);
  connection.FromClient(wire::AsBytes(unlink));
  connection.FromServer(
      wire::AsBytes(MakeUnlinkReply(unlink.basic.sequence, StatusOf(usb::Outcome::kCancelled))));

  BOOST_TEST(connection.Tshark("-T fields -E separator=, -E occurrence=f -e usbip.operation "
                               "-e usbip.urb -e usbip.sequence_no -e usbip.status -e usbip.busid "
                               "-e usbip.transfer_buffer_length -e usbip.actual_length "
                               "-e usb.bDescriptorType -e usb.idVendor") ==
             "0x8003,,,0,1-1,,,,\n"
             "0x0003,,,0,1-1,,,,\n"
             ",0x00000001,2048,,,18,,0x01,\n"
             ",0x00000003,2048,0,,,18,0x01,0x1209\n"  // the descriptor is found in the data
             ",0x00000001,2049,,,31,,,\n"
             ",0x00000003,2049,0,,,31,,\n"
             ",0x00000001,2050,,,36,,,\n"
             ",0x00000002,3074,,,,,,\n"
             ",0x00000004,3074,-104,,,,,\n");
  BOOST_TEST(connection.Tshark("-Y _ws.malformed") == "");
}

BOOST_AUTO_TEST_SUITE_END()
