#include "proto/usbip_ops.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/dies.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::usbip;  // NOLINT
using tests::Dies;
using usb::Speed;
using wire::usbip::OpStatus;

namespace {

Device Disk() {
  return {.path = "/twins/disk",
          .bus_id = "1-1",
          .bus_number = 1,
          .device_number = 2,
          .speed = Speed::kSuper,
          .vendor_id = 0x1209,
          .product_id = 0x0001,
          .release_number = 0x0100,
          .device_class = 0,
          .device_subclass = 0,
          .device_protocol = 0,
          .configuration_value = 1,
          .configurations_count = 1,
          .interfaces_count = 2,
          .interfaces = {{8, 6, 0x50, 0}, {8, 6, 0x62, 0}}};
}

struct Refused {
  const char* name;
  const char* header;  // hex
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const Refused& refused) {
    return out << refused.name;
  }
};

void CheckBroken(const Error& error, const char* says) {
  BOOST_TEST((error.kind == ErrorKind::kProtocol));
  BOOST_TEST((error.phase == Phase::kOpen));
  BOOST_TEST((error.Describe().find(says) != std::string::npos), error.Describe());
}

constexpr Refused kRequests[] = {
    {"version before", "0110 8005 00000000", "version 0110h, and 0111h"},
    {"version after", "0112 8003 00000000", "version 0112h, and 0111h"},
    {"little-endian version", "1101 8003 00000000", "version 1101h"},
    {"a reply", "0111 0005 00000000", "request 05h: neither"},
    {"export", "0111 8006 00000000", "request 8006h: neither"},
    {"a transfer", "0000 0001 00000001", "version 00h"},
};
constexpr Refused kDevicesReplies[] = {
    {"version", "0106 0005 00000000 00000000", "version 0106h"},
    {"a request", "0111 8005 00000000 00000000", "reply 8005h, where 05h"},
    {"another reply", "0111 0003 00000000 00000000", "reply 03h, where 05h"},
    {"refused", "0111 0005 00000001 00000000", "the server's list has status 1"},
    {"one too many", "0111 0005 00000000 00001001", "a list of 4097 devices: at most 4096"},
    {"far too many", "0111 0005 00000000 ffffffff", "a list of 4294967295 devices"},
};
constexpr Refused kImportReplies[] = {
    {"version", "0112 0003 00000000", "version 0112h"},
    {"a request", "0111 8003 00000000", "reply 8003h, where 03h"},
    {"another reply", "0111 0005 00000000", "reply 05h, where 03h"},
};

std::vector<uint8_t> FromHex(const char* text) {
  return ParseHex(text).value();
}

// A record of 312 bytes, some of which are others.
std::vector<uint8_t> Record(size_t offset, Bytes bytes) {
  std::vector<uint8_t> record = MakeImportReply(Disk());
  record.erase(record.begin(), record.begin() + 8);
  CopyBytes(MutableBytes(record).subspan(offset), bytes);
  return record;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_ops)

BOOST_AUTO_TEST_CASE(requests_are_known_by_their_first_eight_bytes) {
  const wire::usbip::OpHeader list = MakeDevicesRequest();
  BOOST_TEST(Hex(wire::AsBytes(list), 0) == "0111800500000000");
  BOOST_TEST((ParseRequest(wire::AsBytes(list)).value() == Op::kDevices));

  const wire::usbip::ImportRequest import = MakeImportRequest("2-1.4");
  BOOST_TEST((ParseRequest(Take(wire::AsBytes(import), 8)).value() == Op::kImport));
  BOOST_TEST(ParseBusId(Drop(wire::AsBytes(import), 8)).value() == "2-1.4");
}

BOOST_AUTO_TEST_CASE(a_request_may_carry_any_status) {
  BOOST_TEST((ParseRequest("0111 8005 ffffffff"_hex).value() == Op::kDevices));
}

BOOST_DATA_TEST_CASE(requests_that_are_refused, boost::unit_test::data::make(kRequests)) {
  const Result<Op> parsed = ParseRequest(FromHex(sample.header));
  BOOST_REQUIRE(!parsed.has_value());
  CheckBroken(parsed.error(), sample.says);
}

BOOST_AUTO_TEST_CASE(a_bus_id_ends_within_its_bytes) {
  std::vector<uint8_t> bytes(32, 'x');
  const Result<std::string> endless = ParseBusId(bytes);
  BOOST_REQUIRE(!endless.has_value());
  CheckBroken(endless.error(), "does not end within its 32 bytes");

  bytes[31] = 0;
  BOOST_TEST(ParseBusId(bytes).value() == std::string(31, 'x'));
  bytes[0] = 0;  // what follows means nothing
  BOOST_TEST(ParseBusId(bytes).value().empty());
}

