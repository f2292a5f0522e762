#include "os/linux/port_records.h"

#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "base/text.h"
#include "tests/os/temp_dir.h"

using namespace usbtwin;      // NOLINT
using namespace usbtwin::os;  // NOLINT
namespace data = boost::unit_test::data;

namespace {

struct Row {
  const char* device;  // as people write it
  const char* record;  // as usbip keeps it, and as it prints it
};
std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.device;
}
const std::vector<Row> kRows{
    {"usbip://twin.example:3240/1-1", "twin.example 3240 1-1\n"},
    {"usbip://[::1]:40000/3-2.4", "::1 40000 3-2.4\n"},
    {"usbip+unix:/run/twin.sock#1-1", "unix:/run/twin.sock 0 1-1\n"},
};

app::UsbIpDevice Device(const std::string& text) {
  const auto parsed = app::ParseDeviceString(text);
  BOOST_REQUIRE_MESSAGE(parsed.has_value(), text);
  return std::get<app::UsbIpDevice>(*parsed);
}

std::string TextOfFile(const std::string& path) {
  const std::vector<uint8_t> bytes = tests::FileContent(path);
  return {bytes.begin(), bytes.end()};
}

// What is no record.
const std::vector<std::string> kNonsense{"",           "host", "host 3240",  "host 3240 ",
                                         " 3240 1-1",  "\n",   "host x 1-1", "host 65536 1-1\n",
                                         "host -1 1-1"};

}  // namespace

BOOST_AUTO_TEST_SUITE(port_records)

BOOST_DATA_TEST_CASE(records_are_those_of_the_usbip_tool, data::make(kRows), row) {
  const tests::TempDir folder;
  const PortRecords records(folder.path("made"));
  records.Write(8, Device(row.device));
  BOOST_TEST(TextOfFile(folder.path("made/port8")) == row.record);
  const auto read = records.Read(8);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(app::TextOf(*read) == row.device);
  BOOST_TEST(!records.Read(7).has_value());

  records.Remove(8);
  BOOST_TEST(!records.Read(8).has_value());
}

BOOST_AUTO_TEST_CASE(a_record_takes_the_place_of_another) {
  const tests::TempDir folder;
  const PortRecords records(folder.path("."));
  records.Write(0, Device("usbip://a-long-name.example:3240/1-1"));
  records.Write(0, Device("usbip://b:1/1-1"));
  BOOST_TEST(TextOfFile(folder.path("port0")) == "b 1 1-1\n");
  // Of what words cannot tell, nothing is told, and nothing that is no longer true.
  records.Write(0, {.host = "", .port = 0, .socket_path = "/tmp/a b", .bus_id = "1-1"});
  BOOST_TEST(!records.Read(0).has_value());
  const std::string long_path(2000, 'x');
  records.Write(0, {.host = "", .port = 0, .socket_path = long_path, .bus_id = "1-1"});
  BOOST_TEST(!records.Read(0).has_value());
}

BOOST_AUTO_TEST_CASE(nothing_is_written_through_a_link) {
  const tests::TempDir folder;
  folder.File("victim", Bytes());
  BOOST_REQUIRE(symlink(folder.path("victim").c_str(), folder.path("port0").c_str()) == 0);
  const PortRecords records(folder.path("."));
  BOOST_TEST(!records.Read(0).has_value());
  records.Write(0, Device("usbip://b:1/1-1"));
  BOOST_TEST(TextOfFile(folder.path("victim")).empty());
  BOOST_TEST(records.Read(0).has_value());
}

BOOST_DATA_TEST_CASE(what_is_no_record_is_none, data::make(kNonsense), text) {
  const tests::TempDir folder;
  const std::vector<uint8_t> bytes(text.begin(), text.end());
  folder.File("port0", bytes);
  BOOST_TEST(!PortRecords(folder.path(".")).Read(0).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
