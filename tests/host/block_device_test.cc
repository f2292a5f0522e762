#include "host/block_device.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <deque>

#include "tests/host/run.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using scsi::SenseKey;
using scsi::Status;

namespace {

// The answer to one command. Data is cut to what was asked for.
struct Answer {
  std::optional<Error> error;
  ScsiResult result;
  std::vector<uint8_t> data;
  std::optional<uint32_t> length_actual;  // of data that is not as long as `data`
};

Answer Good() { return {}; }
Answer Data(Bytes bytes) { return {.data = {bytes.begin(), bytes.end()}}; }
Answer Broken(ErrorKind kind) { return {.error = Error{.kind = kind, .phase = Phase::kDataIn}}; }
Answer Only(Status status) { return {.result = {.status = status}}; }
Answer Check(SenseKey key, uint8_t asc = 0, uint8_t ascq = 0) {
  return {.result = {.status = Status::kCheckCondition,
                     .sense_valid = true,
                     .sense = {.key = key, .asc = asc, .ascq = ascq}}};
}

// A transport whose answers are a script, for what no disk does on demand. Where the script has
// ended, every command succeeds with all its data.
class ScriptTransport final : public ScsiTransport {
 public:
  void Add(Answer answer) { script_.push_back(std::move(answer)); }
  void Add(Answer answer, size_t times) {
    for (size_t time = 0; time < times; ++time) Add(answer);
  }
  bool used_up() const { return script_.empty(); }
  std::vector<std::string> cdbs;  // as they were sent
  std::vector<Duration> timeouts;

  const char* name() const override { return "script"; }
  uint16_t queue_depth() const override { return 1; }
  uint8_t luns_count() const override { return 1; }
  uint32_t cdb_length_max() const override { return 16; }
  bool lends_data() const override { return lends; }
  async::Task<Result<ScsiResult>> Execute(ScsiRequest request) override {
    cdbs.push_back(Hex(request.cdb, 0));
    timeouts.push_back(request.timeout);
    const uint32_t asked = request.in_length + static_cast<uint32_t>(request.out.size());
    if (script_.empty()) {
      if (request.lent != nullptr) request.lent->AppendOrCopy(OwnedPin::Make(asked).first);
      co_return ScsiResult{.length_actual = asked};
    }
    Answer answer = std::move(script_.front());
    script_.pop_front();
    if (answer.error) co_return *answer.error;
    const auto length = static_cast<uint32_t>(CopyBytes(request.in, answer.data));
    answer.result.length_actual = answer.length_actual.value_or(length);
    co_return answer.result;
  }

  bool lends = false;

 private:
  std::deque<Answer> script_;
};

constexpr auto kInquiryData =
    "00 00 06 02 1f 000000"
    "41434d4520202020"                       // "ACME    "
    "4469736b2020202020202020 20202020"      // "Disk            "
    "312e3220"_hex;                          // "1.2 "
constexpr auto kRemovableData =
    "00 80 06 02 1f 000000"
    "41434d4520202020 4469736b2020202020202020 20202020 312e3220"_hex;
constexpr auto kCapacityData = "000003ff 00000200"_hex;  // 1024 blocks of 512 bytes

struct Bench {
  void ScriptOpen(Bytes inquiry = kInquiryData, Bytes capacity = kCapacityData) {
    transport.Add(Data(inquiry));
    transport.Add(Good());
    transport.Add(Data(capacity));
  }
  // An open device, with the log of commands empty.
  BlockDevice& Opened(Bytes inquiry = kInquiryData, Bytes capacity = kCapacityData) {
    ScriptOpen(inquiry, capacity);
    BOOST_REQUIRE(Open().has_value());
    transport.cdbs.clear();
    transport.timeouts.clear();
    return *device;
  }
  BlockResult Open() {
    device.emplace(transport, options);
    return Run(clock, device->Open());
  }
  BlockResult Read(uint64_t lba, size_t blocks_count) {
    room.assign(blocks_count * device->facts().block_size, 0xa5);
    return Run(clock, device->Read(lba, room));
  }
  BlockResult Write(uint64_t lba, size_t blocks_count) {
    room.assign(blocks_count * device->facts().block_size, 0x5a);
    return Run(clock, device->Write(lba, room));
  }
  void CheckCdbs(const std::vector<std::string>& expected) const {
    BOOST_TEST(transport.cdbs == expected, boost::test_tools::per_element());
  }
  Duration elapsed() const { return clock.Now() - TimePoint{}; }

