#include "conform/uas_exchange.h"

#include <algorithm>

#include "base/text.h"

namespace usbtwin::conform {

using wire::uas::IuId;
using wire::uas::ResponseIu;
using wire::uas::SenseIu;
using wire::uas::TaskManagementIu;

namespace {

std::string Ended(const char* what, const Bench::Moved& moved) {
  return std::string(what) + " ended \"" + usb::Name(moved.outcome) + "\" after " +
         Count(moved.length, "byte");
}

bool IsIu(const wire::uas::Header& header, IuId id) {
  return header.id == static_cast<uint8_t>(id);
}

bool IsDone(const UasCommand& command) {
  return !command.broken.empty() || command.status || command.response;
}

async::Task<void> MoveData(Bench& bench, UasCommand& command) {
  const uint16_t stream = StreamOf(bench, command.tag);
  if (command.out.empty()) {
    const Bench::Moved moved =
        co_await bench.Receive(bench.storage().bulk_in.address, stream, command.in_length);
    if (!moved.ok()) command.broken = Ended("data-in", moved);
    const Bytes came = bench.room().first(moved.length);
    command.data.assign(came.begin(), came.end());
  } else {
    const Bench::Moved moved =
        co_await bench.Send(bench.storage().bulk_out.address, stream, command.out);
    if (!moved.ok()) command.broken = Ended("data-out", moved);
  }
}

bool MovesData(const UasCommand& command) {
  return command.in_length != 0 || !command.out.empty();
}

// What an IU of the status pipe tells of its command. True: its data is to be moved now.
bool Take(UasCommand& command, const UasStatus& status) {
  const auto& header = *status.header();
  if (IsIu(header, IuId::kReadReady) || IsIu(header, IuId::kWriteReady)) {
    const bool read = IsIu(header, IuId::kReadReady);
    if (command.ready || !MovesData(command) || read != command.out.empty()) {
      command.broken = std::string(read ? "READ" : "WRITE") + " READY, which is not expected here";
      return false;
    }
    command.ready = true;
    return true;
  }
  if (const auto* response = wire::View<ResponseIu>(status.bytes);
      response != nullptr && IsIu(header, IuId::kResponse)) {
    command.response = static_cast<wire::uas::ResponseCode>(response->code);
    return false;
  }
  const auto* sense = wire::View<SenseIu>(status.bytes);
  if (sense == nullptr || !IsIu(header, IuId::kSense)) {
    command.broken = "an IU with id " + HexId(header.id) + "h and " +
                     Count(status.bytes.size(), "byte") + " is no SENSE IU";
    return false;
  }
  command.status = *sense;
  command.sense = scsi::ParseSense(Bytes(status.bytes).subspan(sizeof(SenseIu)));
  return false;
}

async::Task<void> ServeStreams(Bench& bench, std::vector<UasCommand>& commands) {
  for (UasCommand& command : commands) {
    if (MovesData(command)) co_await MoveData(bench, command);
    if (!command.broken.empty()) continue;
    const UasStatus status = co_await ReadStatus(bench, command.tag);
    command.broken = status.broken;
    if (command.broken.empty() && status.header()->tag != command.tag) {
      command.broken = "the tag on stream " + std::to_string(command.tag) + " is " +
                       std::to_string(status.header()->tag);
    }
    if (command.broken.empty()) Take(command, status);
  }
}

async::Task<void> ServeShared(Bench& bench, std::vector<UasCommand>& commands) {
  while (!std::all_of(commands.begin(), commands.end(), IsDone)) {
    const UasStatus status = co_await ReadStatus(bench, 0);
    std::string broken = status.broken;
    const auto found =
        std::find_if(commands.begin(), commands.end(), [&status](const UasCommand& command) {
          return status.header() != nullptr && command.tag == status.header()->tag &&
                 !IsDone(command);
        });
    if (broken.empty() && found == commands.end()) {
      broken = "an IU with tag " + std::to_string(status.header()->tag) + ", which no command has";
    }
    if (!broken.empty()) {
      for (UasCommand& command : commands) {
        if (!IsDone(command)) command.broken = broken;
      }
      co_return;
    }
    const bool moves = Take(*found, status);
    if (moves) co_await MoveData(bench, *found);
  }
}

}  // namespace

bool HasStreams(Bench& bench) {
  return bench.session().caps().speed >= usb::Speed::kSuper;
}

uint16_t StreamOf(Bench& bench, uint16_t tag) {
  return HasStreams(bench) ? tag : uint16_t{0};
}

std::vector<uint8_t> CommandIuOf(const UasCommand& command, uint8_t lun) {
  wire::uas::CommandIu iu{};
  iu.header.id = static_cast<uint8_t>(IuId::kCommand);
  iu.header.tag = command.tag;
  iu.attribute = command.attribute;
  iu.lun = wire::uas::EncodeLun(lun);
  CopyBytes(MutableBytes(iu.command_block), command.cdb.view());
  const Bytes bytes = wire::AsBytes(iu);
  return {bytes.begin(), bytes.end()};
}

async::Task<std::string> SendIu(Bench& bench, Bytes iu) {
  const Bench::Moved moved = co_await bench.Send(bench.storage().command.address, 0, iu);
  co_return moved.ok() ? std::string() : Ended("the command pipe", moved);
}

async::Task<UasStatus> ReadStatus(Bench& bench, uint16_t tag) {
  UasStatus status;
  const Bench::Moved moved = co_await bench.Receive(
      bench.storage().status.address, StreamOf(bench, tag), bench.storage().status.packet_size_max);
  if (!moved.ok()) status.broken = Ended("the status pipe", moved);
  const Bytes came = bench.room().first(moved.length);
  status.bytes.assign(came.begin(), came.end());
  if (status.broken.empty() && status.header() == nullptr) {
    status.broken = "an IU of " + Count(moved.length, "byte") + ", too short for its tag";
  }
  co_return status;
}

async::Task<void> RunAll(Bench& bench, std::vector<UasCommand>& commands) {
  for (UasCommand& command : commands) {
    const std::vector<uint8_t> iu = CommandIuOf(command, bench.lun());
    command.broken = co_await SendIu(bench, iu);
    if (!command.broken.empty()) co_return;
  }
  if (HasStreams(bench)) {
    co_await ServeStreams(bench, commands);
  } else {
    co_await ServeShared(bench, commands);
  }
}

async::Task<UasCommand> RunOne(Bench& bench, UasCommand command) {
  std::vector<UasCommand> commands;
  commands.push_back(std::move(command));
  co_await RunAll(bench, commands);
  co_return std::move(commands.front());
}

async::Task<std::string> Leave(Bench& bench, const UasCommand& command) {
  const std::vector<uint8_t> iu = CommandIuOf(command, bench.lun());
  const std::string unsent = co_await SendIu(bench, iu);
  if (!unsent.empty() || HasStreams(bench)) co_return unsent;
  const UasStatus status = co_await ReadStatus(bench, command.tag);
  if (!status.broken.empty()) co_return status.broken;
  if (IsIu(*status.header(), IuId::kReadReady) && status.header()->tag == command.tag) {
    co_return std::string();
  }
  co_return std::string("no READ READY for it");
}

async::Task<UasResponse> Manage(Bench& bench, UasFunction function) {
  TaskManagementIu iu{};
  iu.header.id = static_cast<uint8_t>(IuId::kTaskManagement);
  iu.header.tag = function.tag;
  iu.function = function.function;
  iu.task_tag = function.task_tag;
  iu.lun = function.lun;
  UasResponse response;
  response.broken = co_await SendIu(bench, wire::AsBytes(iu));
  if (!response.broken.empty()) co_return response;
  response = co_await ReadResponse(bench, function.tag);
  co_return response;
}

async::Task<UasResponse> ReadResponse(Bench& bench, uint16_t tag) {
  const UasStatus status = co_await ReadStatus(bench, tag);
  UasResponse response{.broken = status.broken};
  if (!response.broken.empty()) co_return response;
  const auto* iu = wire::View<ResponseIu>(status.bytes);
  if (iu == nullptr || status.bytes.size() != sizeof(*iu) || !IsIu(iu->header, IuId::kResponse)) {
    response.broken = "an IU with id " + HexId(status.header()->id) + "h and " +
                      Count(status.bytes.size(), "byte") + ", expected a RESPONSE IU of 8";
  } else if (iu->header.tag != tag) {
    response.broken = "a RESPONSE IU with tag " + std::to_string(iu->header.tag) + " and not " +
                      std::to_string(tag);
  } else {
    response.code = static_cast<wire::uas::ResponseCode>(iu->code);
  }
  co_return response;
}

std::string ExpectGood(const UasCommand& command) {
  const std::string name = "tag " + std::to_string(command.tag) + ": ";
  if (!command.broken.empty()) return name + command.broken;
  if (command.response) return name + "a RESPONSE IU in place of a status";
  if (command.status->status != 0) {
    return name + "status " + HexId(command.status->status).substr(2) + "h and not GOOD";
  }
  if (command.data.size() == command.in_length) return "";
  return name + Count(command.data.size(), "byte") + " came, expected " +
         std::to_string(command.in_length);
}

std::string Describe(const UasResponse& response) {
  if (!response.broken.empty()) return response.broken;
  return "RESPONSE CODE " + HexId(static_cast<uint8_t>(*response.code)).substr(2) + "h";
}

}  // namespace usbtwin::conform
