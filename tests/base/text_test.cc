#include "base/text.h"

#include <boost/test/unit_test.hpp>

#include "base/error.h"

using namespace usbtwin;  // NOLINT

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(what_steers_a_terminal_is_a_question_mark) {
  BOOST_TEST(Printable("\x1b[31m") == "?[31m");
  BOOST_TEST(Printable("a\r\n\tb\x7f") == "a???b?");
  BOOST_TEST(Printable(std::string_view("\0x", 2)) == "?x");
  BOOST_TEST(Printable("\u009b31m") == "?31m");  // C1: CSI
  for (const char* control : {"\u061c", "\u200e", "\u2028", "\u202a", "\u202e", "\u2066", "\u2069"})
    BOOST_TEST(Printable(control) == "?");
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_characters_are_question_marks) {
  BOOST_TEST(Printable("\x9b") == "?");          // C1 on an eight-bit terminal
  BOOST_TEST(Printable("\xe2\x80") == "?");      // cut short
  BOOST_TEST(Printable("\xc0\x9b") == "??");     // overlong
  BOOST_TEST(Printable("\xed\xa0\x80") == "?");  // a surrogate
}

BOOST_AUTO_TEST_CASE(everything_else_stays) {
  BOOST_TEST(Printable("Müller \u2027\u202f\u2065\u206a 日本 \U0001f50c") ==
             "Müller \u2027\u202f\u2065\u206a 日本 \U0001f50c");
  BOOST_TEST(PrintableLines("one\ntwo\x1b\n") == "one\ntwo?\n");
  BOOST_TEST(Quote("a\nb") == "\"a?b\"");
}

BOOST_AUTO_TEST_CASE(a_long_quotation_is_clipped) {
  BOOST_TEST(Quote(std::string(200, 'a')) == "\"" + std::string(200, 'a') + "\"");
  BOOST_TEST(Quote(std::string(100'000, 'a')) ==
             "\"" + std::string(200, 'a') + "…\" (100000 bytes)");
  BOOST_TEST(Quote(std::string(199, 'a') + "日本") ==
             "\"" + std::string(199, 'a') + "日…\" (205 bytes)");
}

BOOST_AUTO_TEST_CASE(counts_have_their_plural) {
  BOOST_TEST(Count(1, "block") == "1 block");
  BOOST_TEST(Count(0, "block") == "0 blocks");
  BOOST_TEST(Count(2, "recovery", "recoveries") == "2 recoveries");
  BOOST_TEST(Count(1, "recovery", "recoveries") == "1 recovery");
}

BOOST_AUTO_TEST_CASE(errors_show_values_in_decimal_or_hexadecimal) {
  const Error error{.kind = ErrorKind::kProtocol,
                    .text = "tag {}, signature {:x}, {}",
                    .values = {7, 0x53425355, 9}};
  BOOST_TEST(error.Describe() == "protocol error: tag 7, signature 53425355h, 9");
  const Error small{.text = "{:x}, {:x}", .values = {0, 0x100}};
  BOOST_TEST(small.Describe() == "fault: 00h, 0100h");
}

BOOST_AUTO_TEST_CASE(ids_have_four_digits) {
  BOOST_TEST(HexId(0x1d6b) == "1d6b");
  BOOST_TEST(HexId(0x0002) == "0002");
}

BOOST_AUTO_TEST_SUITE_END()