  ManualClock clock;
  ScriptTransport transport;
  BlockDeviceOptions options;
  std::optional<BlockDevice> device;
  std::vector<uint8_t> room;
};

const std::string kInquiryCdb = "120000002400";
const std::string kReadyCdb = "000000000000";
const std::string kCapacityCdb = "25000000000000000000";
const std::string kLongCapacityCdb = "9e100000000000000000000000200000";
const std::string kReadFirstCdb = "28000000000000000100";  // one block at LBA 0

}  // namespace

BOOST_FIXTURE_TEST_SUITE(block_device, Bench)

// ---- Opening ----

BOOST_AUTO_TEST_CASE(opening_asks_who_whether_and_how_large) {
  ScriptOpen();

  BOOST_TEST(Open().has_value());

  CheckCdbs({kInquiryCdb, kReadyCdb, kCapacityCdb});
  const BlockFacts& facts = device->facts();
  BOOST_TEST(facts.vendor == "ACME");
  BOOST_TEST(facts.product == "Disk");
  BOOST_TEST(facts.revision == "1.2");
  BOOST_TEST(!facts.removable);
  BOOST_TEST(facts.block_size == 512u);
  BOOST_TEST(facts.blocks_count == 1024u);
  BOOST_TEST(facts.size() == 524288u);
  BOOST_TEST(!facts.long_capacity);
}

BOOST_AUTO_TEST_CASE(a_large_disk_is_asked_for_its_long_capacity) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  transport.Add(Data("ffffffff 00000200"_hex));
  transport.Add(Data("00000001 00000000 00001000 00 03 8000"
                     "00000000 00000000 00000000 00000000"_hex));

  BOOST_TEST(Open().has_value());

  CheckCdbs({kInquiryCdb, kReadyCdb, kCapacityCdb, kLongCapacityCdb});
  BOOST_TEST(device->facts().blocks_count == 0x100000001u);
  BOOST_TEST(device->facts().block_size == 4096u);
  BOOST_TEST(device->facts().physical_exponent == 3);
  BOOST_TEST(device->facts().thin);
  BOOST_TEST(device->facts().long_capacity);
}

BOOST_AUTO_TEST_CASE(a_long_capacity_of_twelve_bytes_is_enough) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  transport.Add(Data("ffffffff 00000200"_hex));
  transport.Add(Data("00000001 00000000 00000200"_hex));

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().blocks_count == 0x100000001u);
}

BOOST_AUTO_TEST_CASE(a_short_inquiry_leaves_the_names_out) {
  ScriptOpen(Bytes(kInquiryData).first(12));

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().vendor == "ACME");
  BOOST_TEST(device->facts().product == "");
}

BOOST_AUTO_TEST_CASE(names_are_printable_whatever_the_device_sends) {
  auto bytes = kInquiryData;
  bytes[8] = 0x1b;
  bytes[9] = 0xff;
  bytes[10] = 0;
  ScriptOpen(bytes);

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().vendor == "?? E");
}

BOOST_AUTO_TEST_CASE(bytes_that_the_residue_takes_away_do_not_count) {
  Answer answer = Data(kInquiryData);
  answer.result.residue = 33;
  transport.Add(answer);

  const BlockResult opened = Open();

  BOOST_TEST(opened.error().error.Describe().find("3 bytes of INQUIRY data count") !=
             std::string::npos);
  BOOST_TEST(opened.error().error.values.at(2) == 33u);
}

BOOST_AUTO_TEST_CASE(a_lun_without_unit_is_not_found) {
  auto absent = kInquiryData;
  absent[0] = 0x7f;
  ScriptOpen(absent);
  options.lun = 3;

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().error.kind == ErrorKind::kNotFound));
  BOOST_TEST(opened.error().error.values.at(0) == 3u);
  BOOST_TEST(!device->is_open());
}

