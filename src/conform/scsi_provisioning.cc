// Commands that unmap blocks, and what a unit says of mapped and unmapped ones. SBC-3, 4.7.
#include "conform/scsi_writes.h"
#include "wire/scsi_data.h"
#include "wire/scsi_unit.h"

namespace usbtwin::conform {

using Answer = Bench::Answer;
using scsi::Cdb;

namespace {

constexpr uint8_t kProvisioning = 0xb2;

// The flags of page B2h; 0 where it is not there.
async::Task<uint8_t> ProvisioningFlags(Bench& bench) {
  const std::vector<uint8_t> page = co_await VitalPage(bench, kProvisioning);
  const auto* flags = wire::View<wire::scsi::ProvisioningPage>(page);
  co_return flags == nullptr ? uint8_t{0} : flags->flags5;
}

std::vector<uint8_t> UnmapList(uint64_t lba, uint32_t blocks_count) {
  std::vector<uint8_t> list(sizeof(wire::scsi::UnmapHeader) + sizeof(wire::scsi::UnmapDescriptor));
  const wire::scsi::UnmapHeader header{
      .data_length = static_cast<uint16_t>(list.size() - 2),
      .descriptors_length = uint16_t{sizeof(wire::scsi::UnmapDescriptor)}};
  const MutableBytes rest = wire::Emit(list, header);
  wire::Emit(rest, wire::scsi::UnmapDescriptor{.lba = lba, .blocks_count = blocks_count});
  return list;
}

async::Task<Answer> Unmap(Bench& bench, const std::vector<uint8_t>& list) {
  const Cdb cdb = scsi::Unmap({.parameter_list_length = static_cast<uint16_t>(list.size())});
  const Answer answer = co_await bench.Tell(cdb, list);
  co_return answer;
}

// LBPME of READ CAPACITY(16) and page B2h go together.
async::Task<Finding> ProvisioningAgrees(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb cdb = scsi::ReadCapacity16(32);
  const Answer answer = co_await bench.Ask(cdb, 32);
  if (IsUnknown(answer)) co_return NotSupported("READ CAPACITY(16)");
  const auto* capacity = wire::View<wire::scsi::Capacity16>(answer.data);
  if (capacity == nullptr) co_return Fail("READ CAPACITY(16): " + Describe(answer));
  const bool enabled = (capacity->provisioning & wire::scsi::kProvisioningEnabled) != 0;
  const uint8_t flags = co_await ProvisioningFlags(bench);
  const bool unmaps = (flags & 0xe0) != 0;
  if (enabled == unmaps) co_return Pass();
  co_return Fail(enabled ? "LBPME is set, and page B2h says that nothing unmaps"
                         : "page B2h says that blocks can be unmapped, and LBPME is not set");
}

async::Task<Finding> LbaStatus(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb cdb = scsi::GetLbaStatus({.lba = 0, .allocation_length = 8 + 16 * 4});
  const Answer answer = co_await bench.Ask(cdb, 8 + 16 * 4);
  if (IsUnknown(answer) || IsRefused(answer, 0x24)) co_return NotSupported("GET LBA STATUS");
  if (!answer.good()) co_return Fail(Describe(answer));
  if (answer.data.size() < 24) co_return Fail("no descriptor came");
  uint64_t next = 0;
  for (size_t place = 8; place + 16 <= answer.data.size(); place += 16) {
    if (NumberAt(answer.data, place, 8) != next) co_return Fail("the descriptors leave a gap");
    const uint64_t count = NumberAt(answer.data, place + 8, 4);
    if (count == 0) co_return Fail("a descriptor of no blocks");
    next += count;
  }
  if (next > bench.blocks_count()) co_return Fail("the descriptors go beyond the last block");
  co_return Pass();
}

async::Task<Finding> LbaStatusBeyond(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb cdb = scsi::GetLbaStatus({.lba = bench.blocks_count(), .allocation_length = 24});
  const Answer answer = co_await bench.Ask(cdb, 24);
  if (IsUnknown(answer) || IsRefused(answer, 0x24)) co_return NotSupported("GET LBA STATUS");
  co_return Judge(ExpectRefused(answer, 0x21));
}

// Unmapped blocks read as zeros where LBPRZ says so, and are written anew as any others.
async::Task<Finding> UnmapHeld(Bench& bench, const std::vector<uint8_t>& held) {
  const uint8_t flags = co_await ProvisioningFlags(bench);
  if ((flags & wire::scsi::kProvisioningUnmap) == 0) co_return NotSupported("UNMAP");
  const std::vector<uint8_t> list = UnmapList(0, 8);
  const Answer answer = co_await Unmap(bench, list);
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  if (!answer.good()) co_return Fail(Describe(answer));
  if ((flags & wire::scsi::kProvisioningReadsZero) == 0) co_return Pass();
  const std::vector<uint8_t> zeros(held.size());
  std::string wrong = co_await ExpectBlocks(bench, 0, zeros);
  co_return Judge(std::move(wrong));
}
async::Task<Finding> UnmapBlocks(Bench& bench) {
  return AroundBlocks(bench, 8, UnmapHeld);
}

async::Task<Finding> CheckUnmapRefused(Bench& bench, std::vector<uint8_t> list, uint8_t asc) {
  if (!bench.has_medium()) co_return NoMedium();
  const uint8_t flags = co_await ProvisioningFlags(bench);
  if ((flags & wire::scsi::kProvisioningUnmap) == 0) co_return NotSupported("UNMAP");
  const Answer answer = co_await Unmap(bench, list);
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  co_return Judge(ExpectRefused(answer, asc));
}
async::Task<Finding> UnmapBeyond(Bench& bench) {
  return CheckUnmapRefused(bench, UnmapList(bench.blocks_count(), 1), 0x21);
}
// PARAMETER LIST LENGTH ERROR.
async::Task<Finding> UnmapCut(Bench& bench) {
  std::vector<uint8_t> list = UnmapList(0, 1);
  list.resize(7);
  return CheckUnmapRefused(bench, list, 0x1a);
}

async::Task<Finding> UnmapNothing(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const uint8_t flags = co_await ProvisioningFlags(bench);
  if ((flags & wire::scsi::kProvisioningUnmap) == 0) co_return NotSupported("UNMAP");
  const Cdb cdb = scsi::Unmap({.parameter_list_length = 0});
  const Answer answer = co_await bench.Ask(cdb, 0);
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> SameZeros(Bench& bench, const std::vector<uint8_t>& held) {
  const uint8_t flags = co_await ProvisioningFlags(bench);
  if ((flags & wire::scsi::kProvisioningSame16) == 0) co_return NotSupported("unmapping so");
  const Cdb cdb = scsi::WriteSame16({.range = {.lba = 0, .blocks_count = 8}, .unmap = true});
  const std::vector<uint8_t> zero(bench.block_size());
  const Answer answer = co_await bench.Tell(cdb, zero);
  if (IsProtected(answer)) co_return Skip("the medium is write-protected");
  if (!answer.good()) co_return Fail(Describe(answer));
  const std::vector<uint8_t> zeros(held.size());
  std::string wrong = co_await ExpectBlocks(bench, 0, zeros);
  co_return Judge(std::move(wrong));
}
async::Task<Finding> WriteSameUnmap(Bench& bench) {
  return AroundBlocks(bench, 8, SameZeros);
}

constexpr Case kCases[] = {
    {"thin-agrees", "SBC-3, 4.7", "LBPME and the page B2h agree", false, ProvisioningAgrees},
    {"lba-status", "SBC-3, 5, GET LBA STATUS", "the descriptors follow each other without a gap",
     false, LbaStatus},
    {"lba-status-beyond", "SBC-3, 5, GET LBA STATUS", "behind the end it is refused with 21h/00h",
     false, LbaStatusBeyond},
    {"unmap", "SBC-3, 5, UNMAP", "unmapped blocks read as LBPRZ says, and can be written", true,
     UnmapBlocks},
    {"unmap-beyond", "SBC-3, 5, UNMAP", "behind the end it is refused with 21h/00h", true,
     UnmapBeyond},
    {"unmap-cut", "SBC-3, 5, UNMAP", "a list of 7 bytes is refused with 1Ah/00h", true, UnmapCut},
    {"unmap-nothing", "SBC-3, 5, UNMAP", "a list of no bytes is good", true, UnmapNothing},
    {"write-same-unmap", "SBC-3, 5, WRITE SAME (16)", "UNMAP with a block of zeros leaves zeros",
     true, WriteSameUnmap},
};

}  // namespace

std::span<const Case> ScsiProvisioningCases() {
  return kCases;
}

}  // namespace usbtwin::conform
