#include "wire/bot.h"

#include <boost/test/unit_test.hpp>

#include "layout.h"

using namespace usbtwin;             // NOLINT
using namespace usbtwin::wire;       // NOLINT
using namespace usbtwin::wire::bot;  // NOLINT

namespace {

constexpr auto kCommand =
    "55534243 04030201 24000000 80 05 06"          // CBW, 36 bytes in, LUN 5
    "12 00 00 00 24 00 00000000000000000000"_hex;  // INQUIRY
constexpr auto kStatus = "55534253 04030201 0d0c0b0a 02"_hex;

}  // namespace

BOOST_AUTO_TEST_SUITE(bot_layouts)

BOOST_AUTO_TEST_CASE(command_block_wrapper) {
  const auto& wrapper = Read<CommandBlockWrapper>(kCommand);
  BOOST_TEST(wrapper.signature == kCommandSignature);
  BOOST_TEST(wrapper.tag == 0x01020304u);
  BOOST_TEST(wrapper.data_length == 36u);
  BOOST_TEST(wrapper.flags == kDirectionIn);
  BOOST_TEST(wrapper.lun == 5);
  BOOST_TEST(wrapper.command_length == 6);
  BOOST_TEST(Hex(wrapper.command_block) == "12 00 00 00 24 00 00 00 00 00 00 00 00 00 00 00");
  CheckLayout(CommandBlockWrapper{.signature = kCommandSignature,
                                  .tag = 0x01020304u,
                                  .data_length = 36u,
                                  .flags = kDirectionIn,
                                  .lun = 5,
                                  .command_length = 6,
                                  .command_block = {0x12, 0, 0, 0, 0x24}},
              kCommand);
}

BOOST_AUTO_TEST_CASE(command_status_wrapper) {
  const auto& wrapper = Read<CommandStatusWrapper>(kStatus);
  BOOST_TEST(wrapper.signature == kStatusSignature);
  BOOST_TEST(wrapper.tag == 0x01020304u);
  BOOST_TEST(wrapper.residue == 0x0a0b0c0du);
  BOOST_TEST((static_cast<Status>(wrapper.status) == Status::kPhaseError));
  CheckLayout(CommandStatusWrapper{.signature = kStatusSignature,
                                   .tag = 0x01020304u,
                                   .residue = 0x0a0b0c0du,
                                   .status = static_cast<uint8_t>(Status::kPhaseError)},
              kStatus);
}

BOOST_AUTO_TEST_SUITE_END()
