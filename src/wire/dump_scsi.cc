// Bulk-only wrappers, command blocks and sense data as lines.
#include <algorithm>
#include <cinttypes>

#include "wire/bot.h"
#include "wire/dump.h"
#include "wire/dump_lines.h"
#include "wire/scsi.h"

namespace usbtwin::wire {
namespace {

struct OpcodeEntry {
  uint8_t opcode;
  const char* name;
};

// What hosts send to disks, bridges and readers, whether or not our twins know it. SPC-4, E.3.1.
constexpr OpcodeEntry kOpcodes[] = {
    {0x00, "TEST UNIT READY"},
    {0x01, "REZERO UNIT"},
    {0x03, "REQUEST SENSE"},
    {0x04, "FORMAT UNIT"},
    {0x07, "REASSIGN BLOCKS"},
    {0x08, "READ(6)"},
    {0x0a, "WRITE(6)"},
    {0x0b, "SEEK(6)"},
    {0x12, "INQUIRY"},
    {0x15, "MODE SELECT(6)"},
    {0x16, "RESERVE(6)"},
    {0x17, "RELEASE(6)"},
    {0x1a, "MODE SENSE(6)"},
    {0x1b, "START STOP UNIT"},
    {0x1c, "RECEIVE DIAGNOSTIC RESULTS"},
    {0x1d, "SEND DIAGNOSTIC"},
    {0x1e, "PREVENT ALLOW MEDIUM REMOVAL"},
    {0x23, "READ FORMAT CAPACITIES"},
    {0x25, "READ CAPACITY(10)"},
    {0x28, "READ(10)"},
    {0x2a, "WRITE(10)"},
    {0x2b, "SEEK(10)"},
    {0x2e, "WRITE AND VERIFY(10)"},
    {0x2f, "VERIFY(10)"},
    {0x34, "PRE-FETCH(10)"},
    {0x35, "SYNCHRONIZE CACHE(10)"},
    {0x37, "READ DEFECT DATA(10)"},
    {0x3b, "WRITE BUFFER"},
    {0x3c, "READ BUFFER(10)"},
    {0x41, "WRITE SAME(10)"},
    {0x42, "UNMAP"},
    {0x43, "READ TOC/PMA/ATIP"},
    {0x46, "GET CONFIGURATION"},
    {0x48, "SANITIZE"},
    {0x4a, "GET EVENT STATUS NOTIFICATION"},
    {0x4c, "LOG SELECT"},
    {0x4d, "LOG SENSE"},
    {0x51, "READ DISC INFORMATION"},
    {0x55, "MODE SELECT(10)"},
    {0x5a, "MODE SENSE(10)"},
    {0x5e, "PERSISTENT RESERVE IN"},
    {0x5f, "PERSISTENT RESERVE OUT"},
    {0x7f, "variable length"},
    {0x85, "ATA PASS-THROUGH(16)"},
    {0x88, "READ(16)"},
    {0x89, "COMPARE AND WRITE"},
    {0x8a, "WRITE(16)"},
    {0x8e, "WRITE AND VERIFY(16)"},
    {0x8f, "VERIFY(16)"},
    {0x90, "PRE-FETCH(16)"},
    {0x91, "SYNCHRONIZE CACHE(16)"},
    {0x93, "WRITE SAME(16)"},
    {0x9e, "SERVICE ACTION IN(16)"},
    {0x9f, "SERVICE ACTION OUT(16)"},
    {0xa0, "REPORT LUNS"},
    {0xa1, "ATA PASS-THROUGH(12)"},
    {0xa2, "SECURITY PROTOCOL IN"},
    {0xa3, "MAINTENANCE IN"},
    {0xa4, "MAINTENANCE OUT"},
    {0xa8, "READ(12)"},
    {0xaa, "WRITE(12)"},
    {0xab, "SERVICE ACTION IN(12)"},
    {0xad, "READ DVD STRUCTURE"},
    {0xae, "WRITE AND VERIFY(12)"},
    {0xaf, "VERIFY(12)"},
    {0xb5, "SECURITY PROTOCOL OUT"},
    {0xb7, "READ DEFECT DATA(12)"},
};
constexpr bool OpcodesSorted() {
  return std::is_sorted(
      std::begin(kOpcodes), std::end(kOpcodes),
      [](const OpcodeEntry& left, const OpcodeEntry& right) { return left.opcode < right.opcode; });
}
static_assert(OpcodesSorted());

}  // namespace

const char* OpcodeName(uint8_t opcode) {
  const auto* entry = std::lower_bound(
      std::begin(kOpcodes), std::end(kOpcodes), opcode,
      [](const OpcodeEntry& left, uint8_t wanted) { return left.opcode < wanted; });
  return entry != std::end(kOpcodes) && entry->opcode == opcode ? entry->name : nullptr;
}

namespace dump {
namespace {

using scsi::Opcode;

constexpr const char* kSenseKeys[] = {
    "no sense",       "recovered error", "not ready",      "medium error",
    "hardware error", "illegal request", "unit attention", "data protect",
    "blank check",    "vendor specific", "copy aborted",   "aborted command",
    "reserved",       "volume overflow", "miscompare",     "completed"};

// Commands that name blocks, with the layout their group prescribes. SBC-3, 5.
bool NamesBlocks(uint8_t opcode) {
  switch (opcode) {
    case 0x08:
    case 0x0a:
    case 0x28:
    case 0x2a:
    case 0x2e:
    case 0x2f:
    case 0x34:
    case 0x35:
    case 0x41:
    case 0x88:
    case 0x8a:
    case 0x8e:
    case 0x8f:
    case 0x90:
    case 0x91:
    case 0x93:
    case 0xa8:
    case 0xaa:
    case 0xae:
    case 0xaf: return true;
  }
  return false;
}

bool AnySet(Bytes bytes) {
  return std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; });
}

void AddBlocks(Lines& lines, uint64_t lba, uint32_t blocks, uint8_t flags) {
  lines.More(" lba %" PRIu64 " blocks %" PRIu32, lba, blocks);
  if (flags != 0) lines.More(" flags %02x", flags);
}

void AddBlockCommand(Lines& lines, Bytes cdb) {
  if (cdb.size() == sizeof(scsi::BlockCommand6)) {
    const auto& command = *View<scsi::BlockCommand6>(cdb);
    const uint32_t blocks = command.length == 0 ? 256 : command.length;
    AddBlocks(lines, command.lba & scsi::kLbaMask6, blocks, 0);
  } else if (cdb.size() == sizeof(scsi::BlockCommand10)) {
    const auto& command = *View<scsi::BlockCommand10>(cdb);
    AddBlocks(lines, command.lba, command.length, command.flags);
  } else if (cdb.size() == sizeof(scsi::BlockCommand12)) {
    const auto& command = *View<scsi::BlockCommand12>(cdb);
    AddBlocks(lines, command.lba, command.length, command.flags);
  } else if (cdb.size() == sizeof(scsi::BlockCommand16)) {
    const auto& command = *View<scsi::BlockCommand16>(cdb);
    AddBlocks(lines, command.lba, command.length, command.flags);
  }
}

// The fields of a command block that is as long as its group says.
void AddFields(Lines& lines, Bytes cdb) {
  if (NamesBlocks(cdb[0])) {
    AddBlockCommand(lines, cdb);
    return;
  }
  switch (static_cast<Opcode>(cdb[0])) {
    case Opcode::kInquiry: {
      const auto& command = *View<scsi::InquiryCommand>(cdb);
      if ((command.flags & scsi::kInquiryVitalProductData) != 0) {
        lines.More(" page %02x", command.page_code);
      }
      lines.More(" allocation %u", unsigned{command.allocation_length});
      return;
    }
    case Opcode::kRequestSense:
      lines.More(" allocation %u", View<scsi::RequestSenseCommand>(cdb)->allocation_length);
      return;
    case Opcode::kModeSense6: {
      const auto& command = *View<scsi::ModeSense6Command>(cdb);
      lines.More(" page %02x/%02x allocation %u", command.page & scsi::kModePageCodeMask,
                 command.subpage, command.allocation_length);
      return;
    }
    case Opcode::kModeSense10: {
      const auto& command = *View<scsi::ModeSense10Command>(cdb);
      lines.More(" page %02x/%02x allocation %u", command.page & scsi::kModePageCodeMask,
                 command.subpage, unsigned{command.allocation_length});
      return;
    }
    case Opcode::kStartStopUnit: {
      const uint8_t action = View<scsi::StartStopUnitCommand>(cdb)->action;
      lines.More(" %s%s", (action & scsi::kStart) != 0 ? "start" : "stop",
                 (action & scsi::kLoadEject) != 0 ? " and load or eject" : "");
      return;
    }
    case Opcode::kPreventAllowMediumRemoval:
      lines.More(" %s", (View<scsi::PreventAllowCommand>(cdb)->prevent & scsi::kPreventMask) != 0
                            ? "prevent"
                            : "allow");
      return;
    case Opcode::kUnmap:
      lines.More(" parameters %u", unsigned{View<scsi::UnmapCommand>(cdb)->parameter_list_length});
      return;
    case Opcode::kReportLuns:
      lines.More(" select %02x allocation %u", View<scsi::ReportLunsCommand>(cdb)->select,
                 unsigned{View<scsi::ReportLunsCommand>(cdb)->allocation_length});
      return;
    case Opcode::kServiceActionIn16: {
      const auto& command = *View<scsi::ReadCapacity16Command>(cdb);
      const unsigned action = command.service_action & scsi::kServiceActionMask;
      if (action == scsi::kServiceActionReadCapacity16) {
        lines.More(" READ CAPACITY(16)");
      } else {
        lines.More(" action %02x", action);
      }
      lines.More(" allocation %u", unsigned{command.allocation_length});
      return;
    }
    default: break;  // the name and the bytes must do
  }
  const Bytes fields = Drop(cdb, 1);
  if (AnySet(fields)) lines.Hex(cdb);
}

void AddKeySpecific(Lines& lines, unsigned key, Bytes specific) {
  if ((specific[0] & scsi::kKeySpecificValid) == 0) return;
  const unsigned value = static_cast<unsigned>(specific[1] << 8 | specific[2]);
  if (key != 5) {
    lines.More(", key specific %02x %04x", specific[0], value);
    return;
  }
  lines.More(", %s byte %u", (specific[0] & scsi::kFieldInCommand) != 0 ? "command" : "parameter",
             value);
  if ((specific[0] & scsi::kFieldBitValid) != 0) {
    lines.More(" bit %u", specific[0] & scsi::kFieldBitMask);
  }
}

void AddFixedSense(Lines& lines, Bytes bytes, const char* when) {
  // Up to ASCQ. What follows may be missing: SPC-4, 4.5.3.
  constexpr size_t kLengthMin = 14;
  constexpr size_t kSpecificOffset = 15;
  if (bytes.size() < kLengthMin) {
    lines.Truncated("fixed sense", bytes, sizeof(scsi::FixedSense));
    return;
  }
  const unsigned key = bytes[2] & scsi::kSenseKeyMask;
  lines.Add("sense fixed %s: key %x (%s) asc %02x ascq %02x", when, key, kSenseKeys[key], bytes[12],
            bytes[13]);
  if ((bytes[0] & scsi::kInformationValid) != 0) {
    lines.More(", information %u", unsigned{*View<Be32>(bytes.subspan(3))});
  }
  if (bytes.size() >= sizeof(scsi::FixedSense)) {
    AddKeySpecific(lines, key, bytes.subspan(kSpecificOffset, 3));
  }
  const size_t length = size_t{8} + bytes[7];
  if (length > bytes.size()) lines.More(", truncated: %zu of %zu bytes", bytes.size(), length);
  lines.Leftover(Drop(bytes, std::max(length, sizeof(scsi::FixedSense))));
}

void AddDescriptorSense(Lines& lines, Bytes bytes, const char* when) {
  const auto* sense = View<scsi::DescriptorSense>(bytes);
  if (sense == nullptr) {
    lines.Truncated("descriptor sense", bytes, sizeof(*sense));
    return;
  }
  const unsigned key = sense->key & scsi::kSenseKeyMask;
  lines.Add("sense descriptor %s: key %x (%s) asc %02x ascq %02x", when, key, kSenseKeys[key],
            sense->asc, sense->ascq);
  const size_t length = sizeof(*sense) + sense->additional_length;
  Bytes rest = Drop(Take(bytes, length), sizeof(*sense));
  while (const auto* header = View<scsi::SenseDescriptorHeader>(rest)) {
    const Bytes descriptor = Take(rest, sizeof(*header) + header->additional_length);
    const auto* information = View<scsi::InformationDescriptor>(descriptor);
    const auto* specific = View<scsi::KeySpecificDescriptor>(descriptor);
    if (header->type == scsi::kInformationDescriptor && information != nullptr) {
      lines.More(", information %" PRIu64, uint64_t{information->information});
    } else if (header->type == scsi::kKeySpecificDescriptor && specific != nullptr) {
      AddKeySpecific(lines, key, specific->key_specific);
    } else {
      lines.More(", descriptor %02x", header->type);
      lines.Hex(descriptor);
    }
    rest = Drop(rest, descriptor.size());
  }
  if (length > bytes.size()) lines.More(", truncated: %zu of %zu bytes", bytes.size(), length);
  if (!rest.empty()) lines.More(", odd: %zu bytes at the end", rest.size());
  lines.Leftover(Drop(bytes, length));
}

}  // namespace

