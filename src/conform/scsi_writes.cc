// Commands that write. What the blocks held is there again at the end. SBC-3.
#include "conform/scsi_writes.h"

#include "base/text.h"
#include "wire/scsi_data.h"

namespace usbtwin::conform {

using Answer = Bench::Answer;
using scsi::Cdb;
using scsi::SenseKey;

async::Task<Finding> AroundBlocks(Bench& bench, uint32_t blocks_count, BlocksBody body) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() < blocks_count) {
    co_return Skip("there are fewer than " + Count(blocks_count, "block"));
  }
  const Cdb read = scsi::Read10(0, blocks_count);
  const uint32_t length = blocks_count * bench.block_size();
  const Answer held = co_await bench.Ask(read, length);
  if (!held.good()) co_return Skip("the first blocks cannot be read: " + Describe(held));
  Finding found = co_await body(bench, held.data);
  const Cdb write = scsi::Write10(0, blocks_count);
  const Answer restored = co_await bench.Tell(write, held.data);
  if (IsProtected(restored)) co_return Skip("the medium is write-protected");
  if (!restored.good()) co_return Fail("writing back what was there: " + Describe(restored));
  const Answer again = co_await bench.Ask(read, length);
  if (again.data != held.data) co_return Fail("what was there cannot be written back");
  co_return found;
}

std::vector<uint8_t> Inverted(Bytes data) {
  std::vector<uint8_t> other(data.begin(), data.end());
  for (uint8_t& byte : other) byte = static_cast<uint8_t>(~byte);
  return other;
}

async::Task<std::string> ExpectBlocks(Bench& bench, uint64_t lba, Bytes expected) {
  const auto blocks_count = static_cast<uint32_t>(expected.size() / bench.block_size());
  const Cdb cdb = scsi::Read10(lba, blocks_count);
  const Answer answer = co_await bench.Ask(cdb, static_cast<uint32_t>(expected.size()));
  std::string wrong = ExpectData(answer, expected.size());
  if (wrong.empty() && !SameBytes(answer.data, expected)) {
    wrong = "what is read from block " + std::to_string(lba) + " on is not what should be there";
  }
  co_return wrong;
}

