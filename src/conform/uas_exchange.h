// Commands and task management over USB Attached SCSI as a host sends them that wants to see what
// the device does: information units as they are, several commands at once, and nothing recovered.
// With streams each tag has its own; without, READ READY and WRITE READY say whose data is next.
#pragma once

#include <vector>

#include "conform/bench.h"
#include "wire/uas.h"

namespace usbtwin::conform {

// One command: what is asked, and what was heard.
struct UasCommand {
  uint16_t tag = 1;
  scsi::Cdb cdb;
  uint32_t in_length = 0;  // bytes asked for
  Bytes out;
  uint8_t attribute = 0;  // TASK ATTRIBUTE and COMMAND PRIORITY

  std::string broken;  // it did not get to its end: why
  bool ready = false;  // READ READY or WRITE READY came
  std::vector<uint8_t> data;
  std::optional<wire::uas::SenseIu> status;
  std::optional<scsi::Sense> sense;
  std::optional<wire::uas::ResponseCode> response;  // in place of a status
};

// An IU that came on the status pipe.
struct UasStatus {
  std::string broken;
  std::vector<uint8_t> bytes;
  const wire::uas::Header* header() const { return wire::View<wire::uas::Header>(bytes); }
};

bool HasStreams(Bench& bench);
// Where a host looks for the status of this tag: its stream, or 0.
uint16_t StreamOf(Bench& bench, uint16_t tag);

std::vector<uint8_t> CommandIuOf(const UasCommand& command, uint8_t lun);
// "" where it went out.
async::Task<std::string> SendIu(Bench& bench, Bytes iu);
async::Task<UasStatus> ReadStatus(Bench& bench, uint16_t tag);
// Sends all of them and then serves them to their ends, in the order in which the device wants it.
async::Task<void> RunAll(Bench& bench, std::vector<UasCommand>& commands);
async::Task<UasCommand> RunOne(Bench& bench, UasCommand command);
// Sends a command and leaves it where the device waits for the host to fetch its data: the text
// says why that is not possible, "" where it is.
async::Task<std::string> Leave(Bench& bench, const UasCommand& command);

// The RESPONSE CODE of a task management function; nullopt, and `broken` says why, without one.
struct UasResponse {
  std::string broken;
  std::optional<wire::uas::ResponseCode> code;
};
struct UasFunction {
  uint8_t function = 0;
  uint16_t task_tag = 0;
  uint16_t tag = 2;
  wire::uas::Lun lun{};
};
async::Task<UasResponse> Manage(Bench& bench, UasFunction function);
// The answer to an IU that is none.
async::Task<UasResponse> ReadResponse(Bench& bench, uint16_t tag);

// "" where the command ended with GOOD and brought `in_length` bytes.
std::string ExpectGood(const UasCommand& command);
std::string Describe(const UasResponse& response);

}  // namespace usbtwin::conform
