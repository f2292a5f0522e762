#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/emulator/disk_rig.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using scsi::Status;
using wire::scsi::ReserveIn;
using wire::scsi::ReserveOut;
using wire::scsi::ReserveType;

namespace {

constexpr uint8_t kTypes[] = {1, 3, 5, 6, 7, 8};

struct ReserveRig : DiskRig {
  ReserveRig() {
    for (Initiator* one : {&other, &third}) one->ForgetAttentions();
  }
  Status Out(Initiator& who, ReserveOut action, uint64_t key, uint64_t action_key, uint8_t type = 0,
             uint8_t flags = 0) {
    wire::scsi::ReserveOutList list{};
    list.key = key;
    list.action_key = action_key;
    list.flags = flags;
    return who.Do(scsi::PersistentReserveOut(
                      {.action = action, .type = type, .parameter_list_length = sizeof(list)}),
                  wire::AsBytes(list));
  }
  void Register(Initiator& who, uint64_t key) { Out(who, ReserveOut::kRegister, 0, key); }
  std::string In(ReserveIn action) {
    third.Do(scsi::PersistentReserveIn({.action = action, .allocation_length = 0xffff}));
    return third.in_hex();
  }
  Initiator other{clock, disk, 1};
  Initiator third{clock, disk, 2};
};

constexpr auto kReady = "00 00000000 00";
constexpr auto kRead = "28 00 00000000 00 0001 00";
constexpr auto kWrite = "2a 00 00000000 00 0001 00";

struct ConflictCase {
  const char* cdb;
  bool write_exclusive;   // conflicts with a write exclusive reservation of somebody else
  bool exclusive_access;  // and with an exclusive access one
  bool reserve;           // and with RESERVE
};
std::ostream& operator<<(std::ostream& out, const ConflictCase& sample) {
  return out << sample.cdb;
}

// SPC-4, 5.13.1; SBC-3, 4.17; SPC-2, 5.5.1.
const ConflictCase kConflicts[] = {
    {"00 00000000 00", false, false, true},                          // TEST UNIT READY
    {"03 00 0000 12 00", false, false, false},                       // REQUEST SENSE
    {"12 00 00 0024 00", false, false, false},                       // INQUIRY
    {"a0 00 00 000000 00000010 00 00", false, false, false},         // REPORT LUNS
    {"25 00 00000000 0000 00 00", false, false, false},              // READ CAPACITY(10)
    {"9e 10 0000000000000000 00000020 00 00", false, false, false},  // READ CAPACITY(16)
    {"4d 00 40 00 00 0000 00ff 00", false, false, true},             // LOG SENSE
    {"1b 00 00 00 01 00", false, false, true},                       // START
    {"1b 00 00 00 00 00", true, true, true},                         // STOP
    {"1e 000000 00 00", false, false, false},                        // allow removal
    {"1e 000000 01 00", true, true, true},                           // prevent removal
    {"28 00 00000000 00 0001 00", false, true, true},                // READ(10)
    {"2f 00 00000000 00 0001 00", false, true, true},                // VERIFY(10)
    {"34 00 00000000 00 0001 00", false, true, true},                // PRE-FETCH(10)
    {"37 00 18 00000000 00ff 00", false, true, true},                // READ DEFECT DATA
    {"9e 12 0000000000000000 00000020 00 00", false, true, true},    // GET LBA STATUS
    {"1a 08 3f 00 ff 00", false, true, true},                        // MODE SENSE(6)
    {"3c 0b 00 000000 000004 00", false, true, true},                // READ BUFFER
    {"a3 0c 00 00 0000 00000010 00 00", false, true, true},          // supported codes
    {"2a 00 00000000 00 0001 00", true, true, true},                 // WRITE(10)
    {"2e 00 00000000 00 0001 00", true, true, true},                 // WRITE AND VERIFY
    {"41 00 00000000 00 0001 00", true, true, true},                 // WRITE SAME(10)
    {"42 00 00000000 00 0000 00", true, true, true},                 // UNMAP
    {"89 00 0000000000000000 000000 00 00 00", true, true, true},    // COMPARE AND WRITE
    {"8b 00 0000000000000000 00000000 00 00", true, true, true},     // ORWRITE(16)
    {"35 00 00000000 00 0000 00", true, true, true},                 // SYNCHRONIZE CACHE
    {"15 10 0000 00 00", true, true, true},                          // MODE SELECT(6)
    {"3b 0a 00 000000 000000 00", true, true, true},                 // WRITE BUFFER
};

bool Conflicts(Initiator& who, const char* cdb) {
  const std::vector<uint8_t> data(4096);
  return who.Do(*ParseHex(cdb), data) == Status::kReservationConflict;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_reserve)

// ---- RESERVE(6), RELEASE(6)

BOOST_AUTO_TEST_CASE(a_reserved_unit_is_its_holders) {
  ReserveRig rig;
  BOOST_TEST((rig.host.Do(scsi::Reserve6()) == Status::kGood));
  BOOST_TEST((rig.host.Do(scsi::Reserve6()) == Status::kGood));
  BOOST_TEST(Conflicts(rig.other, "16 00 000000 00"));
  BOOST_TEST(Conflicts(rig.other, kRead));
  BOOST_TEST(rig.other.command.data.empty());
  BOOST_TEST(!Conflicts(rig.host, kWrite));
  BOOST_TEST((rig.other.Do(scsi::Release6()) == Status::kGood));  // but it does nothing
  BOOST_TEST(Conflicts(rig.other, kRead));
  BOOST_TEST((rig.host.Do(scsi::Release6()) == Status::kGood));
  BOOST_TEST(!Conflicts(rig.other, kRead));
}

BOOST_AUTO_TEST_CASE(a_reset_releases_it) {
  ReserveRig rig;
  rig.host.Do(scsi::Reserve6());
  rig.disk.Reset();
  rig.other.ForgetAttentions();
  BOOST_TEST((rig.other.Do(kRead) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(the_old_and_the_new_way_exclude_each_other) {
  ReserveRig rig;
  rig.host.Do(scsi::Reserve6());
  BOOST_TEST(Conflicts(rig.host, "5e 00 0000000000 00ff 00"));
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kRegister, 0, 1) == Status::kReservationConflict));
  rig.host.Do(scsi::Release6());
  rig.Register(rig.other, 7);
  BOOST_TEST(Conflicts(rig.host, "16 00 000000 00"));
  BOOST_TEST(Conflicts(rig.host, "17 00 000000 00"));
}

// ---- What conflicts with what

BOOST_DATA_TEST_CASE(others_may_do_what_the_table_says, boost::unit_test::data::make(kConflicts)) {
  for (const uint8_t type : kTypes) {
    ReserveRig rig;
    const bool write_exclusive = type == 1 || type == 5 || type == 7;
    const bool for_registrants = type >= 5;
    rig.Register(rig.host, 1);
    rig.Register(rig.other, 2);
    BOOST_TEST((rig.Out(rig.host, ReserveOut::kReserve, 1, 0, type) == Status::kGood));
    const bool conflicts = write_exclusive ? sample.write_exclusive : sample.exclusive_access;
    BOOST_TEST(Conflicts(rig.third, sample.cdb) == conflicts);
    BOOST_TEST(Conflicts(rig.other, sample.cdb) == (conflicts && !for_registrants));
    BOOST_TEST(!Conflicts(rig.host, sample.cdb));
  }
  ReserveRig rig;
  rig.host.Do(scsi::Reserve6());
  BOOST_TEST(Conflicts(rig.other, sample.cdb) == sample.reserve);
  BOOST_TEST(!Conflicts(rig.host, sample.cdb));
}

BOOST_AUTO_TEST_CASE(a_conflict_comes_before_a_unit_attention) {
  ReserveRig rig;
  rig.Register(rig.host, 1);
  rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 3);
  Initiator fourth(rig.clock, rig.disk, 3);
  BOOST_TEST(Conflicts(fourth, kRead));
  fourth.Do(kReady);
  BOOST_TEST(fourth.codes() == "06/29/00");
}

