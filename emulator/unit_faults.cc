#include "emulator/unit_faults.h"

#include "emulator/logical_unit.h"
#include "wire/scsi_data.h"

namespace usbtwin::emulator {

using fault::Kind;
using scsi::Meaning;
using scsi::Sense;
using scsi::SenseKey;

namespace {

template <class... Meanings>
bool IsAnyOf(const Meaning& meaning) {
  return (std::holds_alternative<Meanings>(meaning) || ...);
}

bool Writes(const Meaning& meaning) {
  return IsAnyOf<scsi::cdb::Write, scsi::cdb::WriteAndVerify, scsi::cdb::CompareAndWrite,
                 scsi::cdb::OrWrite, scsi::cdb::WriteAtomic, scsi::cdb::WriteSame, scsi::cdb::Unmap,
                 scsi::cdb::FormatUnit, scsi::cdb::Sanitize>(meaning);
}

bool NeedsMedium(const Meaning& meaning) {
  return Writes(meaning) ||
         IsAnyOf<scsi::cdb::TestUnitReady, scsi::cdb::ReadCapacity10, scsi::cdb::ReadCapacity16,
                 scsi::cdb::Read, scsi::cdb::Verify, scsi::cdb::PreFetch, scsi::cdb::GetLbaStatus,
                 scsi::cdb::SynchronizeCache>(meaning);
}

struct Refusal {
  Kind kind;
  Sense sense;
};
constexpr Refusal kRefusals[] = {
    {Kind::kNoSense, {.key = SenseKey::kNoSense}},
    {Kind::kRecoveredError, {.key = SenseKey::kRecoveredError, .asc = 0x17}},
    {Kind::kNotReady, {.key = SenseKey::kNotReady, .asc = 0x04, .ascq = 0x01}},
    {Kind::kMediumError, {.key = SenseKey::kMediumError, .asc = 0x11}},
    {Kind::kHardwareError, {.key = SenseKey::kHardwareError, .asc = 0x44}},
    {Kind::kIllegalRequest, {.key = SenseKey::kIllegalRequest, .asc = 0x24}},
    {Kind::kUnitAttention, {.key = SenseKey::kUnitAttention, .asc = 0x29}},
    {Kind::kDataProtect, {.key = SenseKey::kDataProtect, .asc = 0x27}},
    {Kind::kBlankCheck, {.key = SenseKey::kBlankCheck}},
    {Kind::kVendorSpecific, {.key = SenseKey::kVendorSpecific, .asc = 0x80}},
    {Kind::kCopyAborted, {.key = SenseKey::kCopyAborted}},
    {Kind::kAbortedCommand, {.key = SenseKey::kAbortedCommand, .asc = 0x47}},
    {Kind::kVolumeOverflow, {.key = SenseKey::kVolumeOverflow}},
    {Kind::kMiscompare, {.key = SenseKey::kMiscompare, .asc = 0x1d}},
    {Kind::kMediumRemoved, {.key = SenseKey::kNotReady, .asc = 0x3a}},
};

}  // namespace

std::optional<Sense> SenseOf(Kind kind) {
  for (const Refusal& refusal : kRefusals) {
    if (refusal.kind == kind) return refusal.sense;
  }
  return std::nullopt;
}

bool Lasts(Kind kind) {
  return kind == Kind::kNotReady || kind == Kind::kDataProtect || kind == Kind::kMediumRemoved;
}

bool Concerns(Kind kind, const Meaning& meaning) {
  if (kind == Kind::kDataProtect) return Writes(meaning);
  return NeedsMedium(meaning);
}

bool CanPlay(const fault::Rule& rule, const std::optional<Meaning>& meaning) {
  const Kind kind = rule.kind;
  if (kind == Kind::kSlow || kind == Kind::kNever) return true;
  // A command that nobody knows can meet what one without data and medium can.
  const Meaning what = meaning.value_or(scsi::cdb::StartStopUnit{});
  // At most: the block size is the unit's business.
  const scsi::DataPhase data = scsi::ExpectedData(what, scsi::kBlockLengthMax);
  if (kind == Kind::kShortData) {
    return data.direction == scsi::Direction::kIn && rule.length_or_default() < data.length;
  }
  if (kind == Kind::kLyingCapacity) {
    return IsAnyOf<scsi::cdb::ReadCapacity10, scsi::cdb::ReadCapacity16>(what);
  }
  if (IsAnyOf<scsi::cdb::RequestSense>(what)) return false;
  if (Lasts(kind)) return Concerns(kind, what);
  if (kind == Kind::kRecoveredError) return data.length != 0;
  if (kind == Kind::kUnitAttention)
    return !IsAnyOf<scsi::cdb::Inquiry, scsi::cdb::ReportLuns>(what);
  return true;
}

bool DoubleCapacity(MutableBytes room, uint32_t length) {
  const auto twice = [](uint64_t lba_final, uint64_t max) {
    return lba_final >= max / 2 ? max : lba_final * 2 + 1;
  };
  if (length < sizeof(wire::scsi::Capacity10)) return false;
  if (length == sizeof(wire::scsi::Capacity10)) {
    auto capacity = *wire::View<wire::scsi::Capacity10>(room);
    capacity.lba_final = static_cast<uint32_t>(twice(capacity.lba_final, UINT32_MAX));
    CopyBytes(room, wire::AsBytes(capacity));
  } else {
    auto capacity = *wire::View<wire::scsi::Capacity16>(room);
    capacity.lba_final = twice(capacity.lba_final, UINT64_MAX);
    CopyBytes(room, wire::AsBytes(capacity));
  }
  return true;
}

}  // namespace usbtwin::emulator
