// What a Disk says about itself: the commands it carries out, which are those that scsi::ParseCdb
// understands, and the task management functions, which are its transport's.
#include <algorithm>

#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::CommandInfo;

namespace {

// REPORTING OPTIONS. SPC-4, 6.35.
constexpr uint8_t kAll = 0;
constexpr uint8_t kOneWithoutAction = 1;
constexpr uint8_t kOneWithAction = 2;

void AppendTimeouts(Reply& reply) {
  wire::scsi::TimeoutsDescriptor timeouts{};  // neither timeout is specified
  timeouts.length = static_cast<uint16_t>(sizeof(timeouts) - sizeof(timeouts.length));
  reply.Append(timeouts);
}

void AppendAll(bool timeouts, Reply& reply) {
  const auto each = static_cast<uint32_t>(sizeof(wire::scsi::OpcodeDescriptor) +
                                          (timeouts ? sizeof(wire::scsi::TimeoutsDescriptor) : 0));
  reply.Append(wire::Be32(static_cast<uint32_t>(scsi::Commands().size()) * each));
  for (const CommandInfo& info : scsi::Commands()) {
    wire::scsi::OpcodeDescriptor descriptor{};
    descriptor.opcode = info.opcode;
    descriptor.service_action = info.service_action;
    if (timeouts) descriptor.flags |= wire::scsi::kOpcodeTimeouts;
    if (info.has_service_action) descriptor.flags |= wire::scsi::kOpcodeServiceAction;
    descriptor.cdb_length = static_cast<uint16_t>(info.usage.size());
    reply.Append(descriptor);
    if (timeouts) AppendTimeouts(reply);
  }
}

void AppendOne(const CommandInfo* info, bool timeouts, Reply& reply) {
  wire::scsi::OneOpcodeHeader header{};
  header.flags = info == nullptr ? wire::scsi::kOpcodeUnsupported : wire::scsi::kOpcodeSupported;
  if (info == nullptr) return reply.Append(header);
  if (timeouts) header.flags |= wire::scsi::kOneOpcodeTimeouts;
  header.cdb_length = static_cast<uint16_t>(info->usage.size());
  reply.Append(header);
  reply.Append(info->usage);
  if (timeouts) AppendTimeouts(reply);
}

}  // namespace

void Disk::Run(Command& command, const scsi::cdb::ReportOpcodes& what) {
  Reply reply;
  if (what.options == kAll) {
    AppendAll(what.timeouts, reply);
    return Answer(command, reply, what.allocation_length);
  }
  const std::span<const CommandInfo> known = scsi::CommandsOf(what.opcode);
  const bool has_actions = !known.empty() && known.front().has_service_action;
  // Asked in a way that does not suit the operation code.
  if (what.options == kOneWithoutAction && has_actions) {
    return Fail(command, scsi::InvalidFieldInCdb(2, 2));
  }
  if (what.options == kOneWithAction && !known.empty() && !has_actions) {
    return Fail(command, scsi::InvalidFieldInCdb(2, 2));
  }
  const bool any_action = what.options == kOneWithoutAction;
  const auto found = std::find_if(known.begin(), known.end(), [&](const CommandInfo& info) {
    return any_action || info.service_action == what.service_action;
  });
  AppendOne(found == known.end() ? nullptr : &*found, what.timeouts, reply);
  Answer(command, reply, what.allocation_length);
}

void Disk::Run(Command& command, const scsi::cdb::ReportTaskFunctions& what) {
  wire::scsi::TaskFunctions functions{};
  functions.functions = command.task_functions;
  wire::scsi::TaskFunctionsTimeouts timeouts{};  // none are specified
  if (what.extended) functions.length = sizeof(timeouts);
  Reply reply;
  reply.Append(functions);
  if (what.extended) reply.Append(timeouts);
  Answer(command, reply, what.allocation_length);
}

}  // namespace usbtwin::emulator
