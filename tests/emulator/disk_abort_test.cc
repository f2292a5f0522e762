#include <boost/test/unit_test.hpp>

#include "tests/dies.h"
#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using emulator::BlockStore;
using emulator::DiskOptions;
using scsi::Status;

BOOST_AUTO_TEST_SUITE(disk_abort)

BOOST_AUTO_TEST_CASE(a_decided_command_ends_as_decided) {
  DiskRig rig;
  rig.host.Start(scsi::TestUnitReady().view());
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST((rig.host.command.status == Status::kGood));

  rig.host.Start(scsi::Read10(0, 1).view());
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST(rig.host.in.size() == 512u);
}

BOOST_AUTO_TEST_CASE(an_ended_command_stays_ended) {
  DiskRig rig;
  rig.host.Do(scsi::Read10(0, 1));
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
}

BOOST_AUTO_TEST_CASE(a_read_at_the_store_ends_when_the_store_lets_go) {
  for (const bool flushes_first : {false, true}) {
    DiskRig rig;
    rig.store.later = true;
    rig.host.Start(scsi::Read10(0, 1, {.force_unit_access = flushes_first}).view());
    rig.disk.Abort(rig.host.command);
    rig.clock.RunPosted();
    BOOST_TEST(rig.host.calls == "");
    rig.store.Release();
    rig.clock.RunPosted();
    BOOST_TEST(rig.host.calls == "E");
    BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
    BOOST_TEST(rig.host.command.length_in == 0u);
    BOOST_TEST(rig.host.command.data.empty());
    BOOST_TEST(rig.store.held.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_command_that_waits_for_data_ends_at_once) {
  DiskRig rig;
  rig.host.feed_data = false;
  rig.host.Do(scsi::Write10(0, 1));
  BOOST_TEST(rig.host.calls == "D");
  rig.disk.Abort(rig.host.command);
  BOOST_TEST(rig.host.calls == "D");
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "DE");
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.store.log == "");
}

BOOST_AUTO_TEST_CASE(a_command_about_to_ask_for_data_asks_no_more) {
  DiskRig rig;
  rig.host.Start(scsi::Write10(0, 1).view());
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
}

BOOST_AUTO_TEST_CASE(a_write_at_the_store_gives_the_bytes_back_first) {
  DiskRig rig;
  const std::vector<uint8_t> data(1024);
  rig.host.piece_max = 512;
  rig.store.later = true;
  rig.host.Do(scsi::Write10(0, 2), data);
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "D");
  rig.store.Release();
  rig.host.feed_data = false;
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
}

BOOST_AUTO_TEST_CASE(a_piece_about_to_be_given_back_is_and_then_the_command_ends) {
  DiskRig rig;
  const std::vector<uint8_t> data(1024);
  rig.host.piece_max = 512;
  rig.host.feed_data = false;
  rig.host.Do(scsi::Write10(0, 2), data);
  rig.host.Feed();
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
}

BOOST_AUTO_TEST_CASE(the_last_piece_decides_the_command) {
  DiskRig rig;
  const std::vector<uint8_t> data(512);
  rig.host.feed_data = false;
  rig.host.Do(scsi::Write10(0, 1), data);
  rig.host.Feed();
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST((rig.host.command.status == Status::kGood));
}

BOOST_AUTO_TEST_CASE(compare_and_flushes_at_the_store_end_too) {
  DiskRig rig;
  const std::vector<uint8_t> data(512);
  for (const scsi::Cdb& cdb :
       {scsi::Verify10(0, 1, true), scsi::Verify10(0, 1, false), scsi::SynchronizeCache10(0, 0)}) {
    rig.store.later = true;
    rig.host.Do(cdb, data);
    rig.disk.Abort(rig.host.command);
    rig.store.Release();
    rig.clock.RunPosted();
    BOOST_TEST(rig.host.executed == 1);
    BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  }
}

BOOST_AUTO_TEST_CASE(an_aborted_stop_does_not_stop) {
  DiskRig rig;
  rig.store.later = true;
  rig.host.Do("1b 00 00 00 00 00");
  rig.disk.Abort(rig.host.command);
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.disk.ready());
}

BOOST_AUTO_TEST_CASE(a_long_verify_ends_between_two_windows) {
  DiskRig rig({}, 64 << 20);
  rig.host.Start(scsi::Verify10(0, 0xffff, false).view());
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.store.log == "r");
}

// ---- Between windows: one last call always comes

