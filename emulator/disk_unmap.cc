// Thin provisioning of a Disk: UNMAP, WRITE SAME and GET LBA STATUS. What is unmapped reads as
// zeros at once (LBPRZ), whether or not the store gives the memory back. SBC-3, 4.7.
#include <algorithm>

#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::Sense;
using scsi::SenseKey;
using wire::scsi::UnmapDescriptor;
using wire::scsi::UnmapHeader;

namespace {

constexpr uint32_t kFillLength = 64 << 10;  // bytes in one piece of WRITE SAME
constexpr uint32_t kStatusDescriptorsMax = 64;
constexpr uint32_t kStatusStepsMax = 1024;  // extents of the store in one of them

// The whole descriptors of an UNMAP parameter list; what follows the last one is ignored.
std::span<const uint8_t> DescriptorsOf(Bytes list) {
  const auto& header = *wire::View<UnmapHeader>(list);
  const size_t length = header.descriptors_length / sizeof(UnmapDescriptor);
  return list.subspan(sizeof(UnmapHeader), length * sizeof(UnmapDescriptor));
}

}  // namespace

// ---- UNMAP ------------------------------------------------------------------------------------

void Disk::Run(Command& command, const scsi::cdb::Unmap& what) {
  constexpr uint32_t kListMax =
      sizeof(UnmapHeader) + (kUnmapDescriptorsMax + 1) * sizeof(UnmapDescriptor);
  if (!EnterWritable(command)) return;
  if (what.parameter_list_length == 0) return Finish(command);
  if (what.parameter_list_length < sizeof(UnmapHeader)) {
    return Fail(command, scsi::ListLengthError());
  }
  // One descriptor too many is refused for its number; more are not even asked for.
  if (what.parameter_list_length > kListMax) return Fail(command, scsi::InvalidFieldInCdb(7));
  command.write_through = !modes_.write_cache();
  Gather(command, what.parameter_list_length);
}

void Disk::Apply(Command& command, const scsi::cdb::Unmap&) {
  if (!EnterWritable(command)) return;
  const Bytes list = command.gathered;
  const auto& header = *wire::View<UnmapHeader>(list);
  if (header.descriptors_length > list.size() - sizeof(header)) {
    return Fail(command, scsi::ListLengthError());
  }
  Bytes rest = DescriptorsOf(list);
  if (rest.size() > kUnmapDescriptorsMax * sizeof(UnmapDescriptor)) {
    return Fail(command, scsi::InvalidFieldInList(2));
  }
  // All are checked before the first takes effect.
  uint64_t blocks_total = 0;
  uint16_t place = sizeof(header);
  while (const auto* descriptor = wire::View<UnmapDescriptor>(rest)) {
    const scsi::cdb::Range range{.lba = descriptor->lba, .blocks_count = descriptor->blocks_count};
    if (!EnterRange(command, range)) return;
    blocks_total += range.blocks_count;
    if (blocks_total > kUnmapMax / options_.block_size) {
      return Fail(command, scsi::InvalidFieldInList(static_cast<uint16_t>(place + 8)));
    }
    place += sizeof(*descriptor);
    rest = Drop(rest, sizeof(*descriptor));
  }
  command.length_out = command.length_total;
  command.store_offset = 0;  // from here on: bytes of descriptors that are dealt with
  if (SetNextUnmap(command) || FinishWritten(command, 0, 0)) Drive(command);
}

// The next descriptor with blocks. False: there are no more.
bool Disk::SetNextUnmap(Command& command) {
  Bytes rest = Drop(DescriptorsOf(command.gathered), command.store_offset);
  while (const auto* descriptor = wire::View<UnmapDescriptor>(rest)) {
    command.store_offset += sizeof(*descriptor);
    if (descriptor->blocks_count != 0) {
      SetUnmap(command, descriptor->lba * options_.block_size,
               uint64_t{descriptor->blocks_count} * options_.block_size);
      return true;
    }
    rest = Drop(rest, sizeof(*descriptor));
  }
  return false;
}

void Disk::SetUnmap(Command& command, uint64_t offset, uint64_t length) {
  set_work(command, Work::kUnmap);
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kUnmap;
  op.offset = offset;
  op.length = length;
  op.data = {};
}

bool Disk::AdvanceUnmap(Command& command, bool failed) {
  if (command.aborted) {
    FinishAborted(command);
    return false;
  }
  if (failed) {
    Fail(command, StoreSense(command.store_op));
    return false;
  }
  const bool listed = command.command_block[0] == static_cast<uint8_t>(wire::scsi::Opcode::kUnmap);
  if (listed && SetNextUnmap(command)) return true;
  return FinishWritten(command, 0, 0);
}

// ---- WRITE SAME -------------------------------------------------------------------------------

void Disk::Run(Command& command, const scsi::cdb::WriteSame& what) {
  if (!EnterWritable(command) || !EnterRange(command, what.range)) return;
  // No blocks would mean all that follow: WSNZ says that this is not supported.
  const uint32_t blocks_count = what.range.blocks_count;
  if (blocks_count == 0 || blocks_count > kWriteSameMax / options_.block_size) {
    return Fail(command, scsi::InvalidFieldInCdb(what.range.length_byte));
  }
  command.write_through = !modes_.write_cache();
  if (!what.no_data) return Gather(command, options_.block_size);
  command.gathered.assign(options_.block_size, 0);
  Apply(command, what);
}

