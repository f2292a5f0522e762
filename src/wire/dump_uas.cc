// Information units of USB Attached SCSI.
#include "wire/dump.h"
#include "wire/dump_lines.h"
#include "wire/uas.h"

namespace usbtwin::wire::dump {

namespace {

using uas::IuId;
using uas::ResponseCode;
using uas::TaskFunction;

bool IsId(Bytes bytes, IuId id) {
  return !bytes.empty() && bytes[0] == static_cast<uint8_t>(id);
}

const char* FunctionName(uint8_t function) {
  switch (static_cast<TaskFunction>(function)) {
    case TaskFunction::kAbortTask: return "ABORT TASK";
    case TaskFunction::kAbortTaskSet: return "ABORT TASK SET";
    case TaskFunction::kClearTaskSet: return "CLEAR TASK SET";
    case TaskFunction::kLogicalUnitReset: return "LOGICAL UNIT RESET";
    case TaskFunction::kNexusReset: return "I_T NEXUS RESET";
    case TaskFunction::kClearAca: return "CLEAR ACA";
    case TaskFunction::kQueryTask: return "QUERY TASK";
    case TaskFunction::kQueryTaskSet: return "QUERY TASK SET";
    case TaskFunction::kQueryAsynchronousEvent: return "QUERY ASYNCHRONOUS EVENT";
  }
  return "reserved function";
}

const char* ResponseName(uint8_t code) {
  switch (static_cast<ResponseCode>(code)) {
    case ResponseCode::kComplete: return "function complete";
    case ResponseCode::kInvalidInformationUnit: return "invalid information unit";
    case ResponseCode::kNotSupported: return "function not supported";
    case ResponseCode::kFailed: return "function failed";
    case ResponseCode::kSucceeded: return "function succeeded";
    case ResponseCode::kIncorrectLun: return "incorrect logical unit number";
    case ResponseCode::kOverlappedTag: return "overlapped tag attempted";
  }
  return "reserved code";
}

const char* AttributeName(uint8_t attribute) {
  switch (static_cast<uas::TaskAttribute>(attribute & uas::kTaskAttributeMask)) {
    case uas::TaskAttribute::kSimple: return "simple";
    case uas::TaskAttribute::kHeadOfQueue: return "head of queue";
    case uas::TaskAttribute::kOrdered: return "ordered";
    case uas::TaskAttribute::kAca: return "ACA";
  }
  return "reserved attribute";
}

void AddLun(Lines& lines, const uas::Lun& lun) {
  const uint64_t index = uas::DecodeLun(lun);
  if (index != uas::kLunNone) {
    lines.More(", LUN %llu", static_cast<unsigned long long>(index));
  } else {
    lines.More(", LUN");
    lines.Hex(lun);
  }
}

void AddCommand(Lines& lines, Bytes bytes) {
  const auto* iu = View<uas::CommandIu>(bytes);
  if (iu == nullptr) return lines.Truncated("COMMAND IU", bytes, sizeof(*iu));
  lines.Add("COMMAND IU tag %u, %s", unsigned{iu->header.tag}, AttributeName(iu->attribute));
  AddLun(lines, iu->lun);
  const size_t additional = uas::AdditionalLength(iu->additional_length);
  lines.Indent();
  const Bytes rest = Drop(bytes, sizeof(*iu));
  if (additional == 0) {
    AddCdb(lines, iu->command_block);
  } else {
    const Bytes command_block = bytes.subspan(sizeof(*iu) - iu->command_block.size());
    lines.Add("CDB of %zu bytes", iu->command_block.size() + additional);
    if (rest.size() < additional) lines.More(", truncated");
    lines.Hex(Take(command_block, iu->command_block.size() + additional));
  }
  lines.Outdent();
  lines.Leftover(Drop(rest, additional));
}

void AddSenseIu(Lines& lines, Bytes bytes) {
  const auto* iu = View<uas::SenseIu>(bytes);
  if (iu == nullptr) return lines.Truncated("SENSE IU", bytes, sizeof(*iu));
  const size_t length = iu->sense_length;
  lines.Add("SENSE IU tag %u, status %02xh, %zu %s of sense", unsigned{iu->header.tag},
            unsigned{iu->status}, length, length == 1 ? "byte" : "bytes");
  const Bytes rest = Drop(bytes, sizeof(*iu));
  if (rest.size() < length) lines.More(", truncated");
  if (length != 0 && !rest.empty()) {
    lines.Indent();
    dump::AddSense(lines, Take(rest, length));
    lines.Outdent();
  }
  lines.Leftover(Drop(rest, length));
}

void AddResponse(Lines& lines, Bytes bytes) {
  const auto* iu = View<uas::ResponseIu>(bytes);
  if (iu == nullptr) return lines.Truncated("RESPONSE IU", bytes, sizeof(*iu));
  lines.Add("RESPONSE IU tag %u, %02xh %s", unsigned{iu->header.tag}, unsigned{iu->code},
            ResponseName(iu->code));
  lines.Leftover(Drop(bytes, sizeof(*iu)));
}

void AddTaskManagement(Lines& lines, Bytes bytes) {
  const auto* iu = View<uas::TaskManagementIu>(bytes);
  if (iu == nullptr) return lines.Truncated("TASK MANAGEMENT IU", bytes, sizeof(*iu));
  lines.Add("TASK MANAGEMENT IU tag %u, %02xh %s, task %u", unsigned{iu->header.tag},
            unsigned{iu->function}, FunctionName(iu->function), unsigned{iu->task_tag});
  AddLun(lines, iu->lun);
  lines.Leftover(Drop(bytes, sizeof(*iu)));
}

void AddReady(Lines& lines, const char* name, Bytes bytes) {
  const auto* iu = View<uas::Header>(bytes);
  if (iu == nullptr) return lines.Truncated(name, bytes, sizeof(*iu));
  lines.Add("%s tag %u", name, unsigned{iu->tag});
  lines.Leftover(Drop(bytes, sizeof(*iu)));
}

template <size_t kLength>
bool IsZero(const std::array<uint8_t, kLength>& bytes) {
  return bytes == std::array<uint8_t, kLength>{};
}

}  // namespace

// The length must be right to the byte and what is reserved zero: an IU has no signature.
bool LooksLikeIu(Bytes bytes) {
  const auto* header = View<uas::Header>(bytes);
  if (header == nullptr || header->reserved1 != 0 || !uas::IsTag(header->tag)) return false;
  if (IsId(bytes, IuId::kCommand)) {
    const auto* iu = View<uas::CommandIu>(bytes);
    return iu != nullptr && iu->reserved5 == 0 && iu->reserved7 == 0 &&
           bytes.size() == sizeof(*iu) + uas::AdditionalLength(iu->additional_length);
  }
  if (IsId(bytes, IuId::kSense)) {
    const auto* iu = View<uas::SenseIu>(bytes);
    return iu != nullptr && IsZero(iu->reserved7) &&
           bytes.size() == sizeof(*iu) + size_t{iu->sense_length};
  }
  if (IsId(bytes, IuId::kResponse)) return bytes.size() == sizeof(uas::ResponseIu);
  if (IsId(bytes, IuId::kTaskManagement)) return bytes.size() == sizeof(uas::TaskManagementIu);
  const bool ready = IsId(bytes, IuId::kReadReady) || IsId(bytes, IuId::kWriteReady);
  return ready && bytes.size() == sizeof(*header);
}

void AddIu(Lines& lines, Bytes bytes) {
  if (IsId(bytes, IuId::kCommand)) return AddCommand(lines, bytes);
  if (IsId(bytes, IuId::kSense)) return AddSenseIu(lines, bytes);
  if (IsId(bytes, IuId::kResponse)) return AddResponse(lines, bytes);
  if (IsId(bytes, IuId::kTaskManagement)) return AddTaskManagement(lines, bytes);
  if (IsId(bytes, IuId::kReadReady)) return AddReady(lines, "READ READY IU", bytes);
  if (IsId(bytes, IuId::kWriteReady)) return AddReady(lines, "WRITE READY IU", bytes);
  const auto* header = View<uas::Header>(bytes);
  if (header == nullptr) return lines.Truncated("IU", bytes, sizeof(*header));
  lines.Add("IU of unknown kind %02xh, tag %u", unsigned{header->id}, unsigned{header->tag});
  lines.Leftover(Drop(bytes, sizeof(*header)));
}

}  // namespace usbtwin::wire::dump
