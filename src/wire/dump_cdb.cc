// Command blocks as lines.
#include <algorithm>
#include <cinttypes>

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
    {0x84, "RECEIVE COPY RESULTS"},
    {0x85, "ATA PASS-THROUGH(16)"},
    {0x88, "READ(16)"},
    {0x89, "COMPARE AND WRITE"},
    {0x8a, "WRITE(16)"},
    {0x8b, "ORWRITE(16)"},
    {0x8e, "WRITE AND VERIFY(16)"},
    {0x8f, "VERIFY(16)"},
    {0x90, "PRE-FETCH(16)"},
    {0x91, "SYNCHRONIZE CACHE(16)"},
    {0x93, "WRITE SAME(16)"},
    {0x9c, "WRITE ATOMIC(16)"},
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
    case 0x8b:
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

void AddDefectData(Lines& lines, uint8_t flags, uint32_t allocation_length) {
  lines.More(" lists %02x format %x allocation %" PRIu32, flags & scsi::kDefectListsMask,
             flags & scsi::kDefectFormatMask, allocation_length);
}

void AddSanitize(Lines& lines, Bytes cdb) {
  const auto& command = *View<scsi::SanitizeCommand>(cdb);
  const unsigned action = command.flags & scsi::kServiceActionMask;
  switch (action) {
    case 0x01: lines.More(" OVERWRITE"); break;
    case 0x02: lines.More(" BLOCK ERASE"); break;
    case 0x03: lines.More(" CRYPTOGRAPHIC ERASE"); break;
    case 0x1f: lines.More(" EXIT FAILURE MODE"); break;
    default: lines.More(" action %02x", action);
  }
  lines.More("%s parameters %u",
             (command.flags & scsi::kSanitizeImmediate) != 0 ? " immediate" : "",
             unsigned{command.parameter_list_length});
}

void AddReserveIn(Lines& lines, Bytes cdb) {
  constexpr const char* kActions[] = {"READ KEYS", "READ RESERVATION", "REPORT CAPABILITIES",
                                      "READ FULL STATUS"};
  const auto& command = *View<scsi::PersistentReserveInCommand>(cdb);
  const unsigned action = command.service_action & scsi::kServiceActionMask;
  if (action < std::size(kActions)) {
    lines.More(" %s", kActions[action]);
  } else {
    lines.More(" action %02x", action);
  }
  lines.More(" allocation %u", unsigned{command.allocation_length});
}

void AddReserveOut(Lines& lines, Bytes cdb) {
  constexpr const char* kActions[] = {"REGISTER",
                                      "RESERVE",
                                      "RELEASE",
                                      "CLEAR",
                                      "PREEMPT",
                                      "PREEMPT AND ABORT",
                                      "REGISTER AND IGNORE EXISTING KEY",
                                      "REGISTER AND MOVE"};
  const auto& command = *View<scsi::PersistentReserveOutCommand>(cdb);
  const unsigned action = command.service_action & scsi::kServiceActionMask;
  if (action < std::size(kActions)) {
    lines.More(" %s", kActions[action]);
  } else {
    lines.More(" action %02x", action);
  }
  lines.More(" scope %x type %x parameters %u", command.scope_type >> 4, command.scope_type & 0x0f,
             unsigned{command.parameter_list_length});
}

void AddMaintenanceIn(Lines& lines, Bytes cdb) {
  const auto& command = *View<scsi::ReportOpcodesCommand>(cdb);
  const unsigned action = command.service_action & scsi::kServiceActionMask;
  if (action == scsi::kServiceActionReportOpcodes) {
    const unsigned options = command.options & scsi::kOpcodesOptionsMask;
    lines.More(" REPORT SUPPORTED OPERATION CODES");
    if (options == 0) {
      lines.More(" all");
    } else {
      lines.More(" of %02x/%04x", command.wanted_opcode, unsigned{command.wanted_action});
    }
  } else if (action == scsi::kServiceActionReportTaskFunctions) {
    lines.More(" REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS");
  } else {
    lines.More(" action %02x", action);
  }
  lines.More(" allocation %u", unsigned{command.allocation_length});
}

