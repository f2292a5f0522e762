#include "usb/string_descriptor.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;  // NOLINT
using usb::MakeStringDescriptor;
using usb::ParseString;

namespace {
std::vector<uint8_t> Copy(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}
}  // namespace

BOOST_AUTO_TEST_SUITE(string_descriptor)

BOOST_AUTO_TEST_CASE(text_becomes_utf_16_and_comes_back) {
  // One character of each length in UTF-8: A, e acute, the euro sign, a musical clef.
  const std::string text = "A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e";
  const auto expected = "0c 03 4100 e900 ac20 34d8 1edd"_hex;
  BOOST_TEST(*MakeStringDescriptor(text) == Copy(expected));
  BOOST_TEST(*ParseString(expected) == text);
  BOOST_TEST(*MakeStringDescriptor("") == Copy("02 03"_hex));
  BOOST_TEST(*ParseString("02 03"_hex) == "");
}

BOOST_AUTO_TEST_CASE(bad_utf_8_becomes_replacement_characters) {
  const auto bad = [](std::string_view text) { return *MakeStringDescriptor(text); };
  BOOST_TEST(bad("\x80x") == Copy("06 03 fdff 7800"_hex));           // a tail without a head
  BOOST_TEST(bad("\xc0\xafx") == Copy("08 03 fdff fdff 7800"_hex));  // never a head
  BOOST_TEST(bad("\xe2\x82") == Copy("04 03 fdff"_hex));             // cut short
  BOOST_TEST(bad("\xe2\x82x") == Copy("06 03 fdff 7800"_hex));       // interrupted
  BOOST_TEST(bad("\xe0\x80\xaf") == Copy("04 03 fdff"_hex));         // overlong
  BOOST_TEST(bad("\xed\xa0\x80") == Copy("04 03 fdff"_hex));         // a surrogate
  BOOST_TEST(bad("\xf4\x90\x80\x80") == Copy("04 03 fdff"_hex));     // beyond Unicode
  BOOST_TEST(bad("\xf5\xff") == Copy("06 03 fdff fdff"_hex));
}

BOOST_AUTO_TEST_CASE(lone_surrogates_become_replacement_characters) {
  BOOST_TEST(*ParseString("04 03 34d8"_hex) == "\xef\xbf\xbd");
  BOOST_TEST(*ParseString("06 03 34d8 4100"_hex) ==
             "\xef\xbf\xbd"
             "A");
  BOOST_TEST(*ParseString("06 03 1edd 34d8"_hex) == "\xef\xbf\xbd\xef\xbf\xbd");
}

BOOST_AUTO_TEST_CASE(as_much_as_fits_is_accepted) {
  BOOST_TEST(MakeStringDescriptor(std::string(126, 'x'))->size() == 254u);
  BOOST_TEST(MakeStringDescriptor(std::string(127, 'x')).error().Describe() ==
             "invalid argument: a string of 127 UTF-16 units, at most 126 fit into a descriptor");
}

BOOST_AUTO_TEST_CASE(lengths_that_lie_do_not_matter) {
  BOOST_TEST(*ParseString("ff 03 4100 4200"_hex) == "AB");
  BOOST_TEST(*ParseString("04 03 4100 4200"_hex) == "A");
  BOOST_TEST(*ParseString("05 03 4100 42"_hex) == "A");
}

BOOST_AUTO_TEST_CASE(what_is_no_string_is_refused) {
  BOOST_TEST(ParseString({}).error().Describe() ==
             "protocol error: 0 bytes of type 0 and bLength 0 are no string descriptor");
  BOOST_TEST(!ParseString("02"_hex).has_value());
  BOOST_TEST(!ParseString("01 03"_hex).has_value());
  BOOST_TEST(ParseString("04 02 4100"_hex).error().Describe() ==
             "protocol error: 4 bytes of type 2 and bLength 4 are no string descriptor");
}

BOOST_AUTO_TEST_CASE(languages_are_listed) {
  BOOST_TEST(usb::MakeLanguageTable(0x0409) == Copy("04 03 0904"_hex));
  BOOST_TEST(*usb::ParseLanguages("06 03 0904 0704"_hex) ==
             (std::vector<uint16_t>{0x0409, 0x0407}));
}

BOOST_AUTO_TEST_SUITE_END()
