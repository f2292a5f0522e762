// The parameters of a Disk: MODE SENSE, MODE SELECT and LOG SENSE.
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::Sense;
using wire::scsi::BlockDescriptor;
using wire::scsi::LongBlockDescriptor;

namespace {

constexpr uint8_t kSubpageAll = 0xff;

}  // namespace

void Disk::Run(Command& command, const scsi::cdb::ModeSense& what) {
  if (what.subpage != 0 && what.subpage != kSubpageAll) {
    return Fail(command, scsi::InvalidFieldInCdb(3));
  }
  Reply body;
  const uint16_t descriptor_length = AppendBlockDescriptor(what, body);
  if (!modes_.Append(what.page, what.control, body)) {
    return Fail(command, scsi::InvalidFieldInCdb(2, 5));
  }

  const auto device_specific = static_cast<uint8_t>(
      wire::scsi::kModeDpoFua | (write_protected() ? wire::scsi::kModeWriteProtected : 0));
  Reply reply;
  if (what.ten) {
    wire::scsi::ModeHeader10 header{};
    header.data_length = static_cast<uint16_t>(sizeof(header) - 2 + body.length());
    header.device_specific = device_specific;
    if (descriptor_length == sizeof(wire::scsi::LongBlockDescriptor)) {
      header.flags4 = wire::scsi::kLongLba;
    }
    header.block_descriptor_length = descriptor_length;
    reply.Append(header);
  } else {
    wire::scsi::ModeHeader6 header{};
    header.data_length = static_cast<uint8_t>(sizeof(header) - 1 + body.length());
    header.device_specific = device_specific;
    header.block_descriptor_length = static_cast<uint8_t>(descriptor_length);
    reply.Append(header);
  }
  reply.Append(body.view());
  Answer(command, reply, what.allocation_length);
}

uint64_t Disk::DescribedBlocks() const {
  const bool inside = medium_ == Medium::kReady || medium_ == Medium::kStopped;
  return inside ? blocks_count_ : 0;
}

uint16_t Disk::AppendBlockDescriptor(const scsi::cdb::ModeSense& what, Reply& reply) const {
  if (what.disable_block_descriptors) return 0;
  if (what.long_lba) {
    LongBlockDescriptor descriptor{};
    descriptor.blocks_count = DescribedBlocks();
    descriptor.block_length = options_.block_size;
    reply.Append(descriptor);
    return sizeof(descriptor);
  }
  BlockDescriptor descriptor{};
  descriptor.blocks_count =
      static_cast<uint32_t>(std::min<uint64_t>(DescribedBlocks(), UINT32_MAX));
  descriptor.block_length = options_.block_size;
  reply.Append(descriptor);
  return sizeof(descriptor);
}

// ---- MODE SELECT ------------------------------------------------------------------------------

void Disk::Run(Command& command, const scsi::cdb::ModeSelect& what) {
  if (what.parameter_list_length == 0) return Finish(command);  // no error. SPC-4, 6.11
  Gather(command, what.parameter_list_length);
}

void Disk::Apply(Command& command, const scsi::cdb::ModeSelect& what) {
  const Bytes list = command.gathered;
  const auto* six = wire::View<wire::scsi::ModeHeader6>(list);
  const auto* ten = wire::View<wire::scsi::ModeHeader10>(list);
  if (what.ten ? ten == nullptr : six == nullptr) return Fail(command, scsi::ListLengthError());
  const uint8_t medium_type = what.ten ? ten->medium_type : six->medium_type;
  if (medium_type != 0) return Fail(command, scsi::InvalidFieldInList(what.ten ? 2 : 1));
  const bool long_lba = what.ten && (ten->flags4 & wire::scsi::kLongLba) != 0;
  const size_t descriptor_length =
      what.ten ? uint16_t{ten->block_descriptor_length} : six->block_descriptor_length;
  size_t offset = what.ten ? sizeof(*ten) : sizeof(*six);
  if (descriptor_length != 0) {
    if (descriptor_length != (long_lba ? sizeof(LongBlockDescriptor) : sizeof(BlockDescriptor))) {
      return Fail(command, scsi::InvalidFieldInList(what.ten ? 6 : 3));
    }
    if (list.size() - offset < descriptor_length) return Fail(command, scsi::ListLengthError());
    if (const auto sense = JudgeBlockDescriptor(list, offset, long_lba)) {
      return Fail(command, *sense);
    }
    offset += descriptor_length;
  }
  const bool cached = modes_.write_cache() && !write_protected();
  const Result<bool, Sense> changed = modes_.Select(list, offset, what.save);
  if (!changed) return Fail(command, changed.error());
  command.length_out = command.length_total;
  if (*changed) {
    Announce(kAttentionMode, static_cast<uint16_t>(~(1u << command.initiator)));
  }
  // Before the cache is given up, or the medium protected, what is cached goes there. SBC-3, 6.5.5.
  command.write_through = cached && (!modes_.write_cache() || modes_.write_protected());
  if (FinishWritten(command, 0, 0)) Drive(command);
}

// Neither the number of blocks nor their length can be changed. Zero blocks means as they are.
std::optional<Sense> Disk::JudgeBlockDescriptor(Bytes list, size_t offset, bool long_lba) const {
  const Bytes bytes = list.subspan(offset);
  uint64_t blocks_count = 0;
  uint64_t block_length = 0;
  uint64_t blocks_max = DescribedBlocks();
  if (long_lba) {
    const auto& descriptor = *wire::View<LongBlockDescriptor>(bytes);
    blocks_count = descriptor.blocks_count;
    block_length = descriptor.block_length;
  } else {
    const auto& descriptor = *wire::View<BlockDescriptor>(bytes);
    blocks_count = descriptor.blocks_count;
    block_length = descriptor.block_length;
    blocks_max = std::min<uint64_t>(blocks_max, UINT32_MAX);
  }
  if (blocks_count != 0 && blocks_count != blocks_max) {
    return scsi::InvalidFieldInList(static_cast<uint16_t>(offset));
  }
  if (block_length != options_.block_size) {
    return scsi::InvalidFieldInList(static_cast<uint16_t>(offset + (long_lba ? 12 : 5)));
  }
  return std::nullopt;
}

// ---- LOG SENSE --------------------------------------------------------------------------------

void Disk::Run(Command& command, const scsi::cdb::LogSense& what) {
  Reply reply;
  if (const auto sense = log_.Append(what, modes_.exceptions_tested(), reply)) {
    return Fail(command, *sense);
  }
  Answer(command, reply, what.allocation_length);
}

}  // namespace usbtwin::emulator