BOOST_AUTO_TEST_CASE(what_has_no_blocks_is_refused_by_its_type) {
  auto printer = kInquiryData;
  printer[0] = 0x02;
  ScriptOpen(printer);

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().error.kind == ErrorKind::kUnsupported));
  BOOST_TEST(opened.error().error.values.at(0) == 2u);
  BOOST_TEST(device->facts().vendor == "ACME");
}

struct CapacityCase {
  const char* name;
  std::array<uint8_t, 12> capacity;  // of READ CAPACITY(16)
  uint64_t value;                    // that the error names
  friend std::ostream& operator<<(std::ostream& out, const CapacityCase& sample) {
    return out << sample.name;
  }
};
const std::array kCapacityCases{
    CapacityCase{"no_block_size", "00000000 00000007 00000000"_hex, 0},
    CapacityCase{"no_power_of_two", "00000000 00000007 00000208"_hex, 520},
    CapacityCase{"small_blocks", "00000000 00000007 00000080"_hex, 128},
    CapacityCase{"huge_blocks", "00000000 00000007 80000000"_hex, 0x80000000},
    CapacityCase{"last_block_overflows", "ffffffff ffffffff 00000200"_hex, UINT64_MAX},
    CapacityCase{"size_overflows", "00400000 00000000 00000200"_hex, uint64_t{1} << 54},
    CapacityCase{"size_just_overflows", "003fffff ffffffff 00000200"_hex, (uint64_t{1} << 54) - 1},
};
BOOST_DATA_TEST_CASE_F(Bench, a_capacity_without_sense_is_an_error_with_its_numbers,
                       boost::unit_test::data::make(kCapacityCases)) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  transport.Add(Data("ffffffff 00000200"_hex));
  transport.Add(Data(sample.capacity));

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().error.kind == ErrorKind::kProtocol));
  BOOST_TEST(opened.error().error.values.at(0) == sample.value);
  BOOST_TEST(!device->is_open());
  BOOST_TEST(device->facts().block_size == 0u);
}

BOOST_AUTO_TEST_CASE(the_largest_capacity_that_fits_is_taken) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  transport.Add(Data("ffffffff 00000200"_hex));
  transport.Add(Data("003fffff fffffffe 00000200"_hex));

  BOOST_TEST(Open().has_value());

  BOOST_TEST(device->facts().size() == uint64_t{INT64_MAX} - 511);
}

BOOST_AUTO_TEST_CASE(a_short_capacity_is_an_error_with_both_numbers) {
  transport.Add(Data(kInquiryData));
  transport.Add(Good());
  Answer short_answer = Data(Bytes(kCapacityData).first(4));
  short_answer.result.residue = 4;
  transport.Add(short_answer, 3);

  const BlockResult opened = Open();

  BOOST_TEST(opened.error().Describe() ==
             "READ CAPACITY(10), tried 3 times: protocol error in data-in after 4 bytes: short "
             "data: 4 of 8 bytes moved");
}

BOOST_AUTO_TEST_CASE(unit_attentions_are_heard_and_passed_over) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kUnitAttention, 0x29));
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));
  transport.Add(Good());
  transport.Add(Data(kCapacityData));

  BOOST_TEST(Open().has_value());
  CheckCdbs({kInquiryCdb, kReadyCdb, kReadyCdb, kReadyCdb, kCapacityCdb});
}

BOOST_AUTO_TEST_CASE(unit_attentions_without_end_are_told) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kUnitAttention, 0x29), 100);

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().kind == BlockError::Kind::kSense));
  BOOST_TEST((opened.error().sense.key == SenseKey::kUnitAttention));
  BOOST_TEST(opened.error().attempts_count == 9u);
}

BOOST_AUTO_TEST_CASE(a_unit_becoming_ready_is_waited_for) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kNotReady, 0x04, 0x01), 10);
  transport.Add(Good());
  transport.Add(Data(kCapacityData));

  BOOST_TEST(Open().has_value());

  // 20, 40, 80, 160, 320 ms, then 500 ms each.
  BOOST_TEST((elapsed() == 3120ms));
}

BOOST_AUTO_TEST_CASE(a_unit_that_never_becomes_ready_is_given_up) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kNotReady, 0x04, 0x01), 1000);

  const BlockResult opened = Open();

  BOOST_TEST((opened.error().sense.key == SenseKey::kNotReady));
  BOOST_TEST((elapsed() == 30s));
}