// ---- PERSISTENT RESERVE OUT

BOOST_AUTO_TEST_CASE(registering_needs_the_key_and_counts_generations) {
  ReserveRig rig;
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kRegister, 5, 1) == Status::kReservationConflict));
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kRegister, 0, 0) == Status::kGood));  // nothing
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kRegister, 0, 0x0102030405060708) == Status::kGood));
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kRegister, 0, 9) == Status::kReservationConflict));
  BOOST_TEST((rig.Out(rig.other, ReserveOut::kRegisterAndIgnore, 77, 2) == Status::kGood));
  BOOST_TEST((rig.Out(rig.other, ReserveOut::kRegisterAndIgnore, 77, 3) == Status::kGood));
  BOOST_TEST(rig.In(ReserveIn::kReadKeys) ==
             Hex(*ParseHex("00000003 00000010 0102030405060708 0000000000000003")));
  BOOST_TEST((rig.Out(rig.other, ReserveOut::kRegister, 3, 0) == Status::kGood));
  BOOST_TEST(rig.In(ReserveIn::kReadKeys) == Hex(*ParseHex("00000004 00000008 0102030405060708")));
}

BOOST_AUTO_TEST_CASE(reservations_are_described) {
  ReserveRig rig;
  BOOST_TEST(rig.In(ReserveIn::kReadReservation) == Hex(*ParseHex("00000000 00000000")));
  rig.Register(rig.host, 1);
  rig.Register(rig.other, 2);
  rig.Out(rig.other, ReserveOut::kReserve, 2, 0, 6);
  BOOST_TEST(rig.In(ReserveIn::kReadReservation) ==
             Hex(*ParseHex("00000002 00000010 0000000000000002 00000000 00 06 0000")));
  BOOST_TEST(rig.In(ReserveIn::kReadFullStatus) ==
             Hex(*ParseHex("00000002 00000060"
                           "0000000000000001 00000000 00 00 00000000 0001 00000018"
                           "0f 0000000000000000000000000000000000000000000000"
                           "0000000000000002 00000000 01 06 00000000 0001 00000018"
                           "0f 0000000000000000000000000000000000000000000001")));
  rig.Out(rig.other, ReserveOut::kRelease, 2, 0, 6);
  rig.host.ForgetAttentions();                       // of the release
  rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 7);  // all registrants: nobody's key
  BOOST_TEST(rig.In(ReserveIn::kReadReservation) ==
             Hex(*ParseHex("00000002 00000010 0000000000000000 00000000 00 07 0000")));
  BOOST_TEST(rig.In(ReserveIn::kReportCapabilities) == Hex(*ParseHex("0008 00 80 ea01 0000")));
}

