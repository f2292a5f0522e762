#include "app/throttle_text.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;  // NOLINT
using app::ParseThrottle;
using std::chrono::microseconds;
using std::chrono::seconds;

BOOST_AUTO_TEST_SUITE(throttle_text)

BOOST_AUTO_TEST_CASE(latency_and_rate_are_read) {
  const auto latency = ParseThrottle("latency=100us");
  BOOST_REQUIRE(latency.has_value());
  BOOST_TEST((latency->latency == microseconds(100)));
  BOOST_TEST(latency->bytes_per_second == 0u);
  const auto rate = ParseThrottle("rate=60MB");
  BOOST_REQUIRE(rate.has_value());
  BOOST_TEST((rate->latency == Duration(0)));
  BOOST_TEST(rate->bytes_per_second == 60'000'000u);
  const auto both = ParseThrottle("rate=512k,latency=2s");
  BOOST_REQUIRE(both.has_value());
  BOOST_TEST((both->latency == seconds(2)));
  BOOST_TEST(both->bytes_per_second == 512u << 10);
  BOOST_TEST((ParseThrottle("latency=7ns")->latency == Duration(7)));
  BOOST_TEST((ParseThrottle("latency=60000ms")->latency == seconds(60)));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named) {
  for (const char* text :
       {"", ",", "latency=", "latency=us", "latency=1", "latency=1.5us", "latency=-1us",
        "latency=61s", "latency=60000000001ns", "latency=99999999999999999999s", "rate=", "rate=0",
        "rate=fast", "rate=1MB,", "speed=1MB", "latency=1us rate=1MB"}) {
    const auto parsed = ParseThrottle(text);
    BOOST_TEST_INFO(text);
    BOOST_REQUIRE(!parsed.has_value());
    BOOST_TEST((parsed.error().kind == app::Failure::Kind::kUsage));
    BOOST_TEST(parsed.error().text.starts_with("--throttle: \""));
  }
}

BOOST_AUTO_TEST_SUITE_END()
