#include "wire/uas.h"

#include <boost/test/unit_test.hpp>

#include "layout.h"

using namespace usbtwin;             // NOLINT
using namespace usbtwin::wire;       // NOLINT
using namespace usbtwin::wire::uas;  // NOLINT

namespace {

constexpr uint8_t Id(IuId id) {
  return static_cast<uint8_t>(id);
}

constexpr auto kCommand =
    "01 00 0102 0a 00 08 00 0005000000000000"  // COMMAND IU, tag 258, priority 1, ordered, LUN 5
    "12000000240000000000000000000000"_hex;    // INQUIRY; 8 more bytes of CDB would follow
constexpr auto kSense = "03 00 0102 0304 02 00000000000000 0012"_hex;
constexpr auto kResponse = "04 00 0102 0a0b0c 08"_hex;
constexpr auto kTask = "05 00 0102 01 00 0304 4105000000000000"_hex;
constexpr auto kReady = "06 00 0102"_hex;

}  // namespace

BOOST_AUTO_TEST_SUITE(uas_layouts)

BOOST_AUTO_TEST_CASE(command) {
  const auto& iu = Read<CommandIu>(kCommand);
  BOOST_TEST(iu.header.id == Id(IuId::kCommand));
  BOOST_TEST(iu.header.tag == 0x0102);
  BOOST_TEST(iu.attribute >> kCommandPriorityShift == 1);
  BOOST_TEST(
      (static_cast<TaskAttribute>(iu.attribute & kTaskAttributeMask) == TaskAttribute::kOrdered));
  BOOST_TEST(AdditionalLength(iu.additional_length) == 8u);
  BOOST_TEST(DecodeLun(iu.lun) == 5u);
  BOOST_TEST(Hex(iu.command_block) == "12 00 00 00 24 00 00 00 00 00 00 00 00 00 00 00");
  CheckLayout(CommandIu{.header = {.id = 1, .reserved1 = 0, .tag = uint16_t{0x0102}},
                        .attribute = 0x0a,
                        .reserved5 = 0,
                        .additional_length = 0x08,
                        .reserved7 = 0,
                        .lun = EncodeLun(5),
                        .command_block = {0x12, 0, 0, 0, 0x24}},
              kCommand);
}

BOOST_AUTO_TEST_CASE(sense) {
  const auto& iu = Read<SenseIu>(kSense);
  BOOST_TEST(iu.header.id == Id(IuId::kSense));
  BOOST_TEST(iu.header.tag == 0x0102);
  BOOST_TEST(iu.status_qualifier == 0x0304);
  BOOST_TEST(iu.status == 2);
  BOOST_TEST(iu.sense_length == 18);
  CheckLayout(SenseIu{.header = {.id = 3, .reserved1 = 0, .tag = uint16_t{0x0102}},
                      .status_qualifier = uint16_t{0x0304},
                      .status = 2,
                      .reserved7 = {},
                      .sense_length = uint16_t{18}},
              kSense);
}

BOOST_AUTO_TEST_CASE(response) {
  const auto& iu = Read<ResponseIu>(kResponse);
  BOOST_TEST(iu.header.id == Id(IuId::kResponse));
  BOOST_TEST(Hex(iu.additional) == "0a 0b 0c");
  BOOST_TEST((static_cast<ResponseCode>(iu.code) == ResponseCode::kSucceeded));
  CheckLayout(ResponseIu{.header = {.id = 4, .reserved1 = 0, .tag = uint16_t{0x0102}},
                         .additional = {0x0a, 0x0b, 0x0c},
                         .code = static_cast<uint8_t>(ResponseCode::kSucceeded)},
              kResponse);
}

BOOST_AUTO_TEST_CASE(task_management) {
  const auto& iu = Read<TaskManagementIu>(kTask);
  BOOST_TEST(iu.header.id == Id(IuId::kTaskManagement));
  BOOST_TEST((static_cast<TaskFunction>(iu.function) == TaskFunction::kAbortTask));
  BOOST_TEST(iu.task_tag == 0x0304);
  BOOST_TEST(DecodeLun(iu.lun) == 0x105u);
  CheckLayout(TaskManagementIu{.header = {.id = 5, .reserved1 = 0, .tag = uint16_t{0x0102}},
                               .function = static_cast<uint8_t>(TaskFunction::kAbortTask),
                               .reserved5 = 0,
                               .task_tag = uint16_t{0x0304},
                               .lun = EncodeLun(0x105)},
              kTask);
}

BOOST_AUTO_TEST_CASE(ready) {
  const auto& iu = Read<Header>(kReady);
  BOOST_TEST(iu.id == Id(IuId::kReadReady));
  BOOST_TEST(Id(IuId::kWriteReady) == 7);
  CheckLayout(Header{.id = 6, .reserved1 = 0, .tag = uint16_t{0x0102}}, kReady);
}

BOOST_AUTO_TEST_CASE(tags_that_name_no_stream) {
  BOOST_TEST(!IsTag(0));
  BOOST_TEST(IsTag(1));
  BOOST_TEST(IsTag(0xfffd));
  BOOST_TEST(!IsTag(0xfffe));
  BOOST_TEST(!IsTag(0xffff));
}

BOOST_AUTO_TEST_CASE(a_cdb_grows_by_four_bytes_at_a_time) {
  BOOST_TEST(AdditionalLength(0x00) == 0u);
  BOOST_TEST(AdditionalLength(0x03) == 0u);  // reserved bits
  BOOST_TEST(AdditionalLength(0x04) == 4u);
  BOOST_TEST(AdditionalLength(0xff) == 252u);
}

BOOST_AUTO_TEST_CASE(luns_of_one_level) {
  BOOST_TEST(Hex(EncodeLun(0)) == "00 00 00 00 00 00 00 00");
  BOOST_TEST(Hex(EncodeLun(255)) == "00 ff 00 00 00 00 00 00");
  BOOST_TEST(Hex(EncodeLun(256)) == "41 00 00 00 00 00 00 00");
  BOOST_TEST(Hex(EncodeLun(kLunMax)) == "7f ff 00 00 00 00 00 00");
  for (const uint64_t lun : {uint64_t{0}, uint64_t{255}, uint64_t{256}, kLunMax}) {
    BOOST_TEST(DecodeLun(EncodeLun(lun)) == lun);
  }
  BOOST_TEST(DecodeLun("4005000000000000"_hex) == 5u);        // flat space
  BOOST_TEST(DecodeLun("0105000000000000"_hex) == kLunNone);  // behind bus 1
  BOOST_TEST(DecodeLun("8005000000000000"_hex) == kLunNone);  // logical unit addressing
  BOOST_TEST(DecodeLun("c101000000000000"_hex) == kLunNone);  // well known: REPORT LUNS
  BOOST_TEST(DecodeLun("0005000000000001"_hex) == kLunNone);  // more levels
}

BOOST_AUTO_TEST_SUITE_END()
