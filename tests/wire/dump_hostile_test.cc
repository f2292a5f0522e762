// Bytes that are cut, and far too many of them.
#include "wire/dump.h"

#include <boost/test/unit_test.hpp>

#include "tests/wire/dump_samples.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace usbtwin::wire;   // NOLINT

namespace {

size_t LinesCount(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(dump_hostile)

// Every cut of every valid input, each in a heap block of its exact length, so that a sanitizer
// sees one byte too far. What was cut must be said or shown.
BOOST_AUTO_TEST_CASE(cut_anywhere_nothing_is_read_beyond_the_end) {
  const auto pcapng = Pcapng();
  const Bytes inputs[] = {kDevice, kConfiguration, kUasAlternate, kBos,           kInquiry,
                          kPassed, kFixed,         kDescriptor,   kSubmitInquiry, kIsoComplete,
                          pcapng,  kUsbipClient,   kUsbipServer,  kCommandIu,     kTaskManagementIu,
                          kSenseIu};
  for (Bytes whole : inputs) {
    const std::string whole_text = Dump(whole);
    for (size_t length = 0; length < whole.size(); ++length) {
      const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
      BOOST_TEST(Dump(cut) != whole_text);
      BOOST_TEST((Dump(cut).empty() == cut.empty()));
      for (auto* function : {DumpSetup, DumpCommandWrapper, DumpStatusWrapper, DumpCdb, DumpSense,
                             DumpInquiry, DumpUsbmon, DumpCapture, DumpUsbip, DumpIu}) {
        BOOST_TEST(!function(cut).empty());
      }
      BOOST_TEST((DumpDescriptors(cut).empty() == cut.empty()));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_cut_wrapper_or_record_says_how_much_is_there) {
  for (size_t length = 0; length < kInquiry.size(); ++length) {
    const std::string text = DumpCommandWrapper(Take(Bytes(kInquiry), length));
    BOOST_TEST(text.find("CBW, truncated: " + std::to_string(length) + " of 31 bytes") == 0u);
  }
  for (size_t length = 0; length < kPassed.size(); ++length) {
    const std::string text = DumpStatusWrapper(Take(Bytes(kPassed), length));
    BOOST_TEST(text.find("CSW, truncated: " + std::to_string(length) + " of 13 bytes") == 0u);
  }
  for (size_t length = 0; length < kIsoComplete.size(); ++length) {
    const std::string text = DumpUsbmon(Take(Bytes(kIsoComplete), length));
    BOOST_TEST((text.find("truncated: ") != std::string::npos), text);
  }
  for (size_t length = 1; length < kConfiguration.size(); ++length) {
    const std::string text = DumpDescriptors(Take(Bytes(kConfiguration), length));
    BOOST_TEST((text.find("truncated") != std::string::npos ||
                text.find("left over") != std::string::npos),
               text);
  }
}

BOOST_AUTO_TEST_CASE(the_output_is_bounded) {
  std::vector<uint8_t> many;
  for (size_t index = 0; index < 500'000; ++index) many.insert(many.end(), {0x02, 0x99});
  const std::string text = DumpDescriptors(many);
  BOOST_TEST(LinesCount(text) == kDumpLinesMax + 1);
  BOOST_TEST(text.ends_with("and more that is not shown\n"));

  std::vector<uint8_t> options;
  constexpr auto kBlock = "0a0d0d0a 1c4b0100 4d3c2b1a 0100 0000 ffffffffffffffff"_hex;
  options.assign(kBlock.begin(), kBlock.end());
  for (size_t index = 0; index < 20'000; ++index) options.insert(options.end(), {1, 0, 0, 0});
  options.resize(0x14b1c);
  const std::string line = DumpCapture(options);
  BOOST_TEST(line.starts_with("pcapng section 1.0, option 1 \"\", option 1"));
  BOOST_TEST((line.find(" and so on\n") != std::string::npos));
  BOOST_TEST(line.size() < kDumpLineLengthMax + 500);

  const std::string hex = Dump(std::vector<uint8_t>(1 << 20, 0xff));
  BOOST_TEST(hex.starts_with("1048576 bytes: ff ff"));
  BOOST_TEST(hex.ends_with("ff and 1048544 more\n"));
  BOOST_TEST(hex.size() < 200u);
}

BOOST_AUTO_TEST_SUITE_END()
