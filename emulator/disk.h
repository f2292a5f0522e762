// Disk: a direct-access block device over a BlockStore, for any number of initiators and commands
// at once. What a command has come to is kept in the Command; the Disk itself knows only the state
// of the unit: the medium, and for each initiator its unit attentions, its sense and whether it
// prevents removal. A command completes by one post, never from inside a call. SPC-4, SBC-3, SAM-5.
//
// Data for the host comes in windows of BlockStore::kWindowMax, lent by the store without a copy.
// A block is written whole or not at all, however its bytes come and wherever the host breaks off.
// A WRITE with FUA, or any WRITE without a write cache, is flushed before its status; so is
// SYNCHRONIZE CACHE, IMMED or not. Called by a transport, usually through a Target.
#pragma once

#include <array>
#include <optional>

#include "emulator/disk_options.h"
#include "emulator/logical_unit.h"
#include "emulator/reply.h"
#include "proto/scsi_command.h"

namespace usbtwin::emulator {

class Disk final : public scsi::LogicalUnit, private StoreSink {
 public:
  // Bytes in one READ, WRITE or comparing VERIFY; told to hosts as MAXIMUM TRANSFER LENGTH.
  static constexpr uint32_t kTransferMax = uint32_t{1} << 31;

  // Clock and store outlive the disk; a store of less than one block is a disk without medium.
  Disk(Clock& clock, BlockStore& store, const DiskOptions& options);
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  void Execute(scsi::Command& command) override;
  void NextWindow(scsi::Command& command) override;
  void HandleData(scsi::Command& command, uint32_t offset, Bytes bytes) override;
  void Abort(scsi::Command& command) override;
  void ForgetSense(uint8_t initiator) override;
  void Reset() override;
  void ResetUnit(uint64_t lun) override;

  // What a user does to the device. Removing is refused (false) where the medium is not removable
  // or an initiator prevents it.
  void InsertMedium();
  bool RemoveMedium();
  void SetWriteProtected(bool write_protected);

  bool ready() const { return medium_ == Medium::kReady; }
  bool write_protected() const;
  uint64_t blocks_count() const { return blocks_count_; }

 private:
  enum class Medium : uint8_t {
    kReady,
    kStopped,  // START STOP UNIT said so
    kEjected,  // out, but where a load command finds it
    kAbsent,
  };

  // What the disk does for a command: Command::work. Says what a finished store operation means.
  enum class Work : uint8_t {
    kNone,
    kReadFlush,     // READ with FUA: what is cached goes to the medium first
    kRead,          // fetches a window, or waits for NextWindow
    kWrite,         // takes data, or waits for it
    kWriteThrough,  // the same, with a flush at the end
    kWriteFlush,    // that flush
    kCompare,       // VERIFY against the host's data
    kVerify,        // VERIFY against nothing: can it be read?
    kVerifyPause,   // lets others run between two windows
    kFlush,         // SYNCHRONIZE CACHE
    kStop,          // flushes, then stops
    kEject,         // flushes, then ejects
  };

  // Unit attention conditions an initiator has not heard of, most important first. SAM-5, 5.14.
  enum Attention : uint8_t {
    kAttentionReset = 1,
    kAttentionMedium = 2,
    kAttentionMode = 4,
  };
  struct Nexus {
    uint8_t attentions = kAttentionReset;
    bool prevents_removal = false;
    bool sense_kept = false;
    scsi::Sense sense;  // of the last command, where the transport does not deliver it itself
  };

  // disk.cc: one method for each meaning of a command.
  void Run(scsi::Command& command, const scsi::cdb::TestUnitReady& what);
  void Run(scsi::Command& command, const scsi::cdb::RequestSense& what);
  void Run(scsi::Command& command, const scsi::cdb::ReportLuns& what);
  void Run(scsi::Command& command, const scsi::cdb::StartStopUnit& what);
  void Run(scsi::Command& command, const scsi::cdb::PreventAllowMediumRemoval& what);
  // disk_inquiry.cc
  void Run(scsi::Command& command, const scsi::cdb::Inquiry& what);
  bool AppendVitalPage(uint8_t page, Reply& reply) const;
  void AppendIdentification(Reply& reply) const;
  // disk_mode.cc
  void Run(scsi::Command& command, const scsi::cdb::ModeSense& what);
  uint16_t AppendBlockDescriptor(const scsi::cdb::ModeSense& what, Reply& reply) const;
  bool AppendModePages(const scsi::cdb::ModeSense& what, Reply& reply) const;
  // disk_io.cc
  void Run(scsi::Command& command, const scsi::cdb::ReadCapacity10& what);
  void Run(scsi::Command& command, const scsi::cdb::ReadCapacity16& what);
  void Run(scsi::Command& command, const scsi::cdb::Read& what);
  void Run(scsi::Command& command, const scsi::cdb::Write& what);
  void Run(scsi::Command& command, const scsi::cdb::Verify& what);
  void Run(scsi::Command& command, const scsi::cdb::SynchronizeCache& what);

  // Checks medium and range and sets the command's; false where that ended the command.
  bool EnterRange(scsi::Command& command, const scsi::cdb::Range& range);
  bool EnterTransfer(scsi::Command& command, const scsi::cdb::Range& range);
  void WantData(scsi::Command& command, Work work);
  void SetRead(scsi::Command& command);
  void SetVerify(scsi::Command& command);
  void SetCompare(scsi::Command& command, uint64_t offset, Bytes expected);
  // The next whole block or blocks of what is pending. False: there are none.
  bool SetWrite(scsi::Command& command);
  void SetFlush(scsi::Command& command, Work work, uint64_t offset, uint64_t length);

  // Runs the command's store operations while they are answered at once.
  void Drive(scsi::Command& command);
  void OnStoreDone(StoreOp& op) override;
  // A store operation has ended. True: the next one is set.
  bool Advance(scsi::Command& command);
  bool AdvanceRead(scsi::Command& command, bool failed);
  bool AdvanceWrite(scsi::Command& command, bool failed);
  bool AdvanceCompare(scsi::Command& command, bool failed);
  bool AdvanceVerify(scsi::Command& command, bool failed);
  bool AdvanceFlush(scsi::Command& command, bool failed);
  // Another piece from the host is dealt with, for better or worse. True: a store operation is set.
  bool HandleTaken(scsi::Command& command);
  scsi::Sense StoreSense(const StoreOp& op) const;

  // The ways a command ends. `Refuse` keeps the error; the others post.
  void Refuse(scsi::Command& command, const scsi::Sense& sense);
  void Fail(scsi::Command& command, const scsi::Sense& sense);
  void Finish(scsi::Command& command);
  void FinishAborted(scsi::Command& command, scsi::Command::Step step);
  void Answer(scsi::Command& command, const Reply& reply, uint32_t allocation_length);
  void Post(scsi::Command& command, scsi::Command::Step step);

  Work work(const scsi::Command& command) const { return static_cast<Work>(command.work); }
  void set_work(scsi::Command& command, Work work) { command.work = static_cast<uint8_t>(work); }

  bool EnterReady(scsi::Command& command);
  scsi::Sense ReadinessSense() const;
  scsi::Sense TakeAttention(Nexus& nexus);
  void Announce(Attention attention);
  bool removal_prevented() const;
  void Load();

  Clock& clock_;
  BlockStore& store_;
  const DiskOptions options_;
  const uint64_t blocks_count_;
  Medium medium_;
  bool write_protect_switch_ = false;
  std::array<Nexus, scsi::kInitiatorsMax> nexuses_;
  ReplyPool replies_;
};

}  // namespace usbtwin::emulator
