// A command over Bulk-Only as a host sends it that wants to see what the device does: wrapper, data
// and status as they come, whatever they are, and nothing recovered but halts that the transport
// foresees. What the host announces and what the command block asks for are chosen apart: that is
// what the thirteen cases are made of.
#pragma once

#include "conform/bench.h"
#include "wire/bot.h"

namespace usbtwin::conform {

struct Conversation {
  scsi::Cdb cdb;
  uint32_t length = 0;        // dCBWDataTransferLength
  bool in = false;            // the direction it is announced for
  Bytes out;                  // `length` bytes, where it is out
  uint32_t tag = 0x75626f74;  // dCBWTag
  uint8_t filler = 0;         // of the bytes behind the command block
};

struct Heard {
  std::string broken;  // the conversation did not get to a status: why
  bool data_stalled = false;
  uint32_t data_length = 0;  // bytes that moved in the data phase
  std::vector<uint8_t> data;
  wire::bot::CommandStatusWrapper status{};
};

// The wrapper for it, to `lun`.
wire::bot::CommandBlockWrapper WrapperOf(const Conversation& conversation, uint8_t lun);
async::Task<Heard> Converse(Bench& bench, const Conversation& conversation);

// The preparation of the suite: nothing but conversations, so that a device whose statuses no
// transport accepts is tested, too. What is wrong with them is for the cases to say.
async::Task<std::string> PrepareBulkOnly(Bench& bench);

// What is wrong with what was heard: "" where it got to a status that is one of these and, where
// they are asked for, has its signature, the command's tag, and this residue. A case asks for what
// it checks, so that a device with one defect fails at few of them. BOT 1.0, 5.2.
struct Expected {
  bool passed = false;
  bool failed = false;
  bool phase_error = false;
  std::optional<uint32_t> residue;
  bool signature = false;
  bool tag = false;
};
std::string Compare(const Conversation& conversation, const Heard& heard, const Expected& expected);

}  // namespace usbtwin::conform
