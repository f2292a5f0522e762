// What a block device asks a unit before it uses it: who it is, whether it is ready, how large.
#include <algorithm>
#include <bit>

#include "host/block_device.h"
#include "wire/scsi.h"

namespace usbtwin::host {

namespace {

using wire::scsi::Capacity10;
using wire::scsi::Capacity16;
using wire::scsi::Opcode;
using wire::scsi::StandardInquiry;

constexpr uint32_t kInquiryLengthMin = 5;    // up to and with ADDITIONAL LENGTH
constexpr uint32_t kCapacityLengthMin = 12;  // of READ CAPACITY(16): address and block length
constexpr uint8_t kQualifierShift = 5;

// PERIPHERAL DEVICE TYPE of what has blocks. SPC-4, table 140.
constexpr uint8_t kTypeDisk = 0x00;
constexpr uint8_t kTypeCd = 0x05;
constexpr uint8_t kTypeOptical = 0x07;
constexpr uint8_t kTypeSimplifiedDisk = 0x0e;

bool HasBlocks(uint8_t type) {
  return type == kTypeDisk || type == kTypeCd || type == kTypeOptical ||
         type == kTypeSimplifiedDisk;
}

// Printable ASCII without the spaces and zeros at the end; a device may send anything.
std::string Text(Bytes field) {
  std::string text;
  for (const uint8_t letter : field) {
    text += letter >= 0x20 && letter <= 0x7e ? static_cast<char>(letter) : letter == 0 ? ' ' : '?';
  }
  text.resize(text.find_last_not_of(' ') + 1);
  return text;
}

BlockError Fault(Opcode opcode, ErrorKind kind, const char* text,
                 std::array<uint64_t, 3> values = {}) {
  return {.error = {.kind = kind, .text = text, .values = values},
          .opcode = static_cast<uint8_t>(opcode),
          .attempts_count = 1};
}

}  // namespace

async::Task<BlockResult> BlockDevice::Open() {
  is_open_ = false;
  facts_ = {};
  const BlockResult known = co_await Inquire();
  if (!known) co_return known;
  const BlockResult ready = co_await AwaitReady();
  if (!ready) co_return ready;
  const BlockResult sized = co_await ReadCapacity();
  if (!sized) co_return sized;
  is_open_ = true;
  co_return BlockResult();
}

async::Task<BlockResult> BlockDevice::Inquire() {
  // Room that the device does not fill reads as zeros: no name.
  std::array<uint8_t, sizeof(StandardInquiry)> room{};
  const Command command{.cdb = scsi::Inquiry(false, 0, sizeof(StandardInquiry)),
                        .in = room,
                        .in_length = sizeof(StandardInquiry),
                        .length_min = kInquiryLengthMin,
                        .timeout = options_.command_timeout};
  const bool done = co_await Run(command);
  if (!done) co_return error_;
  const uint32_t length = ValidLength(command, result_);
  std::fill(room.begin() + length, room.end(), uint8_t{0});
  const StandardInquiry& inquiry = *wire::View<StandardInquiry>(room);
  facts_.peripheral_type = inquiry.peripheral & wire::scsi::kPeripheralTypeMask;
  facts_.version = inquiry.version;
  facts_.removable = (inquiry.removable & wire::scsi::kRemovableMedium) != 0;
  facts_.vendor = Text(inquiry.vendor);
  facts_.product = Text(inquiry.product);
  facts_.revision = Text(inquiry.revision);
  if (inquiry.peripheral >> kQualifierShift != 0) {
    co_return Fault(Opcode::kInquiry, ErrorKind::kNotFound,
                    "there is no unit at LUN {}: peripheral qualifier {}",
                    {options_.lun, static_cast<uint64_t>(inquiry.peripheral >> kQualifierShift)});
  }
  if (!HasBlocks(facts_.peripheral_type)) {
    co_return Fault(Opcode::kInquiry, ErrorKind::kUnsupported,
                    "peripheral device type {} is no block device", {facts_.peripheral_type});
  }
  co_return BlockResult();
}

async::Task<BlockResult> BlockDevice::AwaitReady() {
  const Command command{.cdb = scsi::TestUnitReady(), .timeout = options_.command_timeout};
  const bool done = co_await Run(command);
  if (!done) co_return error_;
  co_return BlockResult();
}

async::Task<BlockResult> BlockDevice::ReadCapacity() {
  std::array<uint8_t, sizeof(Capacity10)> room{};
  const Command command{.cdb = scsi::ReadCapacity10(),
                        .in = room,
                        .in_length = sizeof(Capacity10),
                        .timeout = options_.command_timeout};
  const bool done = co_await Run(command);
  if (!done) co_return error_;
  const Capacity10& capacity = *wire::View<Capacity10>(room);
  if (capacity.lba_final == UINT32_MAX) {
    const BlockResult sized = co_await ReadLongCapacity();
    co_return sized;
  }
  co_return SetCapacity(command.cdb.bytes[0], capacity.lba_final, capacity.block_length);
}

async::Task<BlockResult> BlockDevice::ReadLongCapacity() {
  std::array<uint8_t, sizeof(Capacity16)> room{};
  const Command command{.cdb = scsi::ReadCapacity16(sizeof(Capacity16)),
                        .in = room,
                        .in_length = sizeof(Capacity16),
                        .length_min = kCapacityLengthMin,
                        .timeout = options_.command_timeout};
  const bool done = co_await Run(command);
  if (!done) co_return error_;
  const uint32_t length = ValidLength(command, result_);
  std::fill(room.begin() + length, room.end(), uint8_t{0});
  const Capacity16& capacity = *wire::View<Capacity16>(room);
  const BlockResult sized =
      SetCapacity(command.cdb.bytes[0], capacity.lba_final, capacity.block_length);
  if (!sized) co_return sized;
  facts_.long_capacity = true;
  facts_.physical_exponent = capacity.physical & 0x0f;
  facts_.thin = (capacity.provisioning & wire::scsi::kProvisioningEnabled) != 0;
  co_return BlockResult();
}

BlockResult BlockDevice::SetCapacity(uint8_t opcode, uint64_t lba_final, uint32_t block_size) {
  const auto code = static_cast<Opcode>(opcode);
  const bool sane =
      std::has_single_bit(block_size) && block_size >= kBlockSizeMin && block_size <= kBlockSizeMax;
  if (!sane) {
    return Fault(code, ErrorKind::kProtocol, "blocks of {} bytes: not a power of two from {} to {}",
                 {block_size, kBlockSizeMin, kBlockSizeMax});
  }
  if (lba_final >= static_cast<uint64_t>(INT64_MAX) / block_size) {
    return Fault(code, ErrorKind::kProtocol,
                 "the last block is {}: with blocks of {} bytes no size of 63 bits",
                 {lba_final, block_size});
  }
  facts_.block_size = block_size;
  facts_.blocks_count = lba_final + 1;
  return BlockResult();
}

}  // namespace usbtwin::host
