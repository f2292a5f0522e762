#include "async/ip_network.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using usbtwin::async::IpAddress;
using usbtwin::async::IpNetwork;
namespace data = boost::unit_test::data;

namespace {

// Texts that are one address.
struct Same {
  const char* left;
  const char* right;
};
constexpr Same kSame[] = {
    {"10.0.0.1", "::ffff:10.0.0.1"},
    {"10.0.0.1", "::ffff:a00:1"},
    {"10.0.0.1", "0:0:0:0:0:FFFF:10.0.0.1"},
    {"::1", "0:0:0:0:0:0:0:1"},
    {"::", "0:0:0:0:0:0:0:0"},
    {"fe80::1", "FE80:0000::0001"},
    {"1::", "1:0:0:0:0:0:0:0"},
    {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:0.7.0.8"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
};

constexpr const char* kNoAddress[] = {
    "",
    " ",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    "256.0.0.1",
    "1.2.3.999",
    "01.2.3.4",
    "1.2.3.00",
    "1.2.3.-4",
    "+1.2.3.4",
    "1.2.3.4 ",
    "0x7f.0.0.1",
    "1.2.3.4%eth0",
    "localhost",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "1:2:3:4::5:6:7:8",
    "12345::",
    "g::",
    "::1:",
    ":1::",
    "1:2:3:4:5:6:7:",
    "::1.2.3",
    "::1.2.3.4.5",
    "::1.2.3.256",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:1.2.3.4",
    "[::1]",
    "::1%lo",
    "::1/128",
    "-1::",
};

struct Membership {
  const char* network;
  const char* peer;
  bool inside;
};
constexpr Membership kMemberships[] = {
    {"10.0.0.0/8", "10.255.1.2:4", true},
    {"10.0.0.0/8", "11.0.0.0:4", false},
    {"10.0.0.0/8", "9.255.255.255:4", false},
    {"10.0.0.0/8", "[::ffff:10.1.2.3]:4", true},
    {"10.0.0.0/8", "[::ffff:b01:203]:4", false},
    {"::ffff:10.0.0.0/104", "10.1.2.3:4", true},
    {"::ffff:10.0.0.0/104", "11.1.2.3:4", false},
    {"::ffff:0.0.0.0/96", "8.8.8.8:1", true},
    {"::ffff:10.0.0.7", "10.0.0.7:1", true},
    {"0.0.0.0/0", "203.0.113.9:1", true},
    {"0.0.0.0/0", "[2001:db8::1]:1", false},
    {"::/0", "[2001:db8::1]:1", true},
    {"::/0", "10.0.0.1:1", false},
    {"::/0", "[::ffff:10.0.0.1]:1", false},
    {"192.168.1.128/25", "192.168.1.127:1", false},
    {"192.168.1.128/25", "192.168.1.128:1", true},
    {"192.168.1.7", "192.168.1.7:1", true},
    {"192.168.1.7/32", "192.168.1.6:1", false},
    {"128.0.0.0/1", "127.255.255.255:1", false},
    {"128.0.0.0/1", "128.0.0.0:1", true},
    {"fd00::/8", "[fdff::1]:3240", true},
    {"fd00::/8", "[fc00::1]:3240", false},
    {"fe80::/64", "[fe80::1%eth0]:3240", true},
    {"fe80::1", "[fe80::1%eth1]:3240", true},
    {"2001:db8::/127", "[2001:db8::1]:1", true},
    {"2001:db8::/127", "[2001:db8::2]:1", false},
};

constexpr const char* kNoNetwork[] = {
    "",
    "/",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/8/8",
    "10.0.0.0/8 ",
    "10.0.0.0/255.0.0.0",
    "10.0.0.0/0008",
    "10.0.0.1/8",
    "10.0.0.0/4294967304",
    "::1/127",
    "fd00::/129",
    "fe80::1%eth0",
    "fe80::%eth0/64",
    "10.0.0.0%x/8",
    "::ffff:10.0.0.0/8",
    "::ffff:10.0.0.0/95",
    "::ffff:10.0.0.0/129",
    "::ffff:10.0.0.1/104",
    "localhost/8",
};

}  // namespace

namespace std {
ostream& operator<<(ostream& out, const Same& one) {
  return out << one.left << " and " << one.right;
}
ostream& operator<<(ostream& out, const Membership& one) {
  return out << one.network << " and " << one.peer;
}
}  // namespace std

BOOST_AUTO_TEST_SUITE(ip_network)

BOOST_DATA_TEST_CASE(one_address_in_two_ways, data::make(kSame), pair) {
  const auto left = IpAddress::Parse(pair.left);
  const auto right = IpAddress::Parse(pair.right);

  BOOST_REQUIRE(left.has_value());
  BOOST_REQUIRE(right.has_value());
  BOOST_TEST((*left == *right));
}

BOOST_DATA_TEST_CASE(what_is_no_address, data::make(kNoAddress), text) {
  BOOST_TEST(!IpAddress::Parse(text).has_value());
}

BOOST_DATA_TEST_CASE(who_belongs_to_a_network, data::make(kMemberships), one) {
  const auto network = IpNetwork::Parse(one.network);
  const auto peer = IpAddress::OfPeer(one.peer);

  BOOST_REQUIRE(network.has_value());
  BOOST_REQUIRE(peer.has_value());
  BOOST_TEST(network->Contains(*peer) == one.inside);
}

BOOST_DATA_TEST_CASE(what_is_no_network, data::make(kNoNetwork), text) {
  BOOST_TEST(!IpNetwork::Parse(text).has_value());
}

BOOST_AUTO_TEST_CASE(peers_without_an_ip_address) {
  for (const char* peer : {"unix:/run/a.sock", "unix:", "pipe:client", "[::1]", "", "10.0.0.1"}) {
    BOOST_TEST(!IpAddress::OfPeer(peer).has_value(), peer);
  }
}

BOOST_AUTO_TEST_CASE(loopback_is_this_machine) {
  for (const char* text : {"127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"}) {
    BOOST_TEST(IpAddress::Parse(text)->is_loopback(), text);
  }
  for (const char* text :
       {"128.0.0.1", "0.0.0.0", "::", "::2", "1::1", "::127.0.0.1", "10.0.0.1"}) {
    BOOST_TEST(!IpAddress::Parse(text)->is_loopback(), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