namespace {

// ---- WRITE ----

async::Task<Finding> CheckWrite(Bench& bench, Cdb cdb, const std::vector<uint8_t>& held) {
  const std::vector<uint8_t> other = Inverted(held);
  const Answer written = co_await bench.Tell(cdb, other);
  if (IsUnknown(written)) co_return NotSupported("the command");
  if (IsProtected(written)) co_return Skip("the medium is write-protected");
  if (!written.good()) co_return Fail(Describe(written));
  std::string wrong = co_await ExpectBlocks(bench, 0, other);
  co_return Judge(std::move(wrong));
}

async::Task<Finding> Write6(Bench& bench) {
  return AroundBlocks(bench, 1, [](Bench& on, const std::vector<uint8_t>& held) {
    return CheckWrite(on, scsi::Write6(0, 1), held);
  });
}
async::Task<Finding> Write10(Bench& bench) {
  return AroundBlocks(bench, 2, [](Bench& on, const std::vector<uint8_t>& held) {
    return CheckWrite(on, scsi::Write10(0, 2), held);
  });
}
async::Task<Finding> Write12(Bench& bench) {
  return AroundBlocks(bench, 1, [](Bench& on, const std::vector<uint8_t>& held) {
    return CheckWrite(on, scsi::Write12(0, 1), held);
  });
}
async::Task<Finding> Write16(Bench& bench) {
  return AroundBlocks(bench, 1, [](Bench& on, const std::vector<uint8_t>& held) {
    return CheckWrite(on, scsi::Write16(0, 1), held);
  });
}

// A device that has no cache ignores FUA; one that refuses it says so in MODE SENSE (DPOFUA).
async::Task<Finding> WriteForced(Bench& bench) {
  const Cdb sense = scsi::ModeSense6(
      {.disable_block_descriptors = true, .page = 0x3f, .allocation_length = kPageLengthMax});
  const Answer mode = co_await bench.Ask(sense, kPageLengthMax);
  const bool forced = mode.good() && mode.data.size() >= 3 && (mode.data[2] & 0x10) != 0;
  if (!forced) co_return NotSupported("FUA (DPOFUA of MODE SENSE)");
  const auto body = [](Bench& on, const std::vector<uint8_t>& held) {
    return CheckWrite(on, scsi::Write10(0, 1, {.force_unit_access = true}), held);
  };
  const Finding found = co_await AroundBlocks(bench, 1, body);
  co_return found;
}

async::Task<Finding> WriteBeyond(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("every address of WRITE(10) exists");
  const std::vector<uint8_t> data(bench.block_size());
  const Cdb cdb = scsi::Write10(bench.blocks_count(), 1);
  const Answer answer = co_await bench.Tell(cdb, data);
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  co_return Judge(ExpectRefused(answer, 0x21));
}

// The last block is there, the next is not: neither may be written.
async::Task<Finding> WriteAcrossEnd(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("the end is beyond WRITE(10)");
  const uint64_t last = bench.blocks_count() - 1;
  const uint32_t length = bench.block_size();
  const Cdb read = scsi::Read10(last, 1);
  const Answer held = co_await bench.Ask(read, length);
  if (!held.good()) co_return Skip("the last block cannot be read: " + Describe(held));
  std::vector<uint8_t> twice = Inverted(held.data);
  twice.resize(size_t{2} * length);
  const Cdb write = scsi::Write10(last, 2);
  const Answer answer = co_await bench.Tell(write, twice);
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  std::string wrong = co_await ExpectBlocks(bench, last, held.data);
  if (!wrong.empty()) {
    const Cdb back = scsi::Write10(last, 1);
    co_await bench.Tell(back, held.data);
    co_return Fail("the last block was written");
  }
  co_return Judge(ExpectRefused(answer, 0x21));
}

async::Task<Finding> WriteNothing(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb cdb = scsi::Write10(0, 0);
  const Answer answer = co_await bench.Ask(cdb, 0);
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> WriteWithProtection(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const bool has_protection = co_await HasProtection(bench);
  if (has_protection) co_return Skip("the unit has protection information");
  const std::vector<uint8_t> data(bench.block_size());
  const Cdb cdb = CdbOf({0x2a, 0x20, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0});
  const Answer answer = co_await bench.Tell(cdb, data);
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  co_return Judge(ExpectRefused(answer, 0x24));
}

// ---- Commands that compare, combine or repeat ----

async::Task<Finding> WriteAndVerify(Bench& bench) {
  return AroundBlocks(bench, 1, [](Bench& on, const std::vector<uint8_t>& held) {
    return CheckWrite(on, CdbOf({0x2e, 0x02, 0, 0, 0, 0, 0, 0, 1, 0}), held);
  });
}

async::Task<Finding> CompareEqual(Bench& bench, const std::vector<uint8_t>& held) {
  std::vector<uint8_t> both = held;
  const std::vector<uint8_t> other = Inverted(held);
  both.insert(both.end(), other.begin(), other.end());
  const Cdb cdb = scsi::CompareAndWrite({.range = {.lba = 0, .blocks_count = 1}});
  const Answer answer = co_await bench.Tell(cdb, both);
  if (IsUnknown(answer)) co_return NotSupported("COMPARE AND WRITE");
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  if (!answer.good()) co_return Fail(Describe(answer));
  std::string wrong = co_await ExpectBlocks(bench, 0, other);
  co_return Judge(std::move(wrong));
}
async::Task<Finding> CompareDiffers(Bench& bench, const std::vector<uint8_t>& held) {
  std::vector<uint8_t> both = held;
  both.back() ^= 1;
  const std::vector<uint8_t> other = Inverted(held);
  both.insert(both.end(), other.begin(), other.end());
  const Cdb cdb = scsi::CompareAndWrite({.range = {.lba = 0, .blocks_count = 1}});
  const Answer answer = co_await bench.Tell(cdb, both);
  if (IsUnknown(answer)) co_return NotSupported("COMPARE AND WRITE");
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  std::string wrong = ExpectSense(answer, SenseKey::kMiscompare, 0x1d, 0);
  if (!wrong.empty()) co_return Fail(std::move(wrong));
  wrong = co_await ExpectBlocks(bench, 0, held);
  co_return Judge(std::move(wrong));
}
async::Task<Finding> CompareAndWriteEqual(Bench& bench) {
  return AroundBlocks(bench, 1, CompareEqual);
}
async::Task<Finding> CompareAndWriteOther(Bench& bench) {
  return AroundBlocks(bench, 1, CompareDiffers);
}

async::Task<Finding> OrWithHeld(Bench& bench, const std::vector<uint8_t>& held) {
  std::vector<uint8_t> mask(held.size());
  for (size_t index = 0; index < mask.size(); ++index) mask[index] = static_cast<uint8_t>(index);
  const Cdb cdb = scsi::OrWrite16({.range = {.lba = 0, .blocks_count = 1}});
  const Answer answer = co_await bench.Tell(cdb, mask);
  if (IsUnknown(answer)) co_return NotSupported("ORWRITE(16)");
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  if (!answer.good()) co_return Fail(Describe(answer));
  for (size_t index = 0; index < mask.size(); ++index) mask[index] |= held[index];
  std::string wrong = co_await ExpectBlocks(bench, 0, mask);
  co_return Judge(std::move(wrong));
}
async::Task<Finding> OrWrite(Bench& bench) {
  return AroundBlocks(bench, 1, OrWithHeld);
}

async::Task<Finding> SameForThree(Bench& bench, const std::vector<uint8_t>& held) {
  const size_t block_size = bench.block_size();
  const std::vector<uint8_t> one = Inverted(Bytes(held).first(block_size));
  const Cdb cdb = scsi::WriteSame10({.range = {.lba = 0, .blocks_count = 3}});
  const Answer answer = co_await bench.Tell(cdb, one);
  if (IsUnknown(answer)) co_return NotSupported("WRITE SAME(10)");
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  if (!answer.good()) co_return Fail(Describe(answer));
  std::vector<uint8_t> expected;
  for (int block = 0; block < 3; ++block) expected.insert(expected.end(), one.begin(), one.end());
  // The block behind them is as it was.
  expected.insert(expected.end(), held.end() - static_cast<ptrdiff_t>(block_size), held.end());
  std::string wrong = co_await ExpectBlocks(bench, 0, expected);
  co_return Judge(std::move(wrong));
}
async::Task<Finding> WriteSame(Bench& bench) {
  return AroundBlocks(bench, 4, SameForThree);
}

constexpr Case kCases[] = {
    {"write6", "SBC-3, 5, WRITE (6)", "what it wrote is read", true, Write6},
    {"write10", "SBC-3, 5, WRITE (10)", "what it wrote is read", true, Write10},
    {"write12", "SBC-3, 5, WRITE (12)", "what it wrote is read", true, Write12},
    {"write16", "SBC-3, 5, WRITE (16)", "what it wrote is read", true, Write16},
    {"write-forced", "SBC-3, 5, WRITE (10)", "what it wrote with FUA is read", true, WriteForced},
    {"write-beyond", "SBC-3, 4.4.2", "WRITE(10) behind the end is refused with 21h/00h", true,
     WriteBeyond},
    {"write-across", "SBC-3, 4.4.2", "WRITE(10) across the end writes nothing", true,
     WriteAcrossEnd},
    {"write-nothing", "SBC-3, 5, WRITE (10)", "WRITE(10) of no blocks is good", true, WriteNothing},
    {"write-protect", "SBC-3, 5, WRITE (10)",
     "WRPROTECT without protection is refused with 24h/00h", true, WriteWithProtection},
    {"write-verify", "SBC-3, 5, WRITE AND VERIFY (10)", "what it wrote is read", true,
     WriteAndVerify},
    {"compare-equal", "SBC-3, 5, COMPARE AND WRITE", "writes where the bytes are equal", true,
     CompareAndWriteEqual},
    {"compare-other", "SBC-3, 5, COMPARE AND WRITE", "1Dh/00h, and nothing is written, otherwise",
     true, CompareAndWriteOther},
    {"or-write", "SBC-3, 5, ORWRITE (16)", "each bit is set that was set in either", true, OrWrite},
    {"write-same", "SBC-3, 5, WRITE SAME (10)", "one block is written to each of three", true,
     WriteSame},
};

}  // namespace

std::span<const Case> ScsiWriteCases() {
  return kCases;
}

}  // namespace usbtwin::conform
