#include "async/host_and_port.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace usbtwin;         // NOLINT
using namespace usbtwin::async;  // NOLINT
namespace data = boost::unit_test::data;

namespace {

struct Good {
  const char* text;
  HostAndPort meaning;
  const char* canonical;
};
std::ostream& operator<<(std::ostream& out, const Good& one) {
  return out << one.text;
}
const Good kGood[] = {
    {"host", {"host", 3240}, "host:3240"},
    {"10.0.0.7", {"10.0.0.7", 3240}, "10.0.0.7:3240"},
    {"host:0", {"host", 0}, "host:0"},
    {"host:65535", {"host", 65535}, "host:65535"},
    {"host:00080", {"host", 80}, "host:80"},
    {"7:80", {"7", 80}, "7:80"},
    {"[::1]", {"::1", 3240}, "[::1]:3240"},
    {"[fe80::1%eth0]:7", {"fe80::1%eth0", 7}, "[fe80::1%eth0]:7"},
};

struct Bad {
  std::string text;
  const char* complaint;
};
std::ostream& operator<<(std::ostream& out, const Bad& one) {
  return out << one.text;
}
const Bad kBad[] = {
    {"", "no host"},
    {":3240", "no host"},
    {"[]:3240", "no host"},
    {"33300", "a number alone is no host: a port follows one, as in 127.0.0.1:33300"},
    {"host:", "no port behind the colon"},
    {"[::1]:", "no port behind the colon"},
    {"host:99999", "port \"99999\" is not 0 to 65535"},
    {"host:99999999999999999999", "port \"99999999999999999999\" is not 0 to 65535"},
    {"host:-1", "port \"-1\" is not 0 to 65535"},
    {"host:+1", "port \"+1\" is not 0 to 65535"},
    {"host:usbip", "port \"usbip\" is not 0 to 65535"},
    {"::1", "an IPv6 address is written in brackets: [::1] or [::1]:3240"},
    {"::1:3240", "an IPv6 address is written in brackets: [::1] or [::1]:3240"},
    {"[::1", "\"[\" without \"]\" in the host"},
    {"[::1]x", "only :PORT may follow \"]\""},
    {std::string("a\0b:1", 5), "it holds a zero byte"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(host_and_port)

BOOST_DATA_TEST_CASE(a_server_is_where, data::make(kGood), one) {
  const auto parsed = ParseHostAndPort(one.text, {.otherwise = 3240, .min = 0});
  BOOST_TEST_REQUIRE(parsed.has_value());
  BOOST_TEST((*parsed == one.meaning));
  BOOST_TEST(TextOf(*parsed) == one.canonical);
}

BOOST_DATA_TEST_CASE(what_is_no_server_is_told, data::make(kBad), one) {
  const auto parsed = ParseHostAndPort(one.text, {.otherwise = 3240, .min = 0});
  BOOST_TEST_REQUIRE(!parsed.has_value());
  BOOST_TEST(parsed.error() == one.complaint);
}

BOOST_AUTO_TEST_CASE(some_need_a_port_and_some_cannot_do_with_any) {
  BOOST_TEST(ParseHostAndPort("host", {}).error() == "no port; write host:port or [IPv6]:port");
  BOOST_TEST(ParseHostAndPort("[::1]", {}).error() == "no port; write host:port or [IPv6]:port");
  BOOST_TEST(ParseHostAndPort("host:0", {}).error() == "port \"0\" is not 1 to 65535");
}

BOOST_AUTO_TEST_SUITE_END()
