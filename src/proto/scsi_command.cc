#include "proto/scsi_command.h"

#include <cstddef>

#include "base/overloaded.h"

namespace usbtwin::scsi {
namespace {

namespace raw = wire::scsi;  // the layouts this file is about

using Parsed = Result<Meaning, Sense>;
using Parser = Parsed (*)(Bytes cdb);

// ---- Parsing: the CDB is as long as its operation code demands --------------------------------

template <class Layout>
const Layout& As(Bytes cdb) {
  return *wire::View<Layout>(cdb);
}

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
  return Meaning(cdb::Verify{.range = RangeOf<Layout>(cdb), .compare = check == 1});
}

template <class Layout>
Parsed ParseSynchronizeCache(Bytes cdb) {
  const bool immediate = (As<Layout>(cdb).flags & raw::kSyncImmediate) != 0;
  return Meaning(cdb::SynchronizeCache{.range = RangeOf<Layout>(cdb), .immediate = immediate});
}

Parsed ParseTestUnitReady(Bytes) {
  return Meaning(cdb::TestUnitReady{});
}

Parsed ParseRequestSense(Bytes cdb) {
  const auto& layout = As<raw::RequestSenseCommand>(cdb);
  return Meaning(cdb::RequestSense{.descriptor = (layout.flags & raw::kSenseDescriptorFormat) != 0,
                                   .allocation_length = layout.allocation_length});
}

Parsed ParseInquiry(Bytes cdb) {
  const auto& layout = As<raw::InquiryCommand>(cdb);
  if ((layout.flags & raw::kInquiryCommandData) != 0) return InvalidFieldInCdb(1, 1);
  const bool vital = (layout.flags & raw::kInquiryVitalProductData) != 0;
  // SPC-4, 6.6.1: without EVPD a page code is an error.
  if (!vital && layout.page_code != 0) return InvalidFieldInCdb(2);
  return Meaning(cdb::Inquiry{
      .vital = vital, .page = layout.page_code, .allocation_length = layout.allocation_length});
}

template <class Layout>
Parsed ParseModeSense(Bytes cdb) {
  constexpr bool kTen = std::is_same_v<Layout, raw::ModeSense10Command>;
  const Layout& layout = As<Layout>(cdb);
  return Meaning(cdb::ModeSense{
      .ten = kTen,
      .long_lba = kTen && (layout.flags & raw::kModeLongLba) != 0,
      .disable_block_descriptors = (layout.flags & raw::kModeDisableBlockDescriptors) != 0,
      .control = static_cast<cdb::PageControl>(layout.page >> raw::kModePageControlShift),
      .page = static_cast<uint8_t>(layout.page & raw::kModePageCodeMask),
      .subpage = layout.subpage,
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

Parsed ParseServiceActionIn16(Bytes cdb) {
  const auto& layout = As<raw::ReadCapacity16Command>(cdb);
  if ((layout.service_action & raw::kServiceActionMask) != raw::kServiceActionReadCapacity16) {
    return InvalidFieldInCdb(1, 4);
  }
  if (StrayAddress(layout)) return InvalidFieldInCdb(2);
  return Meaning(cdb::ReadCapacity16{.allocation_length = layout.allocation_length});
}

Parsed ParseReportLuns(Bytes cdb) {
  const auto& layout = As<raw::ReportLunsCommand>(cdb);
  return Meaning(
      cdb::ReportLuns{.select = layout.select, .allocation_length = layout.allocation_length});
}

Parsed ParseStartStopUnit(Bytes cdb) {
  const auto& layout = As<raw::StartStopUnitCommand>(cdb);
  return Meaning(cdb::StartStopUnit{
      .immediate = (layout.flags & raw::kStartStopImmediate) != 0,
      .power_condition = static_cast<uint8_t>(layout.action >> raw::kPowerConditionShift),
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

constexpr std::array<Parser, 256> MakeParsers() {
  std::array<Parser, 256> parsers{};
  auto set = [&parsers](raw::Opcode opcode, Parser parser) {
    parsers[static_cast<uint8_t>(opcode)] = parser;
  };
  set(raw::Opcode::kTestUnitReady, ParseTestUnitReady);
  set(raw::Opcode::kRequestSense, ParseRequestSense);
  set(raw::Opcode::kInquiry, ParseInquiry);
  set(raw::Opcode::kModeSense6, ParseModeSense<raw::ModeSense6Command>);
  set(raw::Opcode::kModeSense10, ParseModeSense<raw::ModeSense10Command>);
  set(raw::Opcode::kReadCapacity10, ParseReadCapacity10);
  set(raw::Opcode::kServiceActionIn16, ParseServiceActionIn16);
  set(raw::Opcode::kRead6, ParseTransfer<cdb::Read, raw::BlockCommand6>);
  set(raw::Opcode::kRead10, ParseTransfer<cdb::Read, raw::BlockCommand10>);
  set(raw::Opcode::kRead12, ParseTransfer<cdb::Read, raw::BlockCommand12>);
  set(raw::Opcode::kRead16, ParseTransfer<cdb::Read, raw::BlockCommand16>);
  set(raw::Opcode::kWrite6, ParseTransfer<cdb::Write, raw::BlockCommand6>);
  set(raw::Opcode::kWrite10, ParseTransfer<cdb::Write, raw::BlockCommand10>);
  set(raw::Opcode::kWrite12, ParseTransfer<cdb::Write, raw::BlockCommand12>);
  set(raw::Opcode::kWrite16, ParseTransfer<cdb::Write, raw::BlockCommand16>);
  set(raw::Opcode::kVerify10, ParseVerify<raw::BlockCommand10>);
  set(raw::Opcode::kVerify16, ParseVerify<raw::BlockCommand16>);
  set(raw::Opcode::kSynchronizeCache10, ParseSynchronizeCache<raw::BlockCommand10>);
  set(raw::Opcode::kSynchronizeCache16, ParseSynchronizeCache<raw::BlockCommand16>);
  set(raw::Opcode::kReportLuns, ParseReportLuns);
  set(raw::Opcode::kStartStopUnit, ParseStartStopUnit);
  set(raw::Opcode::kPreventAllowMediumRemoval, ParsePreventAllow);
  return parsers;
}
constexpr std::array<Parser, 256> kParsers = MakeParsers();

}  // namespace

Result<Meaning, Sense> ParseCdb(Bytes cdb) {
  if (cdb.empty()) return InvalidOpcode();
  const Parser parser = kParsers[cdb[0]];
  if (parser == nullptr) return InvalidOpcode();
  const size_t length = raw::CdbLength(cdb[0]);
  // The first byte that is missing is the one in error.
  if (cdb.size() < length) return InvalidFieldInCdb(static_cast<uint16_t>(cdb.size()));
  // Auto contingent allegiance is not supported: NORMACA is zero. SAM-5, 5.2.
  if ((cdb[length - 1] & raw::kControlNaca) != 0) {
    return InvalidFieldInCdb(static_cast<uint16_t>(length - 1), 2);
  }
  return parser(cdb);
}

DataPhase ExpectedData(const Meaning& meaning, uint32_t block_size) {
  auto blocks = [block_size](Direction direction, const cdb::Range& range) {
    if (range.blocks_count == 0) return DataPhase{};
    return DataPhase{direction, uint64_t{range.blocks_count} * block_size};
  };
  auto in = [](uint32_t length) {
    return length == 0 ? DataPhase{} : DataPhase{Direction::kIn, length};
  };
  return std::visit(Overloaded{
                        [](const cdb::TestUnitReady&) { return DataPhase{}; },
                        [&](const cdb::RequestSense& what) { return in(what.allocation_length); },
                        [&](const cdb::Inquiry& what) { return in(what.allocation_length); },
                        [&](const cdb::ModeSense& what) { return in(what.allocation_length); },
                        [&](const cdb::ReadCapacity10&) { return in(sizeof(raw::Capacity10)); },
                        [&](const cdb::ReadCapacity16& what) { return in(what.allocation_length); },
                        [&](const cdb::Read& what) { return blocks(Direction::kIn, what.range); },
                        [&](const cdb::Write& what) { return blocks(Direction::kOut, what.range); },
                        [&](const cdb::Verify& what) {
                          return what.compare ? blocks(Direction::kOut, what.range) : DataPhase{};
                        },
                        [](const cdb::SynchronizeCache&) { return DataPhase{}; },
                        [&](const cdb::ReportLuns& what) { return in(what.allocation_length); },
                        [](const cdb::StartStopUnit&) { return DataPhase{}; },
                        [](const cdb::PreventAllowMediumRemoval&) { return DataPhase{}; },
                    },
                    meaning);
}

Sense InvalidOpcode() {
  Sense sense;
  sense.key = SenseKey::kIllegalRequest;
  sense.asc = 0x20;
  sense.field_valid = true;  // the operation code: byte 0
  return sense;
}

Sense InvalidFieldInCdb(uint16_t byte, std::optional<uint8_t> bit) {
  Sense sense;
  sense.key = SenseKey::kIllegalRequest;
  sense.asc = 0x24;
  sense.field_valid = true;
  sense.field = {
      .in_command = true, .bit_valid = bit.has_value(), .bit = bit.value_or(0), .byte = byte};
  return sense;
}

}  // namespace usbtwin::scsi