BOOST_AUTO_TEST_CASE(bus_ids_are_plain_words) {
  for (const char* text : {"1-1", "1-1.4:1.0", "usb_3", "A", "1234567890123456789012345678901"}) {
    BOOST_TEST(IsBusId(text), text);
  }
  for (const char* text :
       {"", "12345678901234567890123456789012", "1 1", "1/1", "1-1\n", "\x1b[m", "\xc3\xa9"}) {
    BOOST_TEST(!IsBusId(text), text);
  }
  BOOST_TEST(!IsBusId(std::string_view("1\0", 2)));
  BOOST_TEST(Dies([] { static_cast<void>(MakeImportRequest("")); }));
  BOOST_TEST(Dies([] { static_cast<void>(MakeImportRequest("a b")); }));
}

BOOST_AUTO_TEST_CASE(the_list_comes_back_as_it_was) {
  Device other = Disk();
  other.bus_id = "2-1";
  other.interfaces_count = 0;
  other.interfaces.clear();
  const std::vector<uint8_t> bytes = MakeDevicesReply({Disk(), other});

  BOOST_REQUIRE(bytes.size() == 12u + 312 + 8 + 312);
  BOOST_TEST(ParseDevicesHeader(Take(Bytes(bytes), 12)).value() == 2u);
  Device first = ParseDevice(Bytes(bytes).subspan(12, 312)).value();
  BOOST_TEST(!(first == Disk()));  // the interfaces are still to come
  AppendInterface(first, Bytes(bytes).subspan(324, 4));
  AppendInterface(first, Bytes(bytes).subspan(328, 4));
  BOOST_TEST((first == Disk()));
  BOOST_TEST((ParseDevice(Bytes(bytes).subspan(332)).value() == other));
}

BOOST_AUTO_TEST_CASE(an_empty_list) {
  BOOST_TEST(Hex(MakeDevicesReply({}), 0) == "011100050000000000000000");
}

BOOST_AUTO_TEST_CASE(a_list_is_cut_at_its_bound) {
  Device device = Disk();
  device.interfaces_count = 0;
  device.interfaces.clear();
  const std::vector<uint8_t> bytes = MakeDevicesReply(std::vector<Device>(kDevicesMax + 1, device));
  BOOST_TEST(bytes.size() == 12 + kDevicesMax * 312);
  BOOST_TEST(ParseDevicesHeader(Take(Bytes(bytes), 12)).value() == kDevicesMax);
}

BOOST_DATA_TEST_CASE(lists_that_are_refused, boost::unit_test::data::make(kDevicesReplies)) {
  const Result<uint32_t> parsed = ParseDevicesHeader(FromHex(sample.header));
  BOOST_REQUIRE(!parsed.has_value());
  CheckBroken(parsed.error(), sample.says);
}

BOOST_AUTO_TEST_CASE(an_import_comes_back_as_it_was) {
  Device device = Disk();
  const std::vector<uint8_t> bytes = MakeImportReply(device);
  BOOST_REQUIRE(bytes.size() == 320u);
  BOOST_TEST(ParseImportHeader(Take(Bytes(bytes), 8)).has_value());
  const Device parsed = ParseDevice(Drop(Bytes(bytes), 8)).value();
  device.interfaces.clear();  // an import does not tell them
  BOOST_TEST((parsed == device));
  BOOST_TEST(parsed.device_id() == 0x10002u);
}

BOOST_DATA_TEST_CASE(imports_that_are_broken, boost::unit_test::data::make(kImportReplies)) {
  const Result<void> parsed = ParseImportHeader(FromHex(sample.header));
  BOOST_REQUIRE(!parsed.has_value());
  CheckBroken(parsed.error(), sample.says);
}

