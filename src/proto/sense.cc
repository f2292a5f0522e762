#include "proto/sense.h"

#include "base/check.h"
#include "wire/scsi_data.h"

namespace usbtwin::scsi {
namespace {

using wire::View;
using wire::scsi::DescriptorSense;
using wire::scsi::FixedSense;
using wire::scsi::InformationDescriptor;
using wire::scsi::KeySpecificDescriptor;
using wire::scsi::SenseDescriptorHeader;
using KeySpecific = std::array<uint8_t, 3>;

KeySpecific EmitField(const FieldPointer& field) {
  uint8_t flags = wire::scsi::kKeySpecificValid;
  if (field.in_command) flags |= wire::scsi::kFieldInCommand;
  if (field.bit_valid) {
    flags |= wire::scsi::kFieldBitValid;
    flags |= field.bit & wire::scsi::kFieldBitMask;
  }
  return {flags, static_cast<uint8_t>(field.byte >> 8), static_cast<uint8_t>(field.byte)};
}

// SPC-4, 4.5.2.4.4.
KeySpecific EmitProgress(uint16_t progress) {
  return {wire::scsi::kKeySpecificValid, static_cast<uint8_t>(progress >> 8),
          static_cast<uint8_t>(progress)};
}

// The bytes where there is something to say.
std::optional<KeySpecific> EmitKeySpecific(const Sense& sense) {
  if (sense.field_valid) return EmitField(sense.field);
  if (sense.progress_valid) return EmitProgress(sense.progress);
  return std::nullopt;
}

// The three bytes mean a field pointer only for Illegal Request. SPC-4, table 34.
void ParseKeySpecific(const KeySpecific& bytes, Sense& sense) {
  const bool progresses = sense.key == SenseKey::kNoSense || sense.key == SenseKey::kNotReady;
  if (progresses && (bytes[0] & wire::scsi::kKeySpecificValid) != 0) {
    sense.progress_valid = true;
    sense.progress = static_cast<uint16_t>(bytes[1] << 8 | bytes[2]);
  }
  if (sense.key != SenseKey::kIllegalRequest) return;
  if ((bytes[0] & wire::scsi::kKeySpecificValid) == 0) return;
  sense.field_valid = true;
  sense.field.in_command = (bytes[0] & wire::scsi::kFieldInCommand) != 0;
  sense.field.bit_valid = (bytes[0] & wire::scsi::kFieldBitValid) != 0;
  sense.field.bit =
      sense.field.bit_valid ? static_cast<uint8_t>(bytes[0] & wire::scsi::kFieldBitMask) : 0;
  sense.field.byte = static_cast<uint16_t>(bytes[1] << 8 | bytes[2]);
}

std::optional<Sense> ParseFixed(Bytes bytes) {
  constexpr size_t kThroughLength = 8;  // up to and with ADDITIONAL SENSE LENGTH
  constexpr size_t kThroughCodes = 14;  // up to and with ADDITIONAL SENSE CODE QUALIFIER
  if (bytes.size() < kThroughCodes) return std::nullopt;
  // What the device did not fill in counts as zero, whatever lies there.
  std::array<uint8_t, sizeof(FixedSense)> filled{};
  const FixedSense& fixed = *View<FixedSense>(filled);
  CopyBytes(filled, Take(bytes, kThroughLength));
  CopyBytes(filled, Take(bytes, kThroughLength + fixed.additional_length));

  Sense sense;
  sense.key = static_cast<SenseKey>(fixed.flags2 & wire::scsi::kSenseKeyMask);
  sense.asc = fixed.asc;
  sense.ascq = fixed.ascq;
  sense.information_valid = (fixed.response_code & wire::scsi::kInformationValid) != 0;
  if (sense.information_valid) sense.information = fixed.information;
  ParseKeySpecific(fixed.key_specific, sense);
  return sense;
}

std::optional<Sense> ParseDescriptors(Bytes bytes) {
  constexpr size_t kThroughCodes = 4;
  if (bytes.size() < kThroughCodes) return std::nullopt;
  Sense sense;
  sense.key = static_cast<SenseKey>(bytes[1] & wire::scsi::kSenseKeyMask);
  sense.asc = bytes[2];
  sense.ascq = bytes[3];
  const auto* header = View<DescriptorSense>(bytes);
  if (header == nullptr) return sense;

  Bytes rest = Take(Drop(bytes, sizeof(DescriptorSense)), header->additional_length);
  while (const auto* descriptor = View<SenseDescriptorHeader>(rest)) {
    const size_t length = sizeof(SenseDescriptorHeader) + descriptor->additional_length;
    const Bytes whole = Take(rest, length);
    rest = Drop(rest, length);
    if (descriptor->type == wire::scsi::kInformationDescriptor) {
      const auto* information = View<InformationDescriptor>(whole);
      if (information == nullptr) continue;
      // Without VALID it says nothing, not even against one before it.
      if ((information->valid & wire::scsi::kInformationValid) == 0) continue;
      sense.information_valid = true;
      sense.information = information->information;
    } else if (descriptor->type == wire::scsi::kKeySpecificDescriptor) {
      const auto* specific = View<KeySpecificDescriptor>(whole);
      if (specific != nullptr) ParseKeySpecific(specific->key_specific, sense);
    }
  }
  return sense;
}

}  // namespace

const char* Name(SenseKey key) {
  switch (key) {
    case SenseKey::kNoSense: return "No Sense";
    case SenseKey::kRecoveredError: return "Recovered Error";
    case SenseKey::kNotReady: return "Not Ready";
    case SenseKey::kMediumError: return "Medium Error";
    case SenseKey::kHardwareError: return "Hardware Error";
    case SenseKey::kIllegalRequest: return "Illegal Request";
    case SenseKey::kUnitAttention: return "Unit Attention";
    case SenseKey::kDataProtect: return "Data Protect";
    case SenseKey::kBlankCheck: return "Blank Check";
    case SenseKey::kVendorSpecific: return "Vendor Specific";
    case SenseKey::kCopyAborted: return "Copy Aborted";
    case SenseKey::kAbortedCommand: return "Aborted Command";
    case SenseKey::kReserved: return "Reserved";
    case SenseKey::kVolumeOverflow: return "Volume Overflow";
    case SenseKey::kMiscompare: return "Miscompare";
    case SenseKey::kCompleted: return "Completed";
  }
  return "Unknown";
}

uint32_t EmitFixedSense(const Sense& sense, MutableBytes target) {
  CHECK_LE(kFixedSenseLength, target.size());
  FixedSense fixed{};
  fixed.response_code = sense.deferred ? wire::scsi::kFixedDeferred : wire::scsi::kFixedCurrent;
  fixed.flags2 = static_cast<uint8_t>(sense.key);
  fixed.additional_length = sizeof(FixedSense) - 8;
  fixed.asc = sense.asc;
  fixed.ascq = sense.ascq;
  if (sense.information_valid && sense.information <= UINT32_MAX) {
    fixed.response_code |= wire::scsi::kInformationValid;
    fixed.information = static_cast<uint32_t>(sense.information);
  }
  if (const auto bytes = EmitKeySpecific(sense)) fixed.key_specific = *bytes;
  wire::Emit(target, fixed);
  return kFixedSenseLength;
}

uint32_t EmitDescriptorSense(const Sense& sense, MutableBytes target) {
  CHECK_LE(kDescriptorSenseLengthMax, target.size());
  DescriptorSense header{};
  header.response_code =
      sense.deferred ? wire::scsi::kDescriptorDeferred : wire::scsi::kDescriptorCurrent;
  header.key = static_cast<uint8_t>(sense.key);
  header.asc = sense.asc;
  header.ascq = sense.ascq;
  MutableBytes rest = Drop(target, sizeof(DescriptorSense));
  if (sense.information_valid) {
    InformationDescriptor information{};
    information.header = {wire::scsi::kInformationDescriptor, sizeof(InformationDescriptor) - 2};
    information.valid = wire::scsi::kInformationValid;
    information.information = sense.information;
    header.additional_length += sizeof(InformationDescriptor);
    rest = wire::Emit(rest, information);
  }
  if (const auto bytes = EmitKeySpecific(sense)) {
    KeySpecificDescriptor specific{};
    specific.header = {wire::scsi::kKeySpecificDescriptor, sizeof(KeySpecificDescriptor) - 2};
    specific.key_specific = *bytes;
    header.additional_length += sizeof(KeySpecificDescriptor);
    wire::Emit(rest, specific);
  }
  wire::Emit(target, header);
  return static_cast<uint32_t>(sizeof(DescriptorSense)) + header.additional_length;
}

std::string SenseFailure::Describe() const {
  if (refused) return "the device refused REQUEST SENSE";
  return std::string("REQUEST SENSE: ") + usbtwin::Name(kind) + " in " + usbtwin::Name(phase);
}

std::optional<Sense> ParseSense(Bytes bytes) {
  if (bytes.empty()) return std::nullopt;
  const uint8_t response_code = bytes[0] & wire::scsi::kResponseCodeMask;
  std::optional<Sense> sense;
  bool deferred = false;
  switch (response_code) {
    case wire::scsi::kFixedDeferred: deferred = true; [[fallthrough]];
    case wire::scsi::kFixedCurrent: sense = ParseFixed(bytes); break;
    case wire::scsi::kDescriptorDeferred: deferred = true; [[fallthrough]];
    case wire::scsi::kDescriptorCurrent: sense = ParseDescriptors(bytes); break;
    default: break;
  }
  if (sense.has_value()) sense->deferred = deferred;
  return sense;
}

}  // namespace usbtwin::scsi
