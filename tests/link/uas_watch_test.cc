#include "link/uas_watch.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;        // NOLINT
using namespace usbtwin::link;  // NOLINT
using usb::Outcome;

namespace {

constexpr auto kConfiguration =
    "09 02 5500 01 01 00 80 32"   // configuration 1, 85 bytes
    "09 04 00 00 02 08 06 50 00"  // interface 0, setting 0: Bulk-Only
    "07 05 81 02 0002 00"         // bulk in
    "07 05 01 02 0002 00"         // bulk out
    "09 04 00 01 04 08 06 62 00"  // interface 0, setting 1: UAS
    "07 05 01 02 0002 00"         // bulk out ...
    "04 24 04 00"                 // ... for data
    "07 05 02 02 0002 00"         // bulk out ...
    "04 24 01 00"                 // ... for commands
    "07 05 81 02 0002 00"         // bulk in ...
    "04 24 03 00"                 // ... for data
    "07 05 82 02 0002 00"         // bulk in ...
    "04 24 02 00"_hex;            // ... for status
static_assert(kConfiguration.size() == 85);

constexpr auto kRead5 =
    "01 00 0005 00 00 00 00 0001000000000000"      // COMMAND IU, tag 5, LUN 1
    "28 00 00000040 00 0008 00 000000000000"_hex;  // READ(10), 8 blocks at 64
constexpr auto kRead6 =
    "01 00 0006 00 00 00 00 0000000000000000"      // COMMAND IU, tag 6, LUN 0
    "28 00 00000000 00 0001 00 000000000000"_hex;  // READ(10), 1 block at 0
constexpr auto kReady5 = "06 00 0005"_hex;         // READ READY
constexpr auto kReady6 = "06 00 0006"_hex;
constexpr auto kSense5 = "03 00 0005 0000 00 00000000000000 0000"_hex;  // GOOD, no sense data

struct Bench {
  Bench() {
    usb::Transfer transfer;
    std::array<uint8_t, kConfiguration.size()> room = kConfiguration;
    transfer.setup = usb::SetupPacket{0x80, 6, uint16_t{0x0200}, uint16_t{0}, uint16_t{85}};
    transfer.in = room;
    transfer.in_length_max = 85;
    transfer.length_actual = 85;
    transfer.outcome = Outcome::kOk;
    watch.Observe(transfer);
  }
  uint16_t Submit(uint8_t endpoint, Bytes out, uint16_t stream = 0) {
    usb::Transfer transfer;
    transfer.endpoint = usb::EndpointAddress{endpoint};
    transfer.out = out;
    transfer.stream_id = stream;
    return watch.HandleSubmit(transfer);
  }
  UasPipe Pipe(uint8_t endpoint) const { return watch.PipeOf(usb::EndpointAddress{endpoint}); }
  UasWatch watch;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(uas_watch, Bench)

BOOST_AUTO_TEST_CASE(pipes_are_those_of_the_setting_that_was_chosen) {
  for (const auto endpoint : std::to_array<uint8_t>({0x01, 0x02, 0x81, 0x82})) {
    BOOST_CHECK(Pipe(endpoint) == UasPipe::kNone);
  }
  watch.HandleConfigured(1);
  watch.HandleAlternate(0, 1);
  BOOST_CHECK(Pipe(0x02) == UasPipe::kCommand);
  BOOST_CHECK(Pipe(0x82) == UasPipe::kStatus);
  BOOST_CHECK(Pipe(0x81) == UasPipe::kDataIn);
  BOOST_CHECK(Pipe(0x01) == UasPipe::kDataOut);
  BOOST_CHECK(Pipe(0x00) == UasPipe::kNone);
  watch.HandleReset();
  BOOST_CHECK(Pipe(0x82) == UasPipe::kStatus);
  watch.HandleAlternate(0, 0);
  BOOST_CHECK(Pipe(0x82) == UasPipe::kNone);
  watch.HandleAlternate(0, 1);
  watch.HandleConfigured(2);
  BOOST_CHECK(Pipe(0x82) == UasPipe::kNone);
}

BOOST_AUTO_TEST_CASE(a_command_lasts_from_its_iu_to_its_last_word) {
  watch.HandleAlternate(0, 1);
  BOOST_TEST(watch.Find(5) == nullptr);
  BOOST_TEST(Submit(0x02, kRead5) == 5);
  const fault::CommandContext* command = watch.Find(5);
  BOOST_REQUIRE(command != nullptr);
  BOOST_TEST(command->opcode == 0x28);
  BOOST_TEST(command->lun == 1);
  BOOST_TEST(command->lba == 64u);
  BOOST_TEST(command->blocks_count == 8u);
  BOOST_TEST(watch.OtherThan(5) == 0);
  Submit(0x02, kRead6);
  BOOST_TEST(watch.OtherThan(5) == 6);
  watch.HandleIu(kReady5);
  BOOST_TEST(watch.Find(5) != nullptr);
  watch.HandleIu(kSense5);
  BOOST_TEST(watch.Find(5) == nullptr);
  BOOST_TEST(watch.Find(6) != nullptr);
  watch.HandleReset();
  BOOST_TEST(watch.Find(6) == nullptr);
}

BOOST_AUTO_TEST_CASE(data_is_whose_the_stream_or_the_ready_iu_says) {
  watch.HandleAlternate(0, 1);
  BOOST_TEST(Submit(0x81, {}, 9) == 9);
  BOOST_TEST(Submit(0x82, {}, 9) == 9);
  BOOST_TEST(Submit(0x82, {}) == 0);
  BOOST_TEST(Submit(0x81, {}) == 0);
  Submit(0x02, kRead5);
  Submit(0x02, kRead6);
  watch.HandleIu(kReady6);
  watch.HandleIu(kReady5);
  BOOST_TEST(Submit(0x81, {}) == 6);
  BOOST_TEST(Submit(0x81, {}) == 5);
  BOOST_TEST(Submit(0x81, {}) == 5);
}

BOOST_AUTO_TEST_CASE(what_is_too_short_says_nothing) {
  watch.HandleAlternate(0, 1);
  BOOST_TEST(Submit(0x02, Take(Bytes(kRead5), 3)) == 0);
  BOOST_TEST(Submit(0x02, Take(Bytes(kRead5), 31)) == 5);
  BOOST_TEST(watch.Find(5) == nullptr);
  watch.HandleIu(Take(Bytes(kReady5), 3));
  BOOST_TEST(Submit(0x81, {}) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
