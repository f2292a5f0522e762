// INQUIRY of a Disk: who it is (standard data), and its vital product data pages.
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using wire::scsi::VpdHeader;
using wire::scsi::VpdPage;

namespace {

constexpr uint32_t kVendorLength = 8;
constexpr uint32_t kProductLength = 16;
constexpr uint32_t kRevisionLength = 4;
constexpr uint32_t kSerialLengthMax = 64;

constexpr std::array kVitalPages = {
    VpdPage::kSupportedPages,
    VpdPage::kUnitSerialNumber,
    VpdPage::kDeviceIdentification,
    VpdPage::kPowerCondition,
    VpdPage::kBlockLimits,
    VpdPage::kBlockDeviceCharacteristics,
    VpdPage::kLogicalBlockProvisioning,
};

// A name of 60 bits that the same vendor, product and serial number always give (FNV-1a).
uint64_t NameOf(const DiskOptions& options) {
  uint64_t hash = 0xcbf29ce484222325;
  for (std::string_view text : {std::string_view(options.vendor), std::string_view(options.product),
                                std::string_view(options.serial)}) {
    for (char letter : text) {
      hash = (hash ^ static_cast<uint8_t>(letter)) * 0x100000001b3;
    }
    hash = (hash ^ 0xff) * 0x100000001b3;  // a border, so that "ab","c" is not "a","bc"
  }
  return hash & 0x0fffffffffffffff;
}

VpdHeader HeaderOf(VpdPage page, size_t length) {
  VpdHeader header{};
  header.peripheral = wire::scsi::kPeripheralDisk;
  header.page_code = static_cast<uint8_t>(page);
  header.length = static_cast<uint16_t>(length);
  return header;
}

std::string_view SerialOf(const DiskOptions& options) {
  return std::string_view(options.serial).substr(0, kSerialLengthMax);
}

}  // namespace

void Disk::Run(Command& command, const scsi::cdb::Inquiry& what) {
  Reply reply;
  if (what.vital) {
    if (!AppendVitalPage(what.page, reply)) return Fail(command, scsi::InvalidFieldInCdb(2));
    return Answer(command, reply, what.allocation_length);
  }
  wire::scsi::StandardInquiry inquiry{};
  inquiry.peripheral = wire::scsi::kPeripheralDisk;
  inquiry.removable = options_.removable ? wire::scsi::kRemovableMedium : uint8_t{0};
  inquiry.version = wire::scsi::kVersionSpc4;
  inquiry.response_format = wire::scsi::kResponseFormat2;
  wire::scsi::InquiryVersions more{};
  more.versions = {wire::scsi::kClaimsSam5, wire::scsi::kClaimsSpc4, wire::scsi::kClaimsSbc3};
  inquiry.additional_length = sizeof(inquiry) + sizeof(more) - 5;
  if (command.queueing) inquiry.flags7 = wire::scsi::kCommandQueuing;
  reply.Append(wire::AsBytes(inquiry).first(sizeof(inquiry) - kVendorLength - kProductLength -
                                            kRevisionLength));
  reply.AppendPadded(options_.vendor, kVendorLength);
  reply.AppendPadded(options_.product, kProductLength);
  reply.AppendPadded(options_.revision, kRevisionLength);
  reply.Append(more);
  Answer(command, reply, what.allocation_length);
}