BOOST_AUTO_TEST_CASE(what_is_not_offered_is_refused) {
  ReserveRig rig;
  struct Row {
    uint8_t flags;
    const char* sense;
  };
  for (const Row& row : {Row{0x01, "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 88 00 14"},
                         Row{0x04, "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8a 00 14"},
                         Row{0x08, "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8b 00 14"}}) {
    for (const ReserveOut action : {ReserveOut::kRegister, ReserveOut::kRegisterAndIgnore}) {
      rig.Out(rig.host, action, 0, 1, 0, row.flags);
      BOOST_TEST(rig.host.sense() == row.sense);
    }
  }
  rig.Register(rig.host, 1);
  rig.host.Do("5f 01 11 0000 00000018 00");
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 02");
  for (const char* cdb : {"5f 01 00 0000 00000018 00", "5f 02 02 0000 00000018 00",
                          "5f 04 04 0000 00000018 00", "5f 05 09 0000 00000018 00"}) {
    rig.host.Do(cdb);
    BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cb 00 02");
  }
  for (const char* cdb : {"5f 00 00 0000 00000017 00", "5f 03 00 0000 00000019 00",
                          "5f 06 00 0000 00000000 00", "5f 00 00 0000 ffffffff 00"}) {
    rig.host.Do(cdb);
    BOOST_TEST(rig.host.codes() == "05/1a/00");
    BOOST_TEST(rig.host.calls == "E");
  }
}

