#include "sim/model_disk.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;  // NOLINT
using sim::ModelDisk;

namespace {

constexpr uint32_t kBlock = 512;

struct Fixture {
  // Blocks as a write of a new version would send them.
  std::vector<uint8_t> New(uint64_t lba, uint64_t count = 1) {
    std::vector<uint8_t> bytes(count * kBlock);
    version = model.FillNew(lba, bytes);
    return bytes;
  }
  bool Allows(uint64_t lba, Bytes bytes) { return !model.Check(lba, bytes).has_value(); }
  ModelDisk model{3, 16, kBlock, true};
  ModelDisk::Version version = 0;
  const std::vector<uint8_t> zeros = std::vector<uint8_t>(kBlock);
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(model_disk, Fixture)

BOOST_AUTO_TEST_CASE(an_unwritten_block_is_zeros_to_the_last_byte) {
  BOOST_TEST(Allows(0, zeros));
  std::vector<uint8_t> spoilt = zeros;
  spoilt[511] = 1;
  BOOST_TEST(!Allows(0, spoilt));
}

BOOST_AUTO_TEST_CASE(a_written_block_is_what_was_written_and_nothing_else) {
  const auto first = New(4, 2);
  model.HandleWritten(4, 2, version, false);
  BOOST_TEST(Allows(4, first));
  BOOST_TEST(!Allows(4, zeros));
  for (const size_t index : {0u, 15u, 16u, 700u, 1023u}) {
    auto spoilt = first;
    spoilt[index] ^= 0x10;
    BOOST_TEST(!Allows(4, spoilt));
  }
  // The right bytes in the wrong place.
  BOOST_TEST(!Allows(5, Bytes(first).first(kBlock)));
}

BOOST_AUTO_TEST_CASE(the_first_bytes_of_a_block_are_those_of_a_version_that_is_allowed) {
  const auto old = New(1);
  model.HandleWritten(1, 1, version, false);
  const auto allows = [this](Bytes bytes, size_t length) {
    return !model.CheckBegun(1, bytes.first(length)).has_value();
  };
  BOOST_TEST(allows(old, 1));
  BOOST_TEST(allows(old, 511));
  BOOST_TEST(!allows(zeros, 1));
  auto spoilt = old;
  spoilt[17] ^= 1;
  BOOST_TEST(allows(spoilt, 17));
  BOOST_TEST(!allows(spoilt, 18));
  const auto doubtful = New(1);
  model.HandleMaybeWritten(1, 1, version);
  BOOST_TEST(allows(doubtful, 100));
  BOOST_TEST(allows(old, 100));
  BOOST_TEST(!allows(zeros, 100));
  model.HandleSpoilt(1, 1);
  BOOST_TEST(allows(zeros, 100));
}

BOOST_AUTO_TEST_CASE(a_doubtful_write_is_old_or_new_until_it_was_seen) {
  const auto old = New(1);
  model.HandleWritten(1, 1, version, false);
  const auto doubtful = New(1);
  model.HandleMaybeWritten(1, 1, version);
  BOOST_TEST(!Allows(1, zeros));
  BOOST_TEST(Allows(1, old));
  BOOST_TEST(!Allows(1, doubtful));  // it cannot come later
}

BOOST_AUTO_TEST_CASE(power_loss_brings_back_what_was_not_synchronised_block_by_block) {
  const auto a = New(0, 2);
  model.HandleWritten(0, 2, version, false);
  model.HandleSynchronised();
  const auto b = New(0, 2);
  model.HandleWritten(0, 2, version, false);
  const auto c = New(0, 2);
  model.HandleWritten(0, 2, version, false);
  BOOST_TEST(!Allows(0, b));
  model.HandlePowerLoss();
  BOOST_TEST(Allows(0, Bytes(a).first(kBlock)));
  BOOST_TEST(Allows(1, Bytes(b).last(kBlock)));
  BOOST_TEST(!Allows(1, Bytes(c).last(kBlock)));  // seen: it stays
  BOOST_TEST(!Allows(0, zeros));                  // what was synchronised cannot be lost
}

BOOST_AUTO_TEST_CASE(what_a_power_loss_took_back_is_counted_when_it_is_seen) {
  const auto old = New(4);
  model.HandleWritten(4, 1, version, true);
  const auto kept = New(4);
  model.HandleWritten(4, 1, version, false);
  model.HandlePowerLoss();
  BOOST_TEST(Allows(4, kept));
  BOOST_TEST(model.rolled_back() == 0u);
  New(4);
  model.HandleWritten(4, 1, version, false);
  model.HandlePowerLoss();
  BOOST_TEST(Allows(4, kept));
  BOOST_TEST(model.rolled_back() == 1u);
  BOOST_TEST(!Allows(4, old));
}

BOOST_AUTO_TEST_CASE(a_range_that_was_synchronised_survives_and_what_lies_beside_it_may_not) {
  const auto a = New(10, 3);
  model.HandleWritten(10, 3, version, false);
  model.HandleSynchronised(11, 1);
  model.HandlePowerLoss();
  BOOST_TEST(Allows(10, zeros));
  BOOST_TEST(!Allows(11, zeros));
  BOOST_TEST(Allows(12, Bytes(a).last(kBlock)));
}

BOOST_AUTO_TEST_CASE(what_was_forced_to_the_medium_survives) {
  const auto a = New(7);
  model.HandleWritten(7, 1, version, true);
  model.HandlePowerLoss();
  BOOST_TEST(!Allows(7, zeros));
  BOOST_TEST(Allows(7, a));
}

BOOST_AUTO_TEST_CASE(a_spoilt_write_may_be_anything_until_the_next_one) {
  model.HandleSpoilt(2, 1);
  BOOST_TEST(Allows(2, std::vector<uint8_t>(kBlock, 0x77)));
  const auto a = New(2);
  model.HandleWritten(2, 1, version, false);
  BOOST_TEST(!Allows(2, std::vector<uint8_t>(kBlock, 0x77)));
}

BOOST_AUTO_TEST_CASE(a_finding_names_the_block_what_is_there_and_what_may_be) {
  const auto old = New(9);
  model.HandleWritten(9, 1, version, false);
  New(9);
  model.HandleWritten(9, 1, version, false);
  BOOST_TEST(*model.Check(9, old) ==
             "LUN 3 block 9 holds version 1 of block 9 of LUN 3; allowed: version 2");
  auto torn = old;
  torn[300] ^= 1;
  BOOST_TEST(*model.Check(9, torn) ==
             "LUN 3 block 9 holds version 1 of block 9 of LUN 3, torn or "
             "spoilt; allowed: version 2");
}

BOOST_AUTO_TEST_SUITE_END()
