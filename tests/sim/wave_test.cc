#include "sim/wave.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin::sim;  // NOLINT

namespace {

using Fate = Wave::Fate;
using Version = Wave::Version;

// One unit of eight blocks, and the commands of one wave to its block 3.
struct Rig {
  std::vector<ModelDisk> models{ModelDisk(0, 8, 512, true)};
  Wave wave;
  std::vector<uint8_t> room = std::vector<uint8_t>(512);

  Version NewVersion() { return models[0].FillNew(3, room); }
  size_t Write(Version version, bool ordered = false) {
    return wave.Begin(
        {.lba = 3, .blocks = 1, .writes = true, .ordered = ordered, .version = version});
  }
  size_t Read(bool ordered = false) {
    return wave.Begin({.lba = 3, .blocks = 1, .ordered = ordered});
  }
  std::string Judge(const Wave::Trouble& trouble = {}) {
    return wave.Judge(models, trouble).value_or("");
  }
  // What the wave left.
  std::string Holds(Version version) {
    wave.End(Read(), Fate::kDone, {version});
    return Judge();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(wave)

BOOST_AUTO_TEST_CASE(a_read_beside_a_write_returns_old_or_new) {
  for (const Version seen : {0u, 1u}) {
    Rig rig;
    const size_t write = rig.Write(rig.NewVersion());
    const size_t read = rig.Read();
    rig.wave.End(write, Fate::kDone);
    rig.wave.End(read, Fate::kDone, {seen});
    BOOST_TEST(rig.Judge() == "");
    BOOST_TEST(rig.Holds(0) == "READ: LUN 0 block 3 holds version 0; allowed: version 1");
  }
}

BOOST_AUTO_TEST_CASE(a_read_after_a_write_returns_new) {
  Rig rig;
  rig.wave.End(rig.Write(rig.NewVersion()), Fate::kDone);
  rig.wave.End(rig.Read(), Fate::kDone, {0});
  BOOST_TEST(rig.Judge() == "READ: LUN 0 block 3 holds version 0; allowed: version 1");
}

BOOST_AUTO_TEST_CASE(a_read_returns_nothing_that_was_written_later) {
  Rig rig;
  rig.wave.End(rig.Read(), Fate::kDone, {1});
  rig.wave.End(rig.Write(rig.NewVersion()), Fate::kDone);
  BOOST_TEST(rig.Judge() == "READ: LUN 0 block 3 holds version 1; allowed: version 0");
}

// Whatever the host hears of first.
BOOST_AUTO_TEST_CASE(an_ordered_command_is_before_or_after_every_other) {
  for (const bool reads_in_order : {false, true}) {
    Rig rig;
    const size_t write = rig.Write(rig.NewVersion(), !reads_in_order);
    const size_t read = rig.Read(reads_in_order);
    rig.wave.End(read, Fate::kDone, {0});
    rig.wave.End(write, Fate::kDone);
    BOOST_TEST(rig.Judge() == "READ: LUN 0 block 3 holds version 0; allowed: version 1");
  }
}

BOOST_AUTO_TEST_CASE(of_two_writes_at_once_either_is_the_last) {
  for (const Version left : {0u, 1u, 2u}) {
    Rig rig;
    const size_t first = rig.Write(rig.NewVersion());
    const size_t second = rig.Write(rig.NewVersion());
    rig.wave.End(second, Fate::kDone);
    rig.wave.End(first, Fate::kDone);
    BOOST_TEST(rig.Judge() == "");
    BOOST_TEST((rig.Holds(left) == "") == (left != 0));
  }
}

BOOST_AUTO_TEST_CASE(of_two_writes_in_order_the_second_is_the_last) {
  for (const Version left : {1u, 2u}) {
    Rig rig;
    const size_t first = rig.Write(rig.NewVersion());
    const size_t second = rig.Write(rig.NewVersion(), true);
    rig.wave.End(second, Fate::kDone);
    rig.wave.End(first, Fate::kDone);
    BOOST_TEST(rig.Judge() == "");
    BOOST_TEST((rig.Holds(left) == "") == (left == 2));
  }
}

BOOST_AUTO_TEST_CASE(a_write_that_failed_may_have_been_carried_out_and_a_refused_one_was_not) {
  for (const Version left : {0u, 1u, 2u}) {
    Rig rig;
    const size_t failed = rig.Write(rig.NewVersion());
    const size_t refused = rig.Write(rig.NewVersion());
    rig.wave.End(refused, Fate::kNothing);
    rig.wave.End(failed, Fate::kMaybe);
    BOOST_TEST(rig.Judge() == "");
    BOOST_TEST((rig.Holds(left) == "") == (left != 2));
  }
}

BOOST_AUTO_TEST_CASE(a_power_loss_takes_back_what_was_not_synchronised) {
  for (const Version left : {0u, 1u}) {
    Rig rig;
    rig.wave.End(rig.Write(rig.NewVersion()), Fate::kDone);
    BOOST_TEST(rig.Judge({.power_lost = true}) == "");
    BOOST_TEST(rig.Holds(left) == "");
  }
}

BOOST_AUTO_TEST_CASE(bytes_of_no_version_need_a_cause) {
  Rig rig;
  rig.wave.End(rig.Read(), Fate::kDone, {ModelDisk::kAnything});
  BOOST_TEST(rig.Judge() == "READ: LUN 0 block 3 holds what was never written; allowed: version 0");
  rig.wave.End(rig.Read(), Fate::kDone, {ModelDisk::kAnything});
  BOOST_TEST(rig.Judge({.spoilt_in = true}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