bool Disk::AppendVitalPage(uint8_t page, Reply& reply) const {
  const uint32_t block_size = options_.block_size;
  switch (static_cast<VpdPage>(page)) {
    case VpdPage::kSupportedPages:
      reply.Append(HeaderOf(VpdPage::kSupportedPages, kVitalPages.size()));
      for (VpdPage code : kVitalPages) reply.Append(static_cast<uint8_t>(code));
      return true;
    case VpdPage::kUnitSerialNumber:
      reply.Append(HeaderOf(VpdPage::kUnitSerialNumber, SerialOf(options_).size()));
      reply.Append(TextBytes(SerialOf(options_)));
      return true;
    case VpdPage::kDeviceIdentification: AppendIdentification(reply); return true;
    case VpdPage::kPowerCondition: {
      wire::scsi::PowerConditionPage power{};  // coming back takes no time
      power.header = HeaderOf(VpdPage::kPowerCondition, sizeof(power) - sizeof(VpdHeader));
      power.standby = 0x03;
      power.idle = 0x07;
      reply.Append(power);
      return true;
    }
    case VpdPage::kBlockLimits: {
      wire::scsi::BlockLimitsPage limits{};
      limits.header = HeaderOf(VpdPage::kBlockLimits, sizeof(limits) - sizeof(VpdHeader));
      limits.flags4 = wire::scsi::kWriteSameNeedsLength;
      limits.compare_write_max =
          static_cast<uint8_t>(std::min(kSwapMax / block_size, uint32_t{UINT8_MAX}));
      limits.transfer_granularity = static_cast<uint16_t>(4096 / block_size);
      limits.transfer_max = kTransferMax / block_size;
      limits.transfer_optimal = BlockStore::kWindowMax / block_size;
      limits.unmap_blocks_max = static_cast<uint32_t>(kUnmapMax / block_size);
      limits.unmap_descriptors_max = kUnmapDescriptorsMax;
      limits.unmap_granularity = kUnmapGranularity / block_size;
      limits.unmap_alignment = wire::scsi::kUnmapAlignmentValid;  // from block 0 on
      limits.write_same_max = kWriteSameMax / block_size;
      limits.atomic_max = kAtomicMax / block_size;
      limits.atomic_alignment = kAtomicUnit / block_size;
      limits.atomic_granularity = kAtomicUnit / block_size;
      limits.atomic_boundary_max = kAtomicMax / block_size;
      limits.boundary_max = kAtomicMax / block_size;
      reply.Append(limits);
      return true;
    }
    case VpdPage::kBlockDeviceCharacteristics: {
      wire::scsi::BlockCharacteristicsPage characteristics{};
      characteristics.header = HeaderOf(VpdPage::kBlockDeviceCharacteristics,
                                        sizeof(characteristics) - sizeof(VpdHeader));
      characteristics.rotation_rate = wire::scsi::kRotationNone;
      characteristics.form_factor = wire::scsi::kErasedIsReadable;
      reply.Append(characteristics);
      return true;
    }
    case VpdPage::kLogicalBlockProvisioning: {
      wire::scsi::ProvisioningPage provisioning{};
      provisioning.header =
          HeaderOf(VpdPage::kLogicalBlockProvisioning, sizeof(provisioning) - sizeof(VpdHeader));
      provisioning.flags5 = wire::scsi::kProvisioningUnmap | wire::scsi::kProvisioningSame16 |
                            wire::scsi::kProvisioningSame10 | wire::scsi::kProvisioningReadsZero;
      provisioning.type = wire::scsi::kProvisioningThin;
      reply.Append(provisioning);
      return true;
    }
  }
  return false;
}

// Two names for the unit: a number that programs compare, and text that people read. SPC-4, 7.8.5.
void Disk::AppendIdentification(Reply& reply) const {
  const std::string_view serial = SerialOf(options_);
  wire::scsi::DesignationDescriptor number{};
  number.code_set = wire::scsi::kCodeSetBinary;
  number.type = wire::scsi::kDesignatorNaa;
  number.length = 8;
  wire::scsi::DesignationDescriptor text{};
  text.code_set = wire::scsi::kCodeSetAscii;
  text.type = wire::scsi::kDesignatorT10Vendor;
  text.length = static_cast<uint8_t>(kVendorLength + kProductLength + serial.size());

  reply.Append(HeaderOf(VpdPage::kDeviceIdentification,
                        sizeof(number) + number.length + sizeof(text) + text.length));
  constexpr uint64_t kLocallyAssigned = uint64_t{3} << 60;  // NAA 3h: unique within a system
  reply.Append(number);
  reply.Append(wire::Be64(kLocallyAssigned | NameOf(options_)));
  reply.Append(text);
  reply.AppendPadded(options_.vendor, kVendorLength);
  reply.AppendPadded(options_.product, kProductLength);
  reply.Append(TextBytes(serial));
}

}  // namespace usbtwin::emulator
