// Block commands: SBC-3, WRITE ATOMIC(16) of SBC-4, and START STOP UNIT and PREVENT ALLOW MEDIUM
// REMOVAL, which it specifies.
#include <cstddef>

#include "proto/scsi_parse.h"

namespace usbtwin::scsi {
namespace {

namespace raw = wire::scsi;  // the layouts this file is about

template <class Layout>
cdb::Range RangeOf(Bytes cdb) {
  const Layout& layout = As<Layout>(cdb);
  return {
      .lba = layout.lba, .blocks_count = layout.length, .length_byte = offsetof(Layout, length)};
}
template <>
cdb::Range RangeOf<raw::BlockCommand6>(Bytes cdb) {
  const auto& layout = As<raw::BlockCommand6>(cdb);
  const uint32_t blocks_count = layout.length == 0 ? 256 : layout.length;
  return {.lba = layout.lba & raw::kLbaMask6,
          .blocks_count = blocks_count,
          .length_byte = offsetof(raw::BlockCommand6, length)};
}

// The medium has no protection information, so nothing but 000b can be done. SBC-3, 4.22.
Sense InvalidProtection() {
  return InvalidFieldInCdb(1, 7);
}

template <class What, class Layout>
Parsed ParseTransfer(Bytes cdb) {
  What what{.range = RangeOf<Layout>(cdb)};
  if constexpr (!std::is_same_v<Layout, raw::BlockCommand6>) {
    const uint8_t flags = As<Layout>(cdb).flags;
    if ((flags & raw::kProtectMask) != 0) return InvalidProtection();
    what.disable_page_out = (flags & raw::kDisablePageOut) != 0;
    what.force_unit_access = (flags & raw::kForceUnitAccess) != 0;
  }
  return Meaning(what);
}

template <class Layout>
Parsed ParseVerify(Bytes cdb) {
  const uint8_t flags = As<Layout>(cdb).flags;
  if ((flags & raw::kProtectMask) != 0) return InvalidProtection();
  const uint8_t check = (flags & raw::kByteCheckMask) >> raw::kByteCheckShift;
  // 10b is reserved; 11b, one block against many, is optional and not offered.
  if (check > 1) return InvalidFieldInCdb(1, 2);
  return Meaning(cdb::Verify{.range = RangeOf<Layout>(cdb),
                             .disable_page_out = (flags & raw::kDisablePageOut) != 0,
                             .compare = check == 1});
}

Parsed ParseWriteAtomic(Bytes cdb) {
  const auto& layout = As<raw::WriteAtomicCommand>(cdb);
  if ((layout.flags & raw::kProtectMask) != 0) return InvalidProtection();
  return Meaning(cdb::WriteAtomic{.range = RangeOf<raw::WriteAtomicCommand>(cdb),
                                  .disable_page_out = (layout.flags & raw::kDisablePageOut) != 0,
                                  .force_unit_access = (layout.flags & raw::kForceUnitAccess) != 0,
                                  .boundary = layout.boundary});
}

template <class Layout>
Parsed ParseSynchronizeCache(Bytes cdb) {
  const bool immediate = (As<Layout>(cdb).flags & raw::kSyncImmediate) != 0;
  return Meaning(cdb::SynchronizeCache{.range = RangeOf<Layout>(cdb), .immediate = immediate});
}

template <class Layout>
Parsed ParseWriteAndVerify(Bytes cdb) {
  const uint8_t flags = As<Layout>(cdb).flags;
  if ((flags & raw::kProtectMask) != 0) return InvalidProtection();
  const uint8_t check = (flags & raw::kByteCheckMask) >> raw::kByteCheckShift;
  if (check > 1) return InvalidFieldInCdb(1, 2);
  return Meaning(cdb::WriteAndVerify{.range = RangeOf<Layout>(cdb),
                                     .disable_page_out = (flags & raw::kDisablePageOut) != 0,
                                     .compare = check == 1});
}

template <class Layout>
Parsed ParseWriteSame(Bytes cdb) {
  constexpr bool kSixteen = std::is_same_v<Layout, raw::BlockCommand16>;
  const uint8_t flags = As<Layout>(cdb).flags;
  if ((flags & raw::kProtectMask) != 0) return InvalidProtection();
  if ((flags & raw::kSameAnchor) != 0) return InvalidFieldInCdb(1, 4);  // nothing can be anchored
  if ((flags & raw::kSameObsolete) != 0) return InvalidFieldInCdb(1, 2);
  return Meaning(cdb::WriteSame{.range = RangeOf<Layout>(cdb),
                                .unmap = (flags & raw::kSameUnmap) != 0,
                                .no_data = kSixteen && (flags & raw::kSameNoData) != 0});
}

template <class Layout>
Parsed ParsePreFetch(Bytes cdb) {
  const bool immediate = (As<Layout>(cdb).flags & raw::kSyncImmediate) != 0;
  return Meaning(cdb::PreFetch{.range = RangeOf<Layout>(cdb), .immediate = immediate});
}

Parsed ParseUnmap(Bytes cdb) {
  const auto& layout = As<raw::UnmapCommand>(cdb);
  if ((layout.flags & raw::kUnmapAnchor) != 0) return InvalidFieldInCdb(1, 0);
  return Meaning(cdb::Unmap{.parameter_list_length = layout.parameter_list_length});
}

Parsed ParseGetLbaStatus(Bytes cdb) {
  const auto& layout = As<raw::GetLbaStatusCommand>(cdb);
  return Meaning(
      cdb::GetLbaStatus{.lba = layout.lba, .allocation_length = layout.allocation_length});
}

Parsed ParseReadDefectData10(Bytes cdb) {
  const auto& layout = As<raw::ReadDefectData10Command>(cdb);
  return Meaning(
      cdb::ReadDefectData{.lists = static_cast<uint8_t>(layout.flags & raw::kDefectListsMask),
                          .format = static_cast<uint8_t>(layout.flags & raw::kDefectFormatMask),
                          .allocation_length = layout.allocation_length});
}

Parsed ParseReadDefectData12(Bytes cdb) {
  const auto& layout = As<raw::ReadDefectData12Command>(cdb);
  return Meaning(
      cdb::ReadDefectData{.twelve = true,
                          .lists = static_cast<uint8_t>(layout.flags & raw::kDefectListsMask),
                          .format = static_cast<uint8_t>(layout.flags & raw::kDefectFormatMask),
                          .index = layout.index,
                          .allocation_length = layout.allocation_length});
}

// PMI and the address are obsolete; before that, an address without PMI was an error. SBC-2, 5.10.
template <class Layout>
bool StrayAddress(const Layout& layout) {
  return (layout.partial & raw::kPartialMedium) == 0 && layout.lba != 0;
}

Parsed ParseReadCapacity10(Bytes cdb) {
  if (StrayAddress(As<raw::ReadCapacity10Command>(cdb))) return InvalidFieldInCdb(2);
  return Meaning(cdb::ReadCapacity10{});
}

Parsed ParseReadCapacity16(Bytes cdb) {
  const auto& layout = As<raw::ReadCapacity16Command>(cdb);
  if (StrayAddress(layout)) return InvalidFieldInCdb(2);
  return Meaning(cdb::ReadCapacity16{.allocation_length = layout.allocation_length});
}

Parsed ParseStartStopUnit(Bytes cdb) {
  const auto& layout = As<raw::StartStopUnitCommand>(cdb);
  return Meaning(cdb::StartStopUnit{
      .immediate = (layout.flags & raw::kStartStopImmediate) != 0,
      .power_condition = static_cast<uint8_t>(layout.action >> raw::kPowerConditionShift),
      .modifier = static_cast<uint8_t>(layout.modifier & raw::kPowerModifierMask),
      .no_flush = (layout.action & raw::kNoFlush) != 0,
      .load_eject = (layout.action & raw::kLoadEject) != 0,
      .start = (layout.action & raw::kStart) != 0});
}

Parsed ParsePreventAllow(Bytes cdb) {
  const uint8_t prevent = As<raw::PreventAllowCommand>(cdb).prevent & raw::kPreventMask;
  // 10b and 11b, persistent prevention, are obsolete.
  if (prevent > 1) return InvalidFieldInCdb(4, 1);
  return Meaning(cdb::PreventAllowMediumRemoval{.prevent = prevent == 1});
}

Parsed ParseFormatUnit(Bytes cdb) {
  const uint8_t flags = As<raw::FormatUnitCommand>(cdb).flags;
  if ((flags & raw::kFormatProtection) != 0) return InvalidProtection();
  return Meaning(
      cdb::FormatUnit{.long_list = (flags & raw::kFormatLongList) != 0,
                      .has_list = (flags & raw::kFormatData) != 0,
                      .complete = (flags & raw::kFormatComplete) != 0,
                      .defect_format = static_cast<uint8_t>(flags & raw::kDefectFormatMask)});
}

Parsed ParseSanitize(Bytes cdb) {
  const auto& layout = As<raw::SanitizeCommand>(cdb);
  return Meaning(cdb::Sanitize{
      .action = static_cast<raw::SanitizeAction>(layout.flags & raw::kServiceActionMask),
      .immediate = (layout.flags & raw::kSanitizeImmediate) != 0,
      .unrestricted = (layout.flags & raw::kSanitizeUnrestricted) != 0,
      .parameter_list_length = layout.parameter_list_length});
}

constexpr auto kRead6 = ParseTransfer<cdb::Read, raw::BlockCommand6>;
constexpr auto kRead10 = ParseTransfer<cdb::Read, raw::BlockCommand10>;
constexpr auto kRead12 = ParseTransfer<cdb::Read, raw::BlockCommand12>;
constexpr auto kRead16 = ParseTransfer<cdb::Read, raw::BlockCommand16>;
constexpr auto kWrite6 = ParseTransfer<cdb::Write, raw::BlockCommand6>;
constexpr auto kWrite10 = ParseTransfer<cdb::Write, raw::BlockCommand10>;
constexpr auto kWrite12 = ParseTransfer<cdb::Write, raw::BlockCommand12>;
constexpr auto kWrite16 = ParseTransfer<cdb::Write, raw::BlockCommand16>;
constexpr auto kOrWrite16 = ParseTransfer<cdb::OrWrite, raw::BlockCommand16>;
constexpr auto kCompareAndWrite = ParseTransfer<cdb::CompareAndWrite, raw::CompareAndWriteCommand>;

const CommandRow kRows[] = {
    Row("04 ff 000000 04"_hex, ParseFormatUnit),
    Row("08 1fffff ff 04"_hex, kRead6),
    Row("0a 1fffff ff 04"_hex, kWrite6),
    Row("1b 01 00 0f f7 04"_hex, ParseStartStopUnit),
    Row("1e 000000 03 04"_hex, ParsePreventAllow),
    Row("25 00 ffffffff 0000 01 04"_hex, ParseReadCapacity10),
    Row("28 f8 ffffffff 00 ffff 04"_hex, kRead10),
    Row("2a f8 ffffffff 00 ffff 04"_hex, kWrite10),
    Row("2e f6 ffffffff 00 ffff 04"_hex, ParseWriteAndVerify<raw::BlockCommand10>),
    Row("2f f6 ffffffff 00 ffff 04"_hex, ParseVerify<raw::BlockCommand10>),
    Row("34 02 ffffffff 00 ffff 04"_hex, ParsePreFetch<raw::BlockCommand10>),
    Row("35 02 ffffffff 00 ffff 04"_hex, ParseSynchronizeCache<raw::BlockCommand10>),
    Row("37 00 1f 00000000 ffff 04"_hex, ParseReadDefectData10),
    Row("41 fe ffffffff 00 ffff 04"_hex, ParseWriteSame<raw::BlockCommand10>),
    Row("42 01 00000000 00 ffff 04"_hex, ParseUnmap),
    ActionRow("48 a1 0000000000 ffff 04"_hex, ParseSanitize),  // overwrite
    ActionRow("48 a2 0000000000 ffff 04"_hex, ParseSanitize),  // block erase
    ActionRow("48 bf 0000000000 ffff 04"_hex, ParseSanitize),  // exit failure mode
    Row("88 f8 ffffffffffffffff ffffffff 00 04"_hex, kRead16),
    Row("89 f8 ffffffffffffffff 000000 ff 00 04"_hex, kCompareAndWrite),
    Row("8a f8 ffffffffffffffff ffffffff 00 04"_hex, kWrite16),
    Row("8b f8 ffffffffffffffff ffffffff 00 04"_hex, kOrWrite16),
    Row("8e f6 ffffffffffffffff ffffffff 00 04"_hex, ParseWriteAndVerify<raw::BlockCommand16>),
    Row("8f f6 ffffffffffffffff ffffffff 00 04"_hex, ParseVerify<raw::BlockCommand16>),
    Row("90 02 ffffffffffffffff ffffffff 00 04"_hex, ParsePreFetch<raw::BlockCommand16>),
    Row("91 02 ffffffffffffffff ffffffff 00 04"_hex, ParseSynchronizeCache<raw::BlockCommand16>),
    Row("93 ff ffffffffffffffff ffffffff 00 04"_hex, ParseWriteSame<raw::BlockCommand16>),
    Row("9c f8 ffffffffffffffff ffff ffff 00 04"_hex, ParseWriteAtomic),
    ActionRow("9e 10 ffffffffffffffff ffffffff 01 04"_hex, ParseReadCapacity16),
    ActionRow("9e 12 ffffffffffffffff ffffffff 00 04"_hex, ParseGetLbaStatus),
    Row("a8 f8 ffffffff ffffffff 00 04"_hex, kRead12),
    Row("aa f8 ffffffff ffffffff 00 04"_hex, kWrite12),
    Row("ae f6 ffffffff ffffffff 00 04"_hex, ParseWriteAndVerify<raw::BlockCommand12>),
    Row("af f6 ffffffff ffffffff 00 04"_hex, ParseVerify<raw::BlockCommand12>),
    Row("b7 1f ffffffff ffffffff 00 04"_hex, ParseReadDefectData12),
};

}  // namespace

std::span<const CommandRow> BlockRows() {
  return kRows;
}

}  // namespace usbtwin::scsi