BOOST_AUTO_TEST_CASE(the_first_of_several_windows_is_not_yet_decided) {
  DiskRig rig({}, 4 << 20);
  rig.host.Start(scsi::Read10(0, 0x1000).view());
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "E");
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.host.command.length_in == 0u);
}

BOOST_AUTO_TEST_CASE(a_command_that_waits_for_the_next_window_is_told_once_more) {
  DiskRig rig({}, 4 << 20);
  rig.host.fetch_windows = false;
  rig.host.Do(scsi::Read10(0, 0x1000));
  BOOST_TEST(rig.host.calls == "E");
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "EE");
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST(rig.host.command.length_in == 0u);
  BOOST_TEST(rig.host.command.data.empty());
}

BOOST_AUTO_TEST_CASE(a_window_on_its_way_comes_no_more) {
  for (const bool later : {false, true}) {
    DiskRig rig({}, 4 << 20);
    rig.host.fetch_windows = false;
    rig.host.Do(scsi::Read10(0, 0x1800));
    rig.store.later = later;
    rig.disk.NextWindow(rig.host.command);
    rig.disk.Abort(rig.host.command);
    rig.disk.Abort(rig.host.command);  // asking twice changes nothing
    if (later) rig.store.Release();
    rig.clock.RunPosted();
    BOOST_TEST(rig.host.calls == "EE");
    BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
    BOOST_TEST(rig.host.command.length_in == 0u);
    BOOST_TEST(rig.host.command.data.empty());
  }
}

BOOST_AUTO_TEST_CASE(the_last_window_on_its_way_still_comes) {
  DiskRig rig({}, 4 << 20);
  rig.host.fetch_windows = false;
  rig.host.Do(scsi::Read10(0, 0xfff));
  rig.disk.NextWindow(rig.host.command);
  rig.disk.Abort(rig.host.command);
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "EW");
  BOOST_TEST((rig.host.command.status == Status::kGood));
  BOOST_TEST(rig.host.in.size() == 0xfffu * 512);
}

// ---- Several at once, and media that go while somebody writes

BOOST_AUTO_TEST_CASE(commands_of_several_initiators_run_side_by_side) {
  DiskRig rig;
  Initiator other(rig.clock, rig.disk, 1);
  other.ForgetAttentions();
  const std::vector<uint8_t> data = Pattern(512, 3);
  rig.store.later = true;
  rig.host.Do(scsi::Write10(5, 1), data);
  other.Do(scsi::Read10(9, 1));
  BOOST_TEST(rig.store.held.size() == 2u);
  std::swap(rig.store.held[0], rig.store.held[1]);
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST(other.executed == 1);
  BOOST_TEST(rig.host.executed == 0);
  rig.store.Release();
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "DTE");
  BOOST_TEST(other.in == std::vector<uint8_t>(512));
}

BOOST_AUTO_TEST_CASE(a_medium_that_goes_during_a_write_is_missed) {
  DiskRig rig(DiskOptions{.removable = true});
  const std::vector<uint8_t> data(1024);
  rig.host.piece_max = 512;
  rig.host.feed_data = false;
  rig.host.Do(scsi::Write10(0, 2), data);
  rig.host.Feed();
  rig.clock.RunPosted();
  BOOST_TEST(rig.disk.RemoveMedium());
  rig.host.Feed();
  rig.clock.RunPosted();
  BOOST_TEST(rig.host.calls == "DTTE");
  BOOST_TEST(rig.host.codes() == "02/3a/00");
  BOOST_TEST(rig.host.command.length_out == 512u);
  BOOST_TEST(rig.store.log == "w");
}

BOOST_AUTO_TEST_CASE(data_out_of_turn_is_our_bug) {
  BOOST_TEST(Dies([] {
    DiskRig rig;
    rig.host.feed_data = false;
    rig.host.Do(scsi::Write10(0, 1));
    rig.disk.HandleData(rig.host.command, 1, {});
  }));
  BOOST_TEST(Dies([] {
    DiskRig rig;
    rig.host.feed_data = false;
    rig.host.Do(scsi::Write10(0, 1));
    rig.disk.HandleData(rig.host.command, 0, std::vector<uint8_t>(513));
  }));
  BOOST_TEST(Dies([] {
    DiskRig rig;
    rig.host.Do(scsi::Read10(0, 1));
    rig.disk.NextWindow(rig.host.command);
  }));
}

BOOST_AUTO_TEST_SUITE_END()