void AddCommandWrapper(Lines& lines, Bytes bytes) {
  const auto* wrapper = View<bot::CommandBlockWrapper>(bytes);
  if (wrapper == nullptr) {
    lines.Truncated("CBW", bytes, sizeof(*wrapper));
    return;
  }
  lines.Add("CBW tag %x, %u bytes %s, lun %u, command block %u", unsigned{wrapper->tag},
            unsigned{wrapper->data_length},
            (wrapper->flags & bot::kDirectionIn) != 0 ? "in" : "out", wrapper->lun,
            wrapper->command_length);
  // What makes a CBW not valid or not meaningful: BOT 1.0, 6.2.
  if (wrapper->signature != bot::kCommandSignature) {
    lines.More(", odd: signature %08x", unsigned{wrapper->signature});
  }
  if ((wrapper->flags & ~bot::kDirectionIn) != 0) lines.More(", odd: flags %02x", wrapper->flags);
  if (wrapper->lun > bot::kLunMax) lines.More(", odd: lun above 15");
  if (wrapper->command_length == 0 || wrapper->command_length > bot::kCommandBlockLengthMax) {
    lines.More(", odd: command block length");
  }
  lines.Indent();
  AddCdb(lines, Take(Bytes(wrapper->command_block), wrapper->command_length));
  lines.Outdent();
  lines.Leftover(Drop(bytes, sizeof(*wrapper)));
}