void Disk::Apply(Command& command, const scsi::cdb::WriteSame& what) {
  if (!EnterWritable(command)) return;
  std::vector<uint8_t>& block = command.gathered;
  command.length_out = command.length_total;
  const uint64_t length = uint64_t{what.range.blocks_count} * options_.block_size;
  const bool zeros =
      std::all_of(block.begin(), block.end(), [](uint8_t byte) { return byte == 0; });
  if (what.unmap && zeros) {  // otherwise it would not read as what was sent
    SetUnmap(command, command.store_offset, length);
    return Drive(command);
  }
  const auto piece = static_cast<size_t>(std::min<uint64_t>(kFillLength, length));
  block.resize(piece);
  for (size_t filled = options_.block_size; filled < piece; filled += options_.block_size) {
    std::copy_n(block.begin(), options_.block_size, block.begin() + static_cast<ptrdiff_t>(filled));
  }
  command.store_op.offset = command.store_offset;
  SetFill(command);
  Drive(command);
}

void Disk::SetFill(Command& command) {
  set_work(command, Work::kFill);
  const auto meaning = scsi::ParseCdb(command.cdb());
  const auto& range = std::get<scsi::cdb::WriteSame>(*meaning).range;
  const uint64_t end = command.store_offset + uint64_t{range.blocks_count} * options_.block_size;
  StoreOp& op = command.store_op;
  op.kind = StoreOp::Kind::kWrite;
  op.data = Take(Bytes(command.gathered), end - op.offset);
  op.length = op.data.size();
}

bool Disk::AdvanceFill(Command& command, bool failed) {
  StoreOp& op = command.store_op;
  if (command.aborted) {
    FinishAborted(command);
    return false;
  }
  if (failed) {
    Fail(command, StoreSense(op));
    return false;
  }
  if (work(command) == Work::kFillPause) {
    SetFill(command);
    if (!op.data.empty()) return true;
    return FinishWritten(command, command.store_offset, op.offset - command.store_offset);
  }
  op.offset += op.length;
  Pause(command, Work::kFillPause);
  return false;
}

// ---- GET LBA STATUS ---------------------------------------------------------------------------

void Disk::Run(Command& command, const scsi::cdb::GetLbaStatus& what) {
  if (!EnterRange(command, {.lba = what.lba, .blocks_count = 1})) return;
  const uint64_t end = blocks_count_ * options_.block_size;
  const uint64_t wanted = what.allocation_length / sizeof(wire::scsi::LbaStatusDescriptor) + 1;
  const uint64_t descriptors_max = std::min<uint64_t>(wanted, kStatusDescriptorsMax);
  Reply descriptors;
  uint64_t offset = command.store_offset;
  while (offset < end &&
         descriptors.length() < descriptors_max * sizeof(wire::scsi::LbaStatusDescriptor)) {
    const StoreExtent extent = BlocksAt(offset);
    wire::scsi::LbaStatusDescriptor descriptor{};
    descriptor.lba = offset / options_.block_size;
    descriptor.blocks_count = static_cast<uint32_t>(extent.length / options_.block_size);
    descriptor.status = extent.mapped ? wire::scsi::kLbaMapped : wire::scsi::kLbaDeallocated;
    descriptors.Append(descriptor);
    offset += extent.length;
  }
  wire::scsi::LbaStatusHeader header{};
  header.length = static_cast<uint32_t>(sizeof(header) - 4 + descriptors.length());
  Reply reply;
  reply.Append(header);
  reply.Append(descriptors.view());
  Answer(command, reply, what.allocation_length);
}

// Blocks from byte `offset` on that are alike. A block is a hole where all of it is.
StoreExtent Disk::BlocksAt(uint64_t offset) const {
  const uint64_t block_size = options_.block_size;
  const auto at = [&](uint64_t place) -> StoreExtent {
    const StoreExtent extent = store_.ExtentAt(place);
    if (!extent.mapped && extent.length >= block_size) {
      return {.mapped = false, .length = extent.length / block_size * block_size};
    }
    const uint64_t blocks_count = extent.mapped ? (extent.length + block_size - 1) / block_size : 1;
    return {.length = blocks_count * block_size};
  };
  // As much as a descriptor can say, and no more than a command may spend its time on.
  const uint64_t length_max =
      std::min(blocks_count_ * block_size - offset, uint64_t{UINT32_MAX} * block_size);
  StoreExtent joined = at(offset);
  for (uint32_t steps = 1; steps < kStatusStepsMax && joined.length < length_max; ++steps) {
    const StoreExtent next = at(offset + joined.length);
    if (next.mapped != joined.mapped) break;
    joined.length += next.length;
  }
  joined.length = std::min(joined.length, length_max);
  return joined;
}

}  // namespace usbtwin::emulator
