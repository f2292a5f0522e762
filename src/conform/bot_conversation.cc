#include "conform/bot_conversation.h"

#include "async/perform.h"
#include "base/text.h"
#include "wire/scsi_data.h"

namespace usbtwin::conform {

using wire::bot::CommandBlockWrapper;
using wire::bot::CommandStatusWrapper;
using wire::bot::Status;

namespace {

std::string Ended(const char* phase, const Bench::Moved& moved) {
  return std::string(phase) + " ended \"" + usb::Name(moved.outcome) + "\" after " +
         Count(moved.length, "byte");
}

// The status, and once more where the first attempt met a halt. BOT 1.0, figure 2. It has room for
// more than a status, so that a longer one is seen.
async::Task<void> ReadStatus(Bench& bench, Heard& heard) {
  const uint32_t room = bench.storage().bulk_in.packet_size_max;
  Bench::Moved moved = co_await bench.In(room);
  if (moved.stalled()) {
    const bool cleared = co_await bench.ClearHalt(bench.storage().bulk_in.address);
    if (!cleared) {
      heard.broken = "the halt of Bulk-In cannot be cleared";
      co_return;
    }
    moved = co_await bench.In(room);
  }
  if (!moved.ok()) {
    heard.broken = Ended("the status phase", moved);
    co_return;
  }
  const auto status = wire::View<CommandStatusWrapper>(bench.room().first(moved.length));
  if (moved.length != sizeof(CommandStatusWrapper) || status == nullptr) {
    heard.broken = "a status of " + Count(moved.length, "byte") + " and not 13";
    co_return;
  }
  heard.status = *status;
}

async::Task<void> MoveData(Bench& bench, const Conversation& conversation, Heard& heard) {
  Bench::Moved moved;
  if (conversation.in) {
    moved = co_await bench.In(conversation.length);
  } else {
    moved = co_await bench.Out(conversation.out);
  }
  heard.data_length = moved.length;
  heard.data_stalled = moved.stalled();
  if (conversation.in) {
    const Bytes came = bench.room().first(moved.length);
    heard.data.assign(came.begin(), came.end());
  }
  if (moved.stalled()) {
    const auto endpoint =
        conversation.in ? bench.storage().bulk_in.address : bench.storage().bulk_out.address;
    const bool cleared = co_await bench.ClearHalt(endpoint);
    if (!cleared) heard.broken = "the halt of the data phase cannot be cleared";
  } else if (!moved.ok()) {
    heard.broken = Ended("the data phase", moved);
  }
}

std::string Names(const Expected& expected) {
  std::string names;
  const auto add = [&names](bool wanted, const char* name) {
    if (wanted) names += names.empty() ? name : std::string(" or ") + name;
  };
  add(expected.passed, "00h");
  add(expected.failed, "01h");
  add(expected.phase_error, "02h");
  return names;
}

}  // namespace

CommandBlockWrapper WrapperOf(const Conversation& conversation, uint8_t lun) {
  CommandBlockWrapper wrapper{};
  wrapper.signature = wire::bot::kCommandSignature;
  wrapper.tag = conversation.tag;
  wrapper.data_length = conversation.length;
  wrapper.flags = conversation.in ? wire::bot::kDirectionIn : 0;
  wrapper.lun = lun;
  wrapper.command_length = conversation.cdb.length;
  wrapper.command_block.fill(conversation.filler);
  CopyBytes(MutableBytes(wrapper.command_block), conversation.cdb.view());
  return wrapper;
}

async::Task<Heard> Converse(Bench& bench, const Conversation& conversation) {
  Heard heard;
  const CommandBlockWrapper wrapper = WrapperOf(conversation, bench.lun());
  const Bench::Moved sent = co_await bench.Out(wire::AsBytes(wrapper));
  if (!sent.ok()) {
    heard.broken = Ended("the command phase", sent);
    co_return heard;
  }
  if (conversation.length != 0) co_await MoveData(bench, conversation, heard);
  if (heard.broken.empty()) co_await ReadStatus(bench, heard);
  co_return heard;
}

async::Task<std::string> PrepareBulkOnly(Bench& bench) {
  bench.SetMedium(0, 0);
  const bool recovered = co_await bench.RecoverBulkOnly();
  if (!recovered) co_return std::string("the device does not carry out a reset recovery");
  constexpr int kTriesMax = 20;  // a unit attention each, or a medium that spins up
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const Conversation ready{.cdb = scsi::TestUnitReady()};
    const Heard heard = co_await Converse(bench, ready);
    if (!heard.broken.empty()) co_return "TEST UNIT READY: " + heard.broken;
    if (heard.status.status == uint8_t(Status::kPassed)) break;
    const Conversation ask{.cdb = scsi::RequestSense(false, 18), .length = 18, .in = true};
    const Heard told = co_await Converse(bench, ask);
    if (!told.broken.empty()) co_return "REQUEST SENSE: " + told.broken;
    const std::optional<scsi::Sense> sense = scsi::ParseSense(told.data);
    const bool attention = sense && sense->key == scsi::SenseKey::kUnitAttention;
    if (!attention) co_await async::Sleep(std::chrono::milliseconds(100));
    if (sense && sense->key == scsi::SenseKey::kNotReady && sense->asc == 0x3a) break;
  }
  const Conversation ask{.cdb = scsi::ReadCapacity10(), .length = 8, .in = true};
  const Heard told = co_await Converse(bench, ask);
  if (const auto* capacity = wire::View<wire::scsi::Capacity10>(told.data)) {
    bench.SetMedium(capacity->block_length, uint64_t{capacity->lba_final} + 1);
  }
  co_return told.broken.empty() ? std::string() : "READ CAPACITY(10): " + told.broken;
}

std::string Compare(const Conversation& conversation, const Heard& heard,
                    const Expected& expected) {
  if (!heard.broken.empty()) return heard.broken;
  const CommandStatusWrapper& status = heard.status;
  if (expected.signature && status.signature != wire::bot::kStatusSignature) {
    return "dCSWSignature is " + HexId(uint16_t(status.signature >> 16)) +
           HexId(uint16_t(status.signature)) + "h and not 53425355h";
  }
  if (expected.tag && status.tag != conversation.tag) {
    return "dCSWTag is " + std::to_string(status.tag) + " and not " +
           std::to_string(conversation.tag);
  }
  const bool allowed = (expected.passed && status.status == uint8_t(Status::kPassed)) ||
                       (expected.failed && status.status == uint8_t(Status::kFailed)) ||
                       (expected.phase_error && status.status == uint8_t(Status::kPhaseError));
  if (!allowed) {
    return "bCSWStatus is " + std::to_string(status.status) + " and not " + Names(expected);
  }
  if (expected.residue && status.residue != *expected.residue) {
    return "dCSWDataResidue is " + std::to_string(status.residue) + " and not " +
           std::to_string(*expected.residue);
  }
  return "";
}

}  // namespace usbtwin::conform