BOOST_AUTO_TEST_CASE(only_registered_initiators_with_their_key_may_reserve) {
  ReserveRig rig;
  for (const ReserveOut action :
       {ReserveOut::kReserve, ReserveOut::kRelease, ReserveOut::kClear, ReserveOut::kPreempt}) {
    BOOST_TEST((rig.Out(rig.host, action, 0, 1, 1) == Status::kReservationConflict));
  }
  rig.Register(rig.host, 1);
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kReserve, 2, 0, 1) == Status::kReservationConflict));
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 1) == Status::kGood));
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 1) == Status::kGood));
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 3) == Status::kReservationConflict));
  rig.Register(rig.other, 2);
  BOOST_TEST((rig.Out(rig.other, ReserveOut::kReserve, 2, 0, 1) == Status::kReservationConflict));
}

BOOST_AUTO_TEST_CASE(releasing_tells_the_registrants_it_concerned) {
  for (const uint8_t type : kTypes) {
    ReserveRig rig;
    rig.Register(rig.host, 1);
    rig.Register(rig.other, 2);
    rig.Out(rig.host, ReserveOut::kReserve, 1, 0, type);
    rig.Out(rig.host, ReserveOut::kRelease, 1, 0, type == 1 ? 3 : 1);
    BOOST_TEST(rig.host.codes() == "05/26/04");
    if (type < 7) {  // somebody else's is left alone
      BOOST_TEST((rig.Out(rig.other, ReserveOut::kRelease, 2, 0, type) == Status::kGood));
      BOOST_TEST(Conflicts(rig.third, kWrite));
    }
    BOOST_TEST((rig.Out(rig.host, ReserveOut::kRelease, 1, 0, type) == Status::kGood));
    BOOST_TEST(!Conflicts(rig.third, kWrite));
    rig.other.Do(kReady);
    BOOST_TEST(rig.other.codes() == (type >= 5 ? "06/2a/04" : "good"));
    BOOST_TEST((rig.third.Do(kReady) == Status::kGood));
  }
}

BOOST_AUTO_TEST_CASE(a_holder_that_unregisters_releases) {
  ReserveRig rig;
  rig.Register(rig.host, 1);
  rig.Register(rig.other, 2);
  rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 5);
  rig.Out(rig.host, ReserveOut::kRegister, 1, 0);
  BOOST_TEST(!Conflicts(rig.third, kWrite));
  rig.other.Do(kReady);
  BOOST_TEST(rig.other.codes() == "06/2a/04");

  ReserveRig all;  // held by all: the last one to go releases
  all.Register(all.host, 1);
  all.Register(all.other, 2);
  all.Out(all.host, ReserveOut::kReserve, 1, 0, 8);
  all.Out(all.host, ReserveOut::kRegister, 1, 0);
  BOOST_TEST(Conflicts(all.third, kRead));
  all.Out(all.other, ReserveOut::kRegister, 2, 0);
  BOOST_TEST(!Conflicts(all.third, kRead));
}

BOOST_AUTO_TEST_CASE(clearing_removes_everything_and_tells_the_others) {
  ReserveRig rig;
  rig.Register(rig.host, 1);
  rig.Register(rig.other, 2);
  rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 3);
  BOOST_TEST((rig.Out(rig.other, ReserveOut::kClear, 2, 0) == Status::kGood));
  BOOST_TEST(rig.In(ReserveIn::kReadKeys) == Hex(*ParseHex("00000003 00000000")));
  rig.host.Do(kReady);
  BOOST_TEST(rig.host.codes() == "06/2a/03");
  BOOST_TEST((rig.other.Do(kReady) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(preempting_takes_the_reservation_and_the_registration) {
  ReserveRig rig;
  rig.Register(rig.host, 1);
  rig.Register(rig.other, 2);
  rig.Register(rig.third, 3);
  rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 5);
  BOOST_TEST((rig.Out(rig.other, ReserveOut::kPreempt, 2, 1, 6) == Status::kGood));
  rig.third.Do(kReady);
  BOOST_TEST(rig.third.codes() == "06/2a/04");  // its rights are others now
  BOOST_TEST(rig.In(ReserveIn::kReadReservation) ==
             Hex(*ParseHex("00000004 00000010 0000000000000002 00000000 00 06 0000")));
  BOOST_TEST(rig.In(ReserveIn::kReadKeys) ==
             Hex(*ParseHex("00000004 00000010 0000000000000002 0000000000000003")));
  rig.host.Do(kReady);
  BOOST_TEST(rig.host.codes() == "06/2a/05");
  BOOST_TEST(Conflicts(rig.host, kRead));
}

BOOST_AUTO_TEST_CASE(preempting_a_bystander_removes_its_registration_alone) {
  ReserveRig rig;
  rig.Register(rig.host, 1);
  rig.Register(rig.other, 2);
  rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 1);
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kPreempt, 1, 2, 3) == Status::kGood));
  BOOST_TEST(rig.In(ReserveIn::kReadReservation) ==
             Hex(*ParseHex("00000003 00000010 0000000000000001 00000000 00 01 0000")));
  rig.other.Do(kReady);
  BOOST_TEST(rig.other.codes() == "06/2a/05");
  BOOST_TEST((rig.Out(rig.host, ReserveOut::kPreempt, 1, 2, 3) == Status::kReservationConflict));
  rig.Out(rig.host, ReserveOut::kPreempt, 1, 0, 3);
  BOOST_TEST(rig.host.sense() == "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 08");
}

