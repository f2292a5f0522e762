// Commands that leave the medium as it is. SBC-3.
#include "conform/scsi_cases.h"

#include <algorithm>

#include "base/text.h"
#include "wire/scsi_data.h"

namespace usbtwin::conform {

namespace {

using Answer = Bench::Answer;
using scsi::Cdb;
using scsi::SenseKey;

// ---- Blocks ----

async::Task<Finding> Capacity(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer ten = co_await bench.Ask(scsi::ReadCapacity10(), 8);
  const std::string wrong = ExpectData(ten, 8);
  if (!wrong.empty()) co_return Fail("READ CAPACITY(10): " + wrong);
  const Answer sixteen = co_await bench.Ask(scsi::ReadCapacity16(32), 32);
  if (IsRefused(sixteen, 0x20)) co_return Skip("READ CAPACITY(16) is not supported");
  if (!sixteen.good()) co_return Fail("READ CAPACITY(16): " + Describe(sixteen));
  const auto* small = wire::View<wire::scsi::Capacity10>(ten.data);
  const auto* large = wire::View<wire::scsi::Capacity16>(sixteen.data);
  if (large == nullptr) co_return Fail("READ CAPACITY(16) brought too few bytes");
  const uint64_t expected = std::min<uint64_t>(large->lba_final, UINT32_MAX);
  if (small->lba_final != expected || small->block_length != large->block_length) {
    co_return Fail("READ CAPACITY(10) and (16) differ");
  }
  co_return Pass();
}

async::Task<Finding> CheckBeyond(Bench& bench, Cdb cdb) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer answer = co_await bench.Ask(cdb, bench.block_size());
  if (IsRefused(answer, 0x20)) co_return Skip("the command is not supported");
  co_return Judge(ExpectRefused(answer, 0x21));
}

async::Task<Finding> Read10Beyond(Bench& bench) {
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("every address of READ(10) exists");
  const Cdb cdb = scsi::Read10(bench.blocks_count(), 1);
  const Finding found = co_await CheckBeyond(bench, cdb);
  co_return found;
}
async::Task<Finding> Read12Beyond(Bench& bench) {
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("every address of READ(12) exists");
  const Cdb cdb = scsi::Read12(bench.blocks_count(), 1);
  const Finding found = co_await CheckBeyond(bench, cdb);
  co_return found;
}
async::Task<Finding> Read16Beyond(Bench& bench) {
  const Cdb cdb = scsi::Read16(UINT64_MAX, 1);
  return CheckBeyond(bench, cdb);
}

// The last block can be read, and one more cannot.
async::Task<Finding> ReadAcrossEnd(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("the end is beyond READ(10)");
  const uint64_t last = bench.blocks_count() - 1;
  const Answer good = co_await bench.Ask(scsi::Read10(last, 1), bench.block_size());
  const std::string wrong = ExpectData(good, bench.block_size());
  if (!wrong.empty()) co_return Fail("the last block: " + wrong);
  const Answer bad = co_await bench.Ask(scsi::Read10(last, 2), 2 * bench.block_size());
  co_return Judge(ExpectRefused(bad, 0x21));
}

async::Task<Finding> CheckNothing(Bench& bench, Cdb cdb) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer answer = co_await bench.Ask(cdb, 0);
  if (IsRefused(answer, 0x20)) co_return Skip("the command is not supported");
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> Read10Nothing(Bench& bench) {
  const Cdb cdb = scsi::Read10(0, 0);
  return CheckNothing(bench, cdb);
}
async::Task<Finding> Read16Nothing(Bench& bench) {
  const Cdb cdb = scsi::Read16(0, 0);
  return CheckNothing(bench, cdb);
}
async::Task<Finding> VerifyNothing(Bench& bench) {
  const Cdb cdb = scsi::Verify10(0, 0, false);
  return CheckNothing(bench, cdb);
}
async::Task<Finding> VerifyBlocks(Bench& bench) {
  const Cdb cdb = scsi::Verify10(0, 1, false);
  return CheckNothing(bench, cdb);
}

async::Task<Finding> ReadsAgree(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer first = co_await bench.Ask(scsi::Read10(0, 1), bench.block_size());
  const std::string wrong = ExpectData(first, bench.block_size());
  if (!wrong.empty()) co_return Fail("READ(10): " + wrong);
  static constexpr std::array<const char*, 3> kNames{"READ(6)", "READ(12)", "READ(16)"};
  const std::array<Cdb, 3> cdbs{scsi::Read6(0, 1), scsi::Read12(0, 1), scsi::Read16(0, 1)};
  for (size_t index = 0; index < cdbs.size(); ++index) {
    const Cdb cdb = cdbs[index];
    const Answer other = co_await bench.Ask(cdb, bench.block_size());
    if (IsRefused(other, 0x20)) continue;
    const std::string bad = ExpectData(other, bench.block_size());
    if (!bad.empty()) co_return Fail(std::string(kNames[index]) + ": " + bad);
    if (other.data != first.data) {
      co_return Fail(std::string(kNames[index]) + " brings other bytes than READ(10)");
    }
  }
  co_return Pass();
}

async::Task<Finding> ReadProtected(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const bool has_protection = co_await HasProtection(bench);
  if (has_protection) co_return Skip("the unit has protection information");
  const Cdb cdb = CdbOf({0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0});
  const Answer answer = co_await bench.Ask(cdb, bench.block_size());
  co_return Judge(ExpectRefused(answer, 0x24));
}

async::Task<Finding> Synchronize(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer answer = co_await bench.Ask(scsi::SynchronizeCache10(0, 0), 0);
  if (IsRefused(answer, 0x20)) co_return Skip("SYNCHRONIZE CACHE(10) is not supported");
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> SynchronizeBeyond(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("every address of the command exists");
  const Answer answer = co_await bench.Ask(scsi::SynchronizeCache10(bench.blocks_count(), 1), 0);
  if (IsRefused(answer, 0x20)) co_return Skip("SYNCHRONIZE CACHE(10) is not supported");
  co_return Judge(ExpectRefused(answer, 0x21));
}

async::Task<Finding> VerifyCompares(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer held = co_await bench.Ask(scsi::Read10(0, 1), bench.block_size());
  if (!held.good()) co_return Skip("block 0 cannot be read: " + Describe(held));
  const Answer same = co_await bench.Tell(scsi::Verify10(0, 1, true), held.data);
  if (IsRefused(same, 0x20) || IsRefused(same, 0x24)) {
    co_return Skip("VERIFY with BYTCHK is not supported");
  }
  if (!same.good()) co_return Fail("the same bytes: " + Describe(same));
  std::vector<uint8_t> other = held.data;
  other.back() ^= 1;
  const Answer differs = co_await bench.Tell(scsi::Verify10(0, 1, true), other);
  co_return Judge(ExpectSense(differs, SenseKey::kMiscompare, 0x1d, 0));
}

// ---- What the unit says of its limits ----

async::Task<Finding> TransferLimit(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const std::vector<uint8_t> page = co_await VitalPage(bench, 0xb0);
  const auto* limits = wire::View<wire::scsi::BlockLimitsPage>(page);
  if (limits == nullptr) co_return NotSupported("page B0h");
  const uint32_t most = limits->transfer_max;
  constexpr uint64_t kLengthMax = 32 << 20;  // bytes that it is still worth to make room for
  const bool out_of_reach = most == 0 || most >= bench.blocks_count() ||
                            (most + uint64_t{1}) * bench.block_size() > kLengthMax;
  if (out_of_reach) co_return Skip("no limit below the size of the medium and 32 MiB");
  const Cdb cdb = scsi::Read16(0, most + 1);
  const Answer answer = co_await bench.Ask(cdb, (most + 1) * bench.block_size());
  co_return Judge(ExpectRefused(answer, 0x24));
}

async::Task<Finding> ReadForced(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb cdb = scsi::Read10(0, 1, {.disable_page_out = true, .force_unit_access = true});
  const Answer answer = co_await bench.Ask(cdb, bench.block_size());
  if (IsRefused(answer, 0x24)) co_return NotSupported("DPO or FUA");
  co_return Judge(ExpectData(answer, bench.block_size()));
}

// 0 in the TRANSFER LENGTH of READ(6) means 256 blocks.
async::Task<Finding> Read6Most(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() < 256) co_return Skip("there are fewer than 256 blocks");
  const Cdb cdb = CdbOf({0x08, 0, 0, 0, 0, 0});
  const Answer answer = co_await bench.Ask(cdb, 256 * bench.block_size());
  if (IsUnknown(answer)) co_return NotSupported("READ(6)");
  co_return Judge(ExpectData(answer, size_t{256} * bench.block_size()));
}

async::Task<Finding> PreFetch(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb cdb = scsi::PreFetch16({.range = {.lba = 0, .blocks_count = 1}});
  const Answer answer = co_await bench.Ask(cdb, 0);
  if (IsUnknown(answer)) co_return NotSupported("PRE-FETCH(16)");
  const bool met = !answer.error && answer.result.status == scsi::Status::kConditionMet;
  if (!met && !answer.good()) co_return Fail(Describe(answer));
  const Cdb beyond = scsi::PreFetch16({.range = {.lba = bench.blocks_count(), .blocks_count = 1}});
  const Answer refused = co_await bench.Ask(beyond, 0);
  co_return Judge(ExpectRefused(refused, 0x21));
}

async::Task<Finding> DefectList(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb cdb = scsi::ReadDefectData({.lists = 0x08, .format = 3, .allocation_length = 252});
  const Answer answer = co_await bench.Ask(cdb, 252);
  if (IsUnknown(answer)) co_return NotSupported("READ DEFECT DATA(10)");
  if (!answer.good()) co_return Skip("the list is not there: " + Describe(answer));
  if (answer.data.size() < 4) co_return Fail("the answer is shorter than its header");
  const size_t length = NumberAt(answer.data, 2, 2);
  if (answer.data.size() == std::min<size_t>(4 + length, 252)) co_return Pass();
  co_return Fail(Count(answer.data.size(), "byte") + " came, and the list says " +
                 std::to_string(4 + length));
}

// What the host does not ask for is cut off.
async::Task<Finding> CapacityCut(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb whole_cdb = scsi::ReadCapacity16(32), cut_cdb = scsi::ReadCapacity16(12);
  const Answer whole = co_await bench.Ask(whole_cdb, 32);
  if (IsUnknown(whole)) co_return NotSupported("READ CAPACITY(16)");
  const Answer cut = co_await bench.Ask(cut_cdb, 12);
  std::string wrong = ExpectData(whole, 32);
  if (wrong.empty()) wrong = ExpectData(cut, 12);
  if (wrong.empty() && !SameBytes(Bytes(whole.data).first(12), cut.data)) {
    wrong = "the first 12 bytes differ from those of the whole answer";
  }
  co_return Judge(std::move(wrong));
}

constexpr Case kCases[] = {
    {"capacity", "SBC-3, 5.15 and 5.16", "READ CAPACITY(10) and (16) agree", false, Capacity},
    {"reads-agree", "SBC-3, 5.10 to 5.14", "READ(6), (10), (12) and (16) bring the same block",
     false, ReadsAgree},
    {"read10-beyond", "SBC-3, 4.4.2", "READ(10) behind the end is refused with 21h/00h", false,
     Read10Beyond},
    {"read12-beyond", "SBC-3, 4.4.2", "READ(12) behind the end is refused with 21h/00h", false,
     Read12Beyond},
    {"read16-beyond", "SBC-3, 4.4.2", "READ(16) at the last address is refused with 21h/00h", false,
     Read16Beyond},
    {"read-across", "SBC-3, 4.4.2", "the last block is read, and the one behind it is not", false,
     ReadAcrossEnd},
    {"read10-nothing", "SBC-3, 5.11", "READ(10) of no blocks is good", false, Read10Nothing},
    {"read16-nothing", "SBC-3, 5.13", "READ(16) of no blocks is good", false, Read16Nothing},
    {"read-protect", "SBC-3, 5.11", "RDPROTECT without protection is refused with 24h/00h", false,
     ReadProtected},
    {"verify", "SBC-3, 5.32", "VERIFY(10) of a block is good", false, VerifyBlocks},
    {"verify-nothing", "SBC-3, 5.32", "VERIFY(10) of no blocks is good", false, VerifyNothing},
    {"verify-compares", "SBC-3, 5.32", "BYTCHK passes the same bytes, and 1Dh/00h others", false,
     VerifyCompares},
    {"synchronize", "SBC-3, 5.27", "SYNCHRONIZE CACHE(10) of all is good", false, Synchronize},
    {"synchronize-beyond", "SBC-3, 5.27", "the same behind the end is refused with 21h/00h", false,
     SynchronizeBeyond},
    {"capacity-cut", "SPC-4, 4.2.5.6", "READ CAPACITY(16) of 12 bytes cuts, and is no error", false,
     CapacityCut},
    {"transfer-limit", "SBC-3, 6.6.3", "more blocks than page B0h allows are refused with 24h/00h",
     false, TransferLimit},
    {"read-forced", "SBC-3, 5, READ (10)", "READ(10) with DPO and FUA is good", false, ReadForced},
    {"read6-most", "SBC-3, 5, READ (6)", "a length of 0 means 256 blocks", false, Read6Most},
    {"pre-fetch", "SBC-3, 5, PRE-FETCH (16)", "good or condition met; 21h/00h behind the end",
     false, PreFetch},
    {"defects", "SBC-3, 5, READ DEFECT DATA (10)", "the list has the length that it says", false,
     DefectList},
};

}  // namespace

std::span<const Case> ScsiReadCases() {
  return kCases;
}

}  // namespace usbtwin::conform