BOOST_AUTO_TEST_CASE(waiting_can_be_cancelled) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kNotReady, 0x04, 0x01), 1000);
  device.emplace(transport, options);
  async::Job<BlockResult> job(clock, device->Open());
  clock.Advance(5s);
  BOOST_TEST(!job.done());

  job.Cancel();

  BOOST_TEST(clock.RunUntil([&] { return job.done(); }));
  BOOST_TEST((job.result().error().error.kind == ErrorKind::kCancelled));
  BOOST_TEST((elapsed() == 5s));
}

BOOST_AUTO_TEST_CASE(a_reader_without_medium_tells_who_it_is) {
  transport.Add(Data(kRemovableData));
  transport.Add(Check(SenseKey::kNotReady, 0x3a));

  const BlockResult opened = Open();

  BOOST_TEST(opened.error().sense.asc == 0x3a);
  BOOST_TEST(device->facts().vendor == "ACME");
  BOOST_TEST(device->facts().removable);
}

BOOST_AUTO_TEST_CASE(a_stopped_unit_is_started) {
  transport.Add(Data(kInquiryData));
  transport.Add(Check(SenseKey::kNotReady, 0x04, 0x02));
  transport.Add(Good());
  transport.Add(Good());
  transport.Add(Data(kCapacityData));

  BOOST_TEST(Open().has_value());
  CheckCdbs({kInquiryCdb, kReadyCdb, "1b0000000100", kReadyCdb, kCapacityCdb});
}

// ---- Ranges ----

