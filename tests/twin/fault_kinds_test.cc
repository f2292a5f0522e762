// Every fault of transfers, ports and Bulk-Only devices, played once on a twin: that it happened,
// that the host noticed, and exactly what the host made of it. Each row names one kind, and a kind
// without a row fails.
#include <boost/test/data/test_case.hpp>

#include "fault_rig.h"
#include "fault_rows.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::host;   // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
using fault::Kind;

namespace {

constexpr uint32_t kLength = 4096;  // bytes of the command with the fault
constexpr uint64_t kLba = 64;
constexpr Duration kOpened = 1s;  // nothing happens until the device is open and was written to

const std::vector<FaultRow> kRows = ParseFaultRows(kOpened);

std::string Say(const Result<ScsiResult>& result, bot::Rung rung) {
  std::string text;
  if (!result) {
    text = std::string(Name(result.error().kind)) + " in " + Name(result.error().phase);
  } else if (result->status != scsi::Status::kGood) {
    text = result->sense.key == scsi::SenseKey::kNoSense ? "failed" : "failed with sense";
  } else {
    text = "good";
  }
  if (result && (result->length_actual != kLength || result->residue != 0)) {
    text += ", " + std::to_string(result->length_actual) + " bytes, " +
            std::to_string(result->residue) + " left";
  }
  return text + "; " + Name(rung);
}

std::string Say(const BlockResult& result, Duration time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  std::string text = "good";
  if (!result && result.error().kind == BlockError::Kind::kTransport) {
    text = Name(result.error().error.kind);
  } else if (!result) {
    text = std::string(scsi::Name(result.error().sense.key));
  }
  return text + ", " + std::to_string(ms);
}

struct Work {
  explicit Work(const FaultRow& row) : rig(row.rules), read(row.read) {
    rig.Start();
    if (read) BOOST_REQUIRE(rig.Write(kLba, bytes).has_value());
    rig.clock.Advance(kOpened);
  }
  std::string OverTransport() {
    const scsi::Cdb cdb =
        read ? scsi::Read10(kLba, kLength / 512, {}) : scsi::Write10(kLba, kLength / 512, {});
    ScsiRequest request{.cdb = cdb.view()};
    if (read) {
      request.in = room;
      request.in_length = kLength;
    } else {
      request.out = bytes;
    }
    const Result<ScsiResult> result = rig.Execute(request);
    return Say(result, rig.bot().last_rung());
  }
  std::string OverBlocks() {
    const TimePoint start = rig.clock.Now();
    const BlockResult result = read ? rig.Read(kLba, room) : rig.Write(kLba, bytes);
    const std::string text = Say(result, rig.clock.Now() - start);
    if (!result) return text;
    if (!read) BOOST_TEST(rig.Read(kLba, room).has_value());
    return room == bytes ? text : text + ", spoilt";
  }
  // Whatever was made of the fault, it is over.
  void CheckAfterwards(Kind kind, bool seen = true) {
    BOOST_TEST(rig.player.count(kind).injected == 1u);
    BOOST_TEST(rig.player.count(kind).observed == uint64_t{seen});
    rig.player.Stop();
    if (!read) BOOST_TEST(rig.Write(kLba, bytes).has_value());
    const BlockResult again = rig.Read(kLba, room);
    if (!again) BOOST_ERROR(again.error().Describe());
    BOOST_TEST((room == bytes));
  }

  FaultRig rig;
  const bool read;
  std::vector<uint8_t> bytes = Pattern(kLength, 3);
  std::vector<uint8_t> room = std::vector<uint8_t>(kLength, 0xa5);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_kinds)

BOOST_DATA_TEST_CASE(one_command_over_the_transport, kRows, row) {
  Work work(row);

  BOOST_TEST(work.OverTransport() == row.transport);

  work.CheckAfterwards(*fault::ParseKind(row.name), !row.unseen);
}

BOOST_DATA_TEST_CASE(one_command_of_a_block_device, kRows, row) {
  Work work(row);

  BOOST_TEST(work.OverBlocks() == row.block);

  work.CheckAfterwards(*fault::ParseKind(row.name), !row.unseen);
}

// Refused once in opening: named. Opened again, all is well.
BOOST_DATA_TEST_CASE(one_opening, Split(kOpeningRows, "\n"), line) {
  if (line.empty()) return;
  const std::vector<std::string> columns = Split(line, " | ");
  const Kind kind = *fault::ParseKind(columns[0]);
  FaultRig rig({{.kind = kind, .times = 1}});

  const Result<void> opened = rig.Open();

  BOOST_REQUIRE(!opened);
  BOOST_TEST(std::string(Name(opened.error().kind)) + " in " + Name(opened.error().phase) ==
             columns[1]);
  BOOST_TEST(rig.player.count(kind).injected == 1u);
  BOOST_TEST(rig.player.count(kind).observed == 1u);
  if (rig.session.is_open()) BOOST_TEST(Run(rig.clock, rig.session.Close()).has_value());
  rig.Start();
}

// The device is unplugged in mid-command, and then refused once more while it is reopened.
BOOST_AUTO_TEST_CASE(one_refusal_while_reopening) {
  const struct {
    Kind kind;
    const char* text;
  } kCases[] = {{Kind::kOpenFails, "good, 600"}, {Kind::kClaimFails, "disconnected, 500"}};
  for (const auto& refusal : kCases) {
    Work work({.name = fault::Info(refusal.kind).name,
               .read = true,
               .rules = {{.kind = Kind::kDisconnect, .times = 1, .after = kOpened},
                         {.kind = refusal.kind, .times = 1, .after = kOpened}}});
    BOOST_TEST(work.OverBlocks() == refusal.text);
    work.CheckAfterwards(refusal.kind);
  }
}

BOOST_AUTO_TEST_CASE(every_kind_has_a_row) {
  for (const fault::KindInfo& info : fault::Kinds()) {
    const std::string_view name = info.name;
    const bool ours =
        name.starts_with("usb.") || name.starts_with("port.") || name.starts_with("bot.");
    if (!ours) continue;
    const std::string line = "\n" + std::string(name) + " | ";
    const bool found = kFaultRows.find(line) != std::string_view::npos ||
                       kOpeningRows.find(line) != std::string_view::npos;
    BOOST_TEST(found, name << " has no row");
  }
}

BOOST_AUTO_TEST_SUITE_END()
