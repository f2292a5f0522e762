// What the disk tests share: an initiator that carries one command through a logical unit exactly
// as a transport would and counts every call, and a store that answers late or badly on demand.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "emulator/disk.h"
#include "emulator/memory_store.h"

namespace usbtwin::tests {

// Around a memory store: holds operations until told, and breaks the ones it is told to.
class FaultyStore final : public emulator::BlockStore {
 public:
  FaultyStore(Clock& clock, uint64_t size) : clock_(clock), memory_(size) {}

  uint64_t size() const override { return memory_.size(); }
  bool writable() const override { return writable_value; }
  bool Submit(emulator::StoreOp& op) override {
    using Kind = emulator::StoreOp::Kind;
    log += op.kind == Kind::kRead    ? "r"
           : op.kind == Kind::kWrite ? "w"
           : op.kind == Kind::kUnmap ? "u"
                                     : "f";
    lengths.push_back(op.length);
    if (later) {
      held.push_back(&op);
      return false;
    }
    Answer(op);
    return true;
  }
  emulator::StoreExtent ExtentAt(uint64_t offset) const override {
    return memory_.ExtentAt(offset);
  }
  // Answers the oldest operation that is held, as a helper thread would: by a post.
  void Release() {
    emulator::StoreOp& op = *held.front();
    held.pop_front();
    Answer(op);
    clock_.Post(op);
  }

  bool writable_value = true;
  bool later = false;
  emulator::StoreOutcome outcome = emulator::StoreOutcome::kOk;  // of those of `broken` kind
  emulator::StoreOp::Kind broken = emulator::StoreOp::Kind::kRead;
  int broken_after = 0;  // that many of the kind still succeed
  int faults = 0;        // how many were broken
  std::string log;       // a letter for each operation
  std::vector<uint64_t> lengths;
  std::deque<emulator::StoreOp*> held;

 private:
  void Answer(emulator::StoreOp& op) {
    if (outcome != emulator::StoreOutcome::kOk && op.kind == broken && broken_after-- <= 0) {
      op.outcome = outcome;
      ++faults;
      return;
    }
    if (!memory_.Submit(op)) std::abort();  // memory answers at once
  }
  Clock& clock_;
  emulator::MemoryStore memory_;
};

// One command at a time, carried to its end.
class Initiator final : public scsi::CommandSink {
 public:
  Initiator(ManualClock& clock, scsi::LogicalUnit& unit, uint8_t number = 0)
      : clock_(clock), unit_(unit) {
    command.initiator = number;
    command.sink = this;
  }

  // Starts a command; `out` is borrowed until it has ended.
  void Start(Bytes cdb, Bytes out = {}) {
    command.command_block.fill(0xa5);
    command.command_length = static_cast<uint8_t>(CopyBytes(command.command_block, cdb));
    out_ = out;
    out_taken_ = 0;
    calls.clear();
    in.clear();
    executed = 0;
    unit_.Execute(command);
    entered = calls;  // must be empty: nothing may be called from inside Execute
  }
  // Starts it and lets everything happen.
  scsi::Status Do(Bytes cdb, Bytes out = {}) {
    Start(cdb, out);
    clock_.RunPosted();
    return command.status;
  }
  scsi::Status Do(const scsi::Cdb& cdb, Bytes out = {}) { return Do(cdb.view(), out); }
  scsi::Status Do(const char* hex, Bytes out = {}) { return Do(Bytes(*ParseHex(hex)), out); }

  // "f0 00 05 ..." of the command's sense in fixed format.
  std::string sense() const {
    if (command.status != scsi::Status::kCheckCondition) return scsi::Name(command.status);
    std::array<uint8_t, scsi::kFixedSenseLength> bytes{};
    scsi::EmitFixedSense(command.sense, bytes);
    return Hex(bytes);
  }
  // "05/24/00".
  std::string codes() const {
    if (command.status != scsi::Status::kCheckCondition) return scsi::Name(command.status);
    const uint8_t key = static_cast<uint8_t>(command.sense.key);
    return Hex(std::array<uint8_t, 3>{key, command.sense.asc, command.sense.ascq}, '/');
  }
  std::string in_hex() const { return Hex(in); }
  void ForgetAttentions() {
    while (Do("00 00000000 00") == scsi::Status::kCheckCondition &&
           command.sense.key == scsi::SenseKey::kUnitAttention) {
    }
  }

  scsi::Command command;
  uint32_t piece_max = UINT32_MAX;  // bytes handed over in one HandleData
  bool fetch_windows = true;        // ask for the next window at once
  bool feed_data = true;            // hand data over at once
  std::string calls;                // E executed, W window, D data wanted, T data taken
  std::string entered;              // calls that came from inside Execute
  std::vector<uint8_t> in;
  uint32_t wanted = 0;
  int executed = 0;

  void Feed() {
    const Bytes rest = Drop(out_, out_taken_).first(wanted - out_taken_);
    const Bytes piece = Take(rest, piece_max);
    const uint32_t offset = out_taken_;
    out_taken_ += static_cast<uint32_t>(piece.size());
    unit_.HandleData(command, offset, piece);
  }

 private:
  void Collect() {
    const size_t before = in.size();
    in.resize(before + command.data.length(), 0xa5);
    command.data.CopyTo(MutableBytes(in).subspan(before));
    const bool more = command.status == scsi::Status::kGood && in.size() < command.length_in;
    if (more && fetch_windows) unit_.NextWindow(command);
  }
  void OnExecuted(scsi::Command&) override {
    calls += 'E';
    ++executed;
    Collect();
  }
  void OnWindow(scsi::Command&) override {
    calls += 'W';
    Collect();
  }
  void OnDataWanted(scsi::Command&, uint32_t length) override {
    calls += 'D';
    wanted = length;
    if (feed_data) Feed();
  }
  void OnDataTaken(scsi::Command&) override {
    calls += 'T';
    if (feed_data && out_taken_ < wanted) Feed();
  }

  ManualClock& clock_;
  scsi::LogicalUnit& unit_;
  Bytes out_;
  uint32_t out_taken_ = 0;
};

// A disk, its store, and the first initiator, which has heard of the power-on already.
struct DiskRig {
  explicit DiskRig(emulator::DiskOptions options = {}, uint64_t size = 64 << 10)
      : store(clock, size), disk(clock, store, options), host(clock, disk) {
    host.ForgetAttentions();
  }
  ManualClock clock;
  FaultyStore store;
  emulator::Disk disk;
  Initiator host;
};

// Bytes that differ from block to block, from window to window and within a block.
inline std::vector<uint8_t> Pattern(size_t length, uint8_t seed = 1) {
  std::vector<uint8_t> bytes(length);
  for (size_t index = 0; index < length; ++index) {
    bytes[index] = static_cast<uint8_t>(seed + index * 7 + index / 512 * 13 + (index >> 16) * 29);
  }
  return bytes;
}

}  // namespace usbtwin::tests