BOOST_AUTO_TEST_CASE(nothing_is_sent_before_opening) {
  device.emplace(transport, options);
  room.resize(512);

  const BlockResult read = Run(clock, device->Read(0, room));
  const BlockResult verified = Run(clock, device->Verify(0, 1));

  BOOST_TEST((read.error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST((verified.error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(transport.cdbs.empty());
}

BOOST_AUTO_TEST_CASE(the_last_block_can_be_read_and_no_more) {
  Opened();
  BOOST_TEST(Read(1023, 1).has_value());
  CheckCdbs({"28000000" "03ff00000100"});

  BOOST_TEST(Read(1023, 2).error().Describe() ==
             "nothing sent at LBA 1023: invalid argument: 2 blocks from 1023 on end beyond the "
             "capacity of 1024");
  BOOST_TEST((Read(1025, 1).error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST((Read(UINT64_MAX, 1).error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(transport.cdbs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(no_blocks_are_no_command) {
  Opened();
  BOOST_TEST(Read(0, 0).has_value());
  BOOST_TEST(Read(1024, 0).has_value());
  BOOST_TEST(Run(clock, device->Verify(0, 0)).has_value());
  BOOST_TEST(transport.cdbs.empty());
}

BOOST_AUTO_TEST_CASE(part_of_a_block_is_refused) {
  Opened();
  room.resize(513);
  const BlockResult written = Run(clock, device->Write(0, room));
  BOOST_TEST((written.error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(written.error().error.values.at(0) == 513u);
}

// ---- Splitting ----

BOOST_AUTO_TEST_CASE(long_reads_are_split_and_come_in_order) {
  options.command_length_max = 1024;
  Opened();
  std::vector<uint8_t> first(1024, 1);
  std::vector<uint8_t> second(1024, 2);
  std::vector<uint8_t> third(512, 3);
  transport.Add(Data(first));
  transport.Add(Data(second));
  transport.Add(Data(third));

  BOOST_TEST(Read(10, 5).has_value());

  CheckCdbs({"280000000" "00a00000200", "28000000000c00000200", "28000000000e00000100"});
  BOOST_TEST(room[1023] == 1);
  BOOST_TEST(room[1024] == 2);
  BOOST_TEST(room[2048] == 3);
  BOOST_TEST(room[2559] == 3);
}

BOOST_AUTO_TEST_CASE(a_command_moves_a_block_at_least) {
  options.command_length_max = 100;
  Opened();
  BOOST_TEST(device->blocks_max() == 1u);
  BOOST_TEST(Write(0, 2).has_value());
  CheckCdbs({"2a000000000000000100", "2a000000000100000100"});
}

BOOST_AUTO_TEST_CASE(a_command_moves_no_more_blocks_than_its_field_holds) {
  options.command_length_max = UINT32_MAX;
  Opened();
  BOOST_TEST(device->blocks_max() == 65535u);
}

BOOST_AUTO_TEST_CASE(beyond_32_bits_the_long_commands_are_used) {
  ScriptOpen(kInquiryData, "ffffffff 00000200"_hex);
  transport.Add(Data("00000001 0000000f 00000200"_hex));
  BOOST_TEST(Open().has_value());
  transport.cdbs.clear();

  BOOST_TEST(Read(0xffffffff, 1).has_value());
  BOOST_TEST(Read(0x100000000, 2).has_value());
  BOOST_TEST(Write(0x10000000f, 1).has_value());
  BOOST_TEST(Run(clock, device->Verify(0x100000001, 3)).has_value());

  CheckCdbs({"2800ffffffff00000100", "88000000000100000000000000020000",
             "8a00000000010000000f000000010000", "8f000000000100000001000000030000"});
}

BOOST_AUTO_TEST_CASE(caching_flags_are_passed_on) {
  Opened();
  room.resize(512);
  BOOST_TEST(Run(clock, device->Read(0, room, {.disable_page_out = true})).has_value());
  BOOST_TEST(Run(clock, device->Write(0, room, {.force_unit_access = true})).has_value());
  CheckCdbs({"28100000000000000100", "2a080000000000000100"});
}

BOOST_AUTO_TEST_CASE(verify_moves_nothing_and_is_split_by_blocks) {
  options.verify_blocks_max = 1000;
  Opened();
  BOOST_TEST(Run(clock, device->Verify(0, 1024)).has_value());
  CheckCdbs({"2f00000000000003e800", "2f00000003e800001800"});
}

BOOST_AUTO_TEST_CASE(an_error_tells_how_far_the_call_had_come) {
  options.command_length_max = 1024;
  Opened();
  transport.Add(Data(std::vector<uint8_t>(1024)));
  transport.Add(Check(SenseKey::kIllegalRequest, 0x24));

  const BlockResult read = Read(10, 5);

  BOOST_TEST(read.error().blocks_done == 2u);
  BOOST_TEST(*read.error().lba == 12u);
  BOOST_TEST(read.error().opcode == 0x28);
}

// ---- Trying again ----

BOOST_AUTO_TEST_CASE(a_medium_error_is_tried_once_more_and_names_the_block) {
  Opened();
  Answer bad = Check(SenseKey::kMediumError, 0x11);
  bad.result.sense.information_valid = true;
  bad.result.sense.information = 13;
  transport.Add(bad, 2);

  const BlockResult read = Read(10, 5);

  BOOST_TEST(transport.used_up());
  BOOST_TEST(transport.cdbs.size() == 2u);
  BOOST_TEST(read.error().Describe() ==
             "READ(10) at LBA 13 of a command of 5 blocks, tried 2 times: check condition, Medium "
             "Error (03/11/00)");
}

BOOST_AUTO_TEST_CASE(a_block_in_error_outside_the_command_is_not_believed) {
  Opened();
  for (const uint64_t lba : {uint64_t{9}, uint64_t{15}, UINT64_MAX}) {
    Answer bad = Check(SenseKey::kMediumError, 0x11);
    bad.result.sense.information_valid = true;
    bad.result.sense.information = lba;
    transport.Add(bad, 2);
    BOOST_TEST(*Read(10, 5).error().lba == 10u);
  }
}

BOOST_AUTO_TEST_CASE(a_timeout_is_tried_once_more) {
  Opened();
  transport.Add(Broken(ErrorKind::kTimedOut), 5);

  const BlockResult read = Read(0, 1);

  BOOST_TEST((read.error().error.kind == ErrorKind::kTimedOut));
  CheckCdbs({kReadFirstCdb, kReadFirstCdb});
}

BOOST_AUTO_TEST_CASE(after_a_recovered_failure_the_data_comes) {
  Opened();
  transport.Add(Broken(ErrorKind::kProtocol));
  transport.Add(Check(SenseKey::kUnitAttention, 0x29));
  transport.Add(Data(std::vector<uint8_t>(512, 0x77)));

  BOOST_TEST(Read(0, 1).has_value());

  BOOST_TEST(room[511] == 0x77);
}

BOOST_AUTO_TEST_CASE(what_the_caller_must_know_is_not_tried_again) {
  Opened();
  for (const ErrorKind kind : {ErrorKind::kCancelled, ErrorKind::kBusy, ErrorKind::kInvalid}) {
    transport.cdbs.clear();
    transport.Add(Broken(kind));
    BOOST_TEST((Write(0, 1).error().error.kind == kind));
    BOOST_TEST(transport.cdbs.size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(a_busy_device_is_waited_for) {
  Opened();
  transport.Add(Only(Status::kBusy));
  transport.Add(Only(Status::kTaskSetFull));

  BOOST_TEST(Write(0, 1).has_value());

  BOOST_TEST((elapsed() == 60ms));
}

BOOST_AUTO_TEST_CASE(a_device_that_stays_busy_is_a_status_without_sense) {
  Opened();
  transport.Add(Only(Status::kBusy), 1000);

  const BlockResult written = Write(0, 1);

  BOOST_TEST((written.error().kind == BlockError::Kind::kStatus));
  BOOST_TEST((written.error().status == Status::kBusy));
}

BOOST_AUTO_TEST_CASE(a_failure_without_sense_is_a_status) {
  Opened();
  transport.Add(Only(Status::kCheckCondition), 3);

  BOOST_TEST((Write(0, 1).error().kind == BlockError::Kind::kStatus));
  BOOST_TEST(transport.cdbs.size() == 3u);
}

BOOST_AUTO_TEST_CASE(recovered_errors_are_success) {
  Opened();
  Answer recovered = Check(SenseKey::kRecoveredError, 0x18);
  recovered.data.assign(512, 0x11);
  transport.Add(recovered);

  BOOST_TEST(Read(0, 1).has_value());
  BOOST_TEST(transport.cdbs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_medium_that_may_have_been_changed_is_told) {
  Opened(kRemovableData);
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));

  const BlockResult written = Write(0, 1);

  BOOST_TEST(written.error().sense.asc == 0x28);
  BOOST_TEST(transport.cdbs.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_fixed_disk_that_says_so_was_reset) {
  Opened();
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));

  BOOST_TEST(Write(0, 1).has_value());
}

BOOST_AUTO_TEST_CASE(a_stick_may_say_so_after_a_command_that_broke) {
  Opened(kRemovableData);
  transport.Add(Broken(ErrorKind::kTimedOut), 2);
  BOOST_TEST(!Write(0, 1).has_value());

  transport.Add(Check(SenseKey::kUnitAttention, 0x28));
  BOOST_TEST(Write(0, 1).has_value());
  // From here on the medium is guarded again.
  transport.Add(Check(SenseKey::kUnitAttention, 0x28));
  BOOST_TEST(!Write(0, 1).has_value());
}

// ---- Lengths ----

BOOST_AUTO_TEST_CASE(short_data_is_an_error_with_both_numbers) {
  Opened();
  Answer answer = Data(std::vector<uint8_t>(512));
  answer.result.residue = 512;
  transport.Add(answer, 3);

  const BlockResult read = Read(0, 2);

  BOOST_TEST(read.error().Describe() ==
             "READ(10) at LBA 0 of a command of 2 blocks, tried 3 times: protocol error in data-in "
             "after 512 bytes: short data: 512 of 1024 bytes moved");
}

BOOST_AUTO_TEST_CASE(short_data_once_is_read_again) {
  Opened();
  Answer answer = Data(std::vector<uint8_t>(512));
  answer.result.residue = 512;
  transport.Add(answer);

  BOOST_TEST(Read(0, 2).has_value());
  BOOST_TEST(transport.cdbs.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_residue_that_contradicts_the_wire_is_an_error_with_both_numbers) {
  Opened();
  Answer answer = Data(std::vector<uint8_t>(512));
  answer.result.residue = 16;
  transport.Add(answer, 3);

  const BlockResult read = Read(0, 1);

  BOOST_TEST(read.error().error.Describe() ==
             "protocol error in data-in after 512 bytes: 512 of 512 bytes moved, but the residue "
             "is 16");
}

BOOST_AUTO_TEST_CASE(short_data_with_a_residue_of_nothing_names_all_three_numbers) {
  Opened();
  transport.Add(Data(std::vector<uint8_t>(512)), 3);

  BOOST_TEST(Read(0, 2).error().error.Describe().find(
                 "short data: 512 of 1024 bytes moved, but the residue is 0") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_write_that_was_not_taken_whole_is_an_error) {
  Opened();
  Answer answer;
  answer.length_actual = 512;
  answer.result.residue = 100;
  transport.Add(answer, 3);

  const BlockResult written = Write(0, 1);

  BOOST_TEST((written.error().error.phase == Phase::kDataOut));
  BOOST_TEST(written.error().error.values.at(2) == 100u);
}

BOOST_AUTO_TEST_CASE(a_residue_known_to_be_nonsense_is_ignored) {
  options.ignore_residue = true;
  Opened();
  Answer answer = Data(std::vector<uint8_t>(512));
  answer.result.residue = 0xdeadbeef;
  transport.Add(answer);

  BOOST_TEST(Read(0, 1).has_value());

  Answer short_answer = Data(std::vector<uint8_t>(511));
  transport.Add(short_answer, 3);
  BOOST_TEST(!Read(0, 1).has_value());
}

BOOST_AUTO_TEST_CASE(more_than_was_asked_for_is_an_error) {
  Opened();
  Answer answer;
  answer.length_actual = 513;
  transport.Add(answer, 3);

  BOOST_TEST((Read(0, 1).error().error.kind == ErrorKind::kProtocol));
}

// ---- Flush ----

BOOST_AUTO_TEST_CASE(flush_has_a_time_of_its_own) {
  Opened();
  BOOST_TEST(Run(clock, device->Flush()).has_value());
  CheckCdbs({"35000000000000000000"});
  BOOST_TEST((transport.timeouts.at(0) == 60s));
}

BOOST_AUTO_TEST_CASE(a_device_that_knows_no_flush_has_nothing_to_flush) {
  Opened();
  transport.Add(Check(SenseKey::kIllegalRequest, 0x20));
  BOOST_TEST(Run(clock, device->Flush()).has_value());
}

BOOST_AUTO_TEST_CASE(a_flush_that_fails_is_told) {
  Opened();
  Answer deferred = Check(SenseKey::kMediumError, 0x0c);
  deferred.result.sense.deferred = true;
  transport.Add(deferred);

  const BlockResult flushed = Run(clock, device->Flush());

  BOOST_TEST(flushed.error().sense.deferred);
  BOOST_TEST(transport.cdbs.size() == 1u);
}

// ---- Lent data ----

BOOST_AUTO_TEST_CASE(lent_data_needs_a_transport_that_lends) {
  Opened();
  LeaseList lent;
  BOOST_TEST((Run(clock, device->ReadLent(0, 1, lent)).error().error.kind ==
              ErrorKind::kUnsupported));
  BOOST_TEST(transport.cdbs.empty());
}

BOOST_AUTO_TEST_CASE(lent_data_is_one_commands) {
  transport.lends = true;
  options.command_length_max = 1024;
  Opened();
  LeaseList lent;

  BOOST_TEST(Run(clock, device->ReadLent(4, 2, lent)).has_value());
  BOOST_TEST(lent.length() == 1024u);
  BOOST_TEST((Run(clock, device->ReadLent(4, 3, lent)).error().error.kind == ErrorKind::kInvalid));
  BOOST_TEST(lent.empty());
}

BOOST_AUTO_TEST_CASE(after_an_error_nothing_is_lent) {
  transport.lends = true;
  Opened();
  LeaseList lent;
  BOOST_TEST(Run(clock, device->ReadLent(4, 2, lent)).has_value());
  transport.Add(Check(SenseKey::kIllegalRequest, 0x24));

  BOOST_TEST(!Run(clock, device->ReadLent(4, 2, lent)).has_value());

  BOOST_TEST(lent.empty());
}

BOOST_AUTO_TEST_SUITE_END()