void AddStatusWrapper(Lines& lines, Bytes bytes) {
  const auto* wrapper = View<bot::CommandStatusWrapper>(bytes);
  if (wrapper == nullptr) {
    lines.Truncated("CSW", bytes, sizeof(*wrapper));
    return;
  }
  constexpr const char* kStatuses[] = {"passed", "failed", "phase error"};
  lines.Add("CSW tag %x, residue %u, %s", unsigned{wrapper->tag}, unsigned{wrapper->residue},
            wrapper->status < 3 ? kStatuses[wrapper->status] : "odd: status");
  if (wrapper->status >= 3) lines.More(" %02x", wrapper->status);
  if (wrapper->signature != bot::kStatusSignature) {
    lines.More(", odd: signature %08x", unsigned{wrapper->signature});
  }
  lines.Leftover(Drop(bytes, sizeof(*wrapper)));
}

void AddCdb(Lines& lines, Bytes bytes) {
  if (bytes.empty()) {
    lines.Add("no command block");
    return;
  }
  const char* name = OpcodeName(bytes[0]);
  const size_t length = scsi::CdbLength(bytes[0]);
  if (name == nullptr) {
    lines.Add("command %02x", bytes[0]);
  } else {
    lines.Add("%s", name);
  }
  if (name == nullptr || length == 0) {
    lines.Hex(bytes);
    return;
  }
  if (bytes.size() < length) {
    lines.More(", truncated: %zu of %zu bytes", bytes.size(), length);
    lines.Hex(bytes);
    return;
  }
  AddFields(lines, bytes.first(length));
  // Hosts pad a six-byte command to twelve; only what is not zero says something.
  const Bytes rest = Drop(bytes, length);
  if (AnySet(rest)) {
    lines.More(", then");
    lines.Hex(rest);
  }
}

void AddSense(Lines& lines, Bytes bytes) {
  const unsigned code = bytes.empty() ? 0 : bytes[0] & scsi::kResponseCodeMask;
  switch (code) {
    case scsi::kFixedCurrent: AddFixedSense(lines, bytes, "current"); return;
    case scsi::kFixedDeferred: AddFixedSense(lines, bytes, "deferred"); return;
    case scsi::kDescriptorCurrent: AddDescriptorSense(lines, bytes, "current"); return;
    case scsi::kDescriptorDeferred: AddDescriptorSense(lines, bytes, "deferred"); return;
  }
  if (bytes.empty()) {
    lines.Add("no sense data");
    return;
  }
  lines.Add("odd: sense of response code %02x", code);
  lines.Hex(bytes);
}

}  // namespace dump
}  // namespace usbtwin::wire