BOOST_AUTO_TEST_CASE(a_refused_import_is_eight_bytes_and_says_why) {
  struct Row {
    OpStatus status;
    ErrorKind kind;
    const char* says;
  };
  for (const Row& row : {Row{OpStatus::kNotAvailable, ErrorKind::kNotFound, "not available"},
                         Row{OpStatus::kBusy, ErrorKind::kBusy, "somebody has imported"},
                         Row{OpStatus::kDeviceError, ErrorKind::kFault, "error state"},
                         Row{OpStatus::kNoDevice, ErrorKind::kNotFound, "no such device"},
                         Row{OpStatus::kError, ErrorKind::kFault, "with status 5"},
                         Row{OpStatus{6}, ErrorKind::kFault, "with status 6"},
                         Row{OpStatus{0xffffffff}, ErrorKind::kFault, "with status 4294967295"}}) {
    const std::vector<uint8_t> bytes = MakeImportRefusal(row.status);
    BOOST_TEST(bytes.size() == 8u);
    const Result<void> parsed = ParseImportHeader(bytes);
    BOOST_REQUIRE(!parsed.has_value());
    BOOST_TEST((parsed.error().kind == row.kind));
    const std::string text = parsed.error().Describe();
    BOOST_TEST((text.find(row.says) != std::string::npos), text);
  }
  BOOST_TEST(Dies([] { MakeImportRefusal(OpStatus::kOk); }));
}

BOOST_AUTO_TEST_CASE(records_that_are_refused) {
  const std::vector<uint8_t> letters(256, 'x');
  struct Row {
    size_t offset;
    Bytes bytes;
    const char* says;
  };
  constexpr auto kSeven = "00000007"_hex;
  constexpr auto kMany = "ffffffff"_hex;
  constexpr auto kEscape = "1b5b6d00"_hex;
  constexpr auto kNothing = "00"_hex;
  for (const Row& row :
       {Row{0, letters, "does not end"}, Row{256, Take(Bytes(letters), 32), "does not end"},
        Row{256, kEscape, "bus id of 3 bytes is none"},
        Row{256, kNothing, "bus id of 0 bytes is none"}, Row{296, kSeven, "a device of speed 7"},
        Row{296, kMany, "a device of speed 4294967295"}}) {
    const Result<Device> parsed = ParseDevice(Record(row.offset, row.bytes));
    BOOST_REQUIRE(!parsed.has_value());
    CheckBroken(parsed.error(), row.says);
  }
  BOOST_TEST(ParseDevice(Record(0, Take(Bytes(letters), 255)))->path == std::string(255, 'x'));
}

BOOST_AUTO_TEST_CASE(speeds_are_those_of_linux) {
  constexpr std::array kSpeeds{Speed::kLow, Speed::kFull, Speed::kHigh, Speed::kSuper,
                               Speed::kSuperPlus};
  constexpr std::array<uint32_t, 5> kCodes{1, 2, 3, 5, 6};
  for (size_t index = 0; index < kSpeeds.size(); ++index) {
    BOOST_TEST(SpeedCode(kSpeeds[index]) == kCodes[index]);
    const wire::Be32 code = kCodes[index];
    const auto bytes = std::bit_cast<std::array<uint8_t, 4>>(code);
    BOOST_TEST((ParseDevice(Record(296, bytes))->speed == kSpeeds[index]));
  }
  BOOST_TEST((ParseDevice(Record(296, "00000000"_hex))->speed == Speed::kHigh));  // unknown
  BOOST_TEST((ParseDevice(Record(296, "00000004"_hex))->speed == Speed::kHigh));  // wireless
}

BOOST_AUTO_TEST_CASE(text_that_is_too_long_is_cut_and_still_ends) {
  Device device = Disk();
  device.path = std::string(300, 'p');
  const std::vector<uint8_t> bytes = MakeImportReply(device);
  BOOST_TEST(ParseDevice(Drop(Bytes(bytes), 8))->path == std::string(255, 'p'));
}

BOOST_AUTO_TEST_CASE(devices_differ_by_each_of_their_fields) {
  const Device disk = Disk();
  Device other = disk;
  other.interfaces[1].interface_protocol = 0;
  BOOST_TEST(!(other == disk));
  other = disk;
  other.path = "/twins/other";
  BOOST_TEST(!(other == disk));
  other = disk;
  other.speed = Speed::kHigh;
  BOOST_TEST(!(other == disk));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_announced_is_a_bug) {
  Device nameless = Disk();
  nameless.bus_id.clear();
  BOOST_TEST(Dies([&] { MakeImportReply(nameless); }));
  BOOST_TEST(Dies([&] { MakeDevicesReply({nameless}); }));
  Device miscounted = Disk();
  miscounted.interfaces_count = 1;
  BOOST_TEST(Dies([&] { MakeDevicesReply({miscounted}); }));
}

BOOST_AUTO_TEST_SUITE_END()