BOOST_AUTO_TEST_CASE(preempting_all_registrants_leaves_one) {
  ReserveRig rig;
  rig.Register(rig.host, 1);
  rig.Register(rig.other, 2);
  rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 8);
  BOOST_TEST((rig.Out(rig.other, ReserveOut::kPreempt, 2, 0, 1) == Status::kGood));
  BOOST_TEST(rig.In(ReserveIn::kReadFullStatus).substr(0, 24 * 3 - 1) ==
             Hex(*ParseHex("00000003 00000030 0000000000000002 00000000 01 01 0000")));
  rig.host.Do(kReady);
  BOOST_TEST(rig.host.codes() == "06/2a/05");
}

BOOST_AUTO_TEST_CASE(preempt_and_abort_ends_the_commands_of_the_preempted) {
  ReserveRig rig;
  rig.Register(rig.host, 1);
  rig.Register(rig.other, 2);
  rig.store.later = true;
  rig.host.Start(scsi::Read10(0, 1).view());
  rig.third.Start(scsi::Read10(0, 1).view());
  Initiator second(rig.clock, rig.disk, 0);  // another command of the same initiator
  second.feed_data = false;
  second.Start(scsi::Write10(0, 1).view());
  rig.clock.RunPosted();
  BOOST_TEST((rig.Out(rig.other, ReserveOut::kPreemptAndAbort, 2, 1, 1) == Status::kGood));
  BOOST_TEST((second.command.status == Status::kTaskAborted));
  while (!rig.store.held.empty()) {
    rig.store.Release();
    rig.clock.RunPosted();
  }
  BOOST_TEST((rig.host.command.status == Status::kTaskAborted));
  BOOST_TEST((rig.third.command.status == Status::kGood));
}

BOOST_AUTO_TEST_CASE(persistent_reservations_outlive_a_reset) {
  ReserveRig rig;
  rig.Register(rig.host, 1);
  rig.Out(rig.host, ReserveOut::kReserve, 1, 0, 3);
  rig.disk.Reset();
  BOOST_TEST(Conflicts(rig.other, kRead));
  rig.host.ForgetAttentions();
  BOOST_TEST((rig.host.Do(kRead) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(every_initiator_can_register) {
  ReserveRig rig;
  for (uint8_t number = 0; number < scsi::kInitiatorsMax; ++number) {
    Initiator one(rig.clock, rig.disk, number);
    one.ForgetAttentions();
    rig.Register(one, 0x100u + number);
  }
  BOOST_TEST(
      (ParseHex(rig.In(ReserveIn::kReadFullStatus))->size() == 8 + scsi::kInitiatorsMax * 48));
  rig.third.Do("5e 03 0000000000 0008 00");
  BOOST_TEST(rig.third.in_hex() == "00 00 00 10 00 00 03 00");
}

BOOST_AUTO_TEST_SUITE_END()