// The fields of commands for disks with more to say. False: there is nothing to be said of it.
bool AddRareFields(Lines& lines, Bytes cdb) {
  switch (static_cast<Opcode>(cdb[0])) {
    case Opcode::kUnmap:
      lines.More(" parameters %u", unsigned{View<scsi::UnmapCommand>(cdb)->parameter_list_length});
      return true;
    case Opcode::kCompareAndWrite: {
      const auto& command = *View<scsi::CompareAndWriteCommand>(cdb);
      AddBlocks(lines, command.lba, command.length, command.flags);
      return true;
    }
    case Opcode::kWriteAtomic16: {
      const auto& command = *View<scsi::WriteAtomicCommand>(cdb);
      AddBlocks(lines, command.lba, command.length, command.flags);
      if (command.boundary != 0) lines.More(" boundary %u", unsigned{command.boundary});
      return true;
    }
    case Opcode::kReadDefectData10: {
      const auto& command = *View<scsi::ReadDefectData10Command>(cdb);
      AddDefectData(lines, command.flags, command.allocation_length);
      return true;
    }
    case Opcode::kReadDefectData12: {
      const auto& command = *View<scsi::ReadDefectData12Command>(cdb);
      AddDefectData(lines, command.flags, command.allocation_length);
      return true;
    }
    case Opcode::kReadBuffer:
    case Opcode::kWriteBuffer: {
      const auto& command = *View<scsi::BufferCommand>(cdb);
      lines.More(" mode %02x id %02x offset %u length %u", command.mode & scsi::kBufferModeMask,
                 command.buffer_id, unsigned{command.offset}, unsigned{command.length});
      return true;
    }
    case Opcode::kModeSelect6:
      lines.More(" parameters %u", View<scsi::ModeSelect6Command>(cdb)->parameter_list_length);
      return true;
    case Opcode::kModeSelect10:
      lines.More(" parameters %u",
                 unsigned{View<scsi::ModeSelect10Command>(cdb)->parameter_list_length});
      return true;
    case Opcode::kLogSense: {
      const auto& command = *View<scsi::LogSenseCommand>(cdb);
      lines.More(" page %02x/%02x allocation %u", command.page & scsi::kModePageCodeMask,
                 command.subpage, unsigned{command.allocation_length});
      return true;
    }
    case Opcode::kFormatUnit: {
      const unsigned flags = View<scsi::FormatUnitCommand>(cdb)->flags;
      lines.More(" %s list", (flags & scsi::kFormatData) == 0       ? "without"
                             : (flags & scsi::kFormatLongList) != 0 ? "long"
                                                                    : "short");
      return true;
    }
    case Opcode::kSanitize: AddSanitize(lines, cdb); return true;
    case Opcode::kPersistentReserveIn: AddReserveIn(lines, cdb); return true;
    case Opcode::kPersistentReserveOut: AddReserveOut(lines, cdb); return true;
    case Opcode::kMaintenanceIn: AddMaintenanceIn(lines, cdb); return true;
    default: return false;
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
      const auto& command = *View<scsi::StartStopUnitCommand>(cdb);
      const uint8_t action = command.action;
      const unsigned condition = action >> scsi::kPowerConditionShift;
      if (condition != 0) {
        lines.More(" power condition %x/%x", condition,
                   command.modifier & scsi::kPowerModifierMask);
        return;
      }
      lines.More(" %s%s", (action & scsi::kStart) != 0 ? "start" : "stop",
                 (action & scsi::kLoadEject) != 0 ? " and load or eject" : "");
      return;
    }
    case Opcode::kPreventAllowMediumRemoval:
      lines.More(" %s", (View<scsi::PreventAllowCommand>(cdb)->prevent & scsi::kPreventMask) != 0
                            ? "prevent"
                            : "allow");
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
      } else if (action == scsi::kServiceActionGetLbaStatus) {
        lines.More(" GET LBA STATUS lba %" PRIu64, uint64_t{command.lba});
      } else {
        lines.More(" action %02x", action);
      }
      lines.More(" allocation %u", unsigned{command.allocation_length});
      return;
    }
    default: break;
  }
  if (AddRareFields(lines, cdb)) return;  // otherwise the name and the bytes must do
  const Bytes fields = Drop(cdb, 1);
  if (AnySet(fields)) lines.Hex(cdb);
}

}  // namespace

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

}  // namespace dump
}  // namespace usbtwin::wire
