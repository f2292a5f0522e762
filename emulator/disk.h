// Disk: a direct-access block device over a BlockStore, for any number of initiators and commands
// at once. What a command has come to is kept in the Command; the Disk itself knows only the state
// of the unit: the medium, and for each initiator its unit attentions, its sense and whether it
// prevents removal. A command completes by one post, never from inside a call. SPC-4, SBC-3, SAM-5.
//
// Data for the host comes in windows of BlockStore::kWindowMax, lent by the store without a copy.
// A block is written whole or not at all, however its bytes come and wherever the host breaks off.
// A WRITE with FUA, or any WRITE without a write cache, is flushed before its status; so is
// SYNCHRONIZE CACHE, IMMED or not. Commands that read and then write what they read (COMPARE AND
// WRITE, ORWRITE) have the store for themselves in between, and so has WRITE ATOMIC. Called by a
// transport, usually through a Target.
//
// Every command that scsi::ParseCdb understands is carried out: REPORT SUPPORTED OPERATION CODES
// tells what is parsed. The disk is thin: what was unmapped, or never written, reads as zeros.
#pragma once

#include <array>
#include <optional>

#include "emulator/disk_log.h"
#include "emulator/disk_options.h"
#include "emulator/erasure.h"
#include "emulator/logical_unit.h"
#include "emulator/mode_pages.h"
#include "emulator/reply.h"
#include "emulator/reservations.h"
#include "emulator/store_gate.h"
#include "emulator/task_set.h"
#include "proto/scsi_command.h"

namespace usbtwin::emulator {

class Disk final : public scsi::LogicalUnit, private StoreSink, private Erasure::Owner {
 public:
  // Bytes in one READ, WRITE or comparing VERIFY; told to hosts as MAXIMUM TRANSFER LENGTH.
  static constexpr uint32_t kTransferMax = uint32_t{1} << 31;
  // The other limits of the Block Limits VPD page, in bytes. Beyond them a command is refused.
  static constexpr uint64_t kUnmapMax = uint64_t{512} << 20;    // in one UNMAP, all descriptors
  static constexpr uint32_t kUnmapDescriptorsMax = 255;         // in one UNMAP
  static constexpr uint32_t kUnmapGranularity = 64 << 10;       // what stores give back
  static constexpr uint64_t kWriteSameMax = uint64_t{1} << 30;  // in one WRITE SAME
  static constexpr uint32_t kSwapMax = 64 << 10;                // in one COMPARE AND WRITE
  static constexpr uint32_t kAtomicMax = 128 << 10;             // in one WRITE ATOMIC
  static constexpr uint32_t kAtomicUnit = 4096;                 // which begins and ends at these
  static constexpr uint32_t kBufferLength = 4096;               // of READ BUFFER and WRITE BUFFER

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

  // For when the disk is put away: an erasure that goes on by itself stops where it is. Idle once
  // the store has answered it.
  void StopErasing() { erasure_.Stop(); }
  bool idle() const { return erasure_.idle(); }

  bool ready() const {
    return medium_ == Medium::kReady && !erasure_.running() && !sanitize_failed_;
  }
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
    kReadFlush,   // READ with FUA: what is cached goes to the medium first
    kRead,        // fetches a window, or waits for NextWindow
    kWrite,       // takes data, or waits for it
    kWriteFlush,  // what was written goes to the medium
    kGather,      // takes data that must be whole before it is acted upon
    kFill,        // WRITE SAME: the same bytes all over the range
    kFillPause,   // lets others run between two pieces
    kUnmap,       // a range, or a descriptor of UNMAP
    kSwapRead,    // COMPARE AND WRITE: what is there
    kSwapWrite,   // COMPARE AND WRITE: it was what the host expected; WRITE ATOMIC
    kOrTake,      // ORWRITE: takes a piece, or waits for it
    kOrRead,
    kOrWrite,
    kCheckedWrite,  // WRITE AND VERIFY: takes data, or waits for it
    kCheck,         // WRITE AND VERIFY: what is there now?
    kCompare,       // VERIFY against the host's data
    kVerify,        // VERIFY against nothing: can it be read?
    kVerifyPause,   // lets others run between two windows
    kFlush,         // SYNCHRONIZE CACHE
    kStop,          // flushes, then stops
    kEject,         // flushes, then ejects
    kErase,         // waits for the end of SANITIZE or FORMAT UNIT
  };

  // Unit attention conditions an initiator has not heard of, most important first. SAM-5, 5.14.
  enum Attention : uint8_t {
    kAttentionReset = 1,
    kAttentionMedium = 2,
    kAttentionMode = 4,
    kAttentionPreempted = 8,       // reservations preempted
    kAttentionReleased = 16,       // reservations released
    kAttentionRegistrations = 32,  // registrations preempted
  };
  struct Nexus {
    uint8_t attentions = kAttentionReset;
    bool prevents_removal = false;
    bool sense_kept = false;
    scsi::Sense sense;  // of the last command, where the transport does not deliver it itself
    std::vector<uint8_t> echo;  // WRITE BUFFER, echo mode
  };

  // disk.cc: one method for each meaning of a command.
  void Run(scsi::Command& command, const scsi::cdb::TestUnitReady& what);
  void Run(scsi::Command& command, const scsi::cdb::RequestSense& what);
  void Run(scsi::Command& command, const scsi::cdb::ReportLuns& what);
  void Run(scsi::Command& command, const scsi::cdb::PreventAllowMediumRemoval& what);
  // disk_power.cc
  void Run(scsi::Command& command, const scsi::cdb::StartStopUnit& what);
  void StartOrStop(scsi::Command& command, const scsi::cdb::StartStopUnit& what);
  void SetPower(scsi::Command& command, const scsi::cdb::StartStopUnit& what);
  // disk_erase.cc
  void Run(scsi::Command& command, const scsi::cdb::Sanitize& what);
  void Run(scsi::Command& command, const scsi::cdb::FormatUnit& what);
  bool EnterErasable(scsi::Command& command);
  void Erase(scsi::Command& command, Erasure::Plan plan, bool immediate);
  void HandleErased() override;
  std::optional<scsi::Sense> ErasureSense() const;
  // disk_reserve.cc
  void Run(scsi::Command& command, const scsi::cdb::Reserve6& what);
  void Run(scsi::Command& command, const scsi::cdb::Release6& what);
  void Run(scsi::Command& command, const scsi::cdb::PersistentReserveIn& what);
  void Run(scsi::Command& command, const scsi::cdb::PersistentReserveOut& what);
  // disk_inquiry.cc
  void Run(scsi::Command& command, const scsi::cdb::Inquiry& what);
  bool AppendVitalPage(uint8_t page, Reply& reply) const;
  void AppendIdentification(Reply& reply) const;
  // disk_mode.cc
  void Run(scsi::Command& command, const scsi::cdb::ModeSense& what);
  void Run(scsi::Command& command, const scsi::cdb::ModeSelect& what);
  void Run(scsi::Command& command, const scsi::cdb::LogSense& what);
  uint16_t AppendBlockDescriptor(const scsi::cdb::ModeSense& what, Reply& reply) const;
  uint64_t DescribedBlocks() const;
  std::optional<scsi::Sense> JudgeBlockDescriptor(Bytes list, size_t offset, bool long_lba) const;
  // disk_io.cc
  void Run(scsi::Command& command, const scsi::cdb::ReadCapacity10& what);
  void Run(scsi::Command& command, const scsi::cdb::ReadCapacity16& what);
  void Run(scsi::Command& command, const scsi::cdb::Read& what);
  void Run(scsi::Command& command, const scsi::cdb::Write& what);
  void Run(scsi::Command& command, const scsi::cdb::PreFetch& what);
  void Run(scsi::Command& command, const scsi::cdb::SynchronizeCache& what);
  // disk_verify.cc
  void Run(scsi::Command& command, const scsi::cdb::Verify& what);
  void Run(scsi::Command& command, const scsi::cdb::WriteAndVerify& what);
  // disk_swap.cc
  void Run(scsi::Command& command, const scsi::cdb::CompareAndWrite& what);
  void Run(scsi::Command& command, const scsi::cdb::OrWrite& what);
  // disk_atomic.cc
  void Run(scsi::Command& command, const scsi::cdb::WriteAtomic& what);
  // disk_unmap.cc
  void Run(scsi::Command& command, const scsi::cdb::Unmap& what);
  void Run(scsi::Command& command, const scsi::cdb::WriteSame& what);
  void Run(scsi::Command& command, const scsi::cdb::GetLbaStatus& what);
  // disk_buffer.cc
  void Run(scsi::Command& command, const scsi::cdb::ReadBuffer& what);
  void Run(scsi::Command& command, const scsi::cdb::WriteBuffer& what);
  void Run(scsi::Command& command, const scsi::cdb::ReadDefectData& what);
  // disk_report.cc
  void Run(scsi::Command& command, const scsi::cdb::ReportOpcodes& what);
  void Run(scsi::Command& command, const scsi::cdb::ReportTaskFunctions& what);

  // What is done with the data once a command that gathers has all of it.
  void Apply(scsi::Command& command, const scsi::cdb::Unmap& what);
  void Apply(scsi::Command& command, const scsi::cdb::WriteSame& what);
  void Apply(scsi::Command& command, const scsi::cdb::CompareAndWrite& what);
  void Apply(scsi::Command& command, const scsi::cdb::WriteAtomic& what);
  void Apply(scsi::Command& command, const scsi::cdb::WriteBuffer& what);
  void Apply(scsi::Command& command, const scsi::cdb::ModeSelect& what);
  void Apply(scsi::Command& command, const scsi::cdb::PersistentReserveOut& what);
  void Apply(scsi::Command& command, const scsi::cdb::Sanitize& what);
  void Apply(scsi::Command& command, const scsi::cdb::FormatUnit& what);

  // A command has its turn.
  void Begin(scsi::Command& command);
  // Starts those whose turn has come.
  void StartCommands();
  void HandleEnded(const scsi::Command& command);
  void AbortOf(uint16_t initiators);

  // Checks medium and range and sets the command's; false where that ended the command.
  bool EnterRange(scsi::Command& command, const scsi::cdb::Range& range);
  bool EnterTransfer(scsi::Command& command, const scsi::cdb::Range& range);
  // The same before anything is written: the medium is there and may be written to.
  bool EnterWritable(scsi::Command& command);
  void WantData(scsi::Command& command, Work work);
  // Takes `length` bytes, at least one and few enough to be kept, and then applies the command.
  void Gather(scsi::Command& command, uint32_t length);
  void HandleGathered(scsi::Command& command, Bytes bytes);
  void SetRead(scsi::Command& command);
  void SetVerify(scsi::Command& command);
  void SetCompare(scsi::Command& command, uint64_t offset, Bytes expected);
  // The next whole block or blocks of what is pending. False: there are none.
  bool SetWrite(scsi::Command& command);
  void SetFlush(scsi::Command& command, Work work, uint64_t offset, uint64_t length);
  void SetFill(scsi::Command& command);
  void SetUnmap(scsi::Command& command, uint64_t offset, uint64_t length);
  bool SetNextUnmap(scsi::Command& command);
  StoreExtent BlocksAt(uint64_t offset) const;
  bool SetOr(scsi::Command& command);
  // Lets others run before the next piece of something long.
  void Pause(scsi::Command& command, Work work);

  // Runs the command's store operations while they are answered at once.
  void Drive(scsi::Command& command);
  // Runs those that the gate lets through now.
  void DriveWaiting();
  void OnStoreDone(StoreOp& op) override;
  // A store operation has ended. True: the next one is set.
  bool Advance(scsi::Command& command);
  bool AdvanceRead(scsi::Command& command, bool failed);
  bool AdvanceWrite(scsi::Command& command, bool failed);
  bool AdvanceCompare(scsi::Command& command, bool failed);
  bool AdvanceVerify(scsi::Command& command, bool failed);
  bool AdvanceCheckedWrite(scsi::Command& command, bool failed);
  bool AdvanceFill(scsi::Command& command, bool failed);
  bool AdvanceUnmap(scsi::Command& command, bool failed);
  bool AdvanceSwap(scsi::Command& command, bool failed);
  bool AdvanceOr(scsi::Command& command, bool failed);
  // Nothing is left to write. True: a flush is set.
  bool FinishWritten(scsi::Command& command, uint64_t offset, uint64_t length);
  bool AdvanceFlush(scsi::Command& command, bool failed);
  // Another piece from the host is dealt with, for better or worse. True: a store operation is set.
  bool HandleTaken(scsi::Command& command);
  scsi::Sense StoreSense(const StoreOp& op) const;

  void Count(const scsi::Command& command);

  // The ways a command ends. `Refuse` keeps the error; the others post.
  void Refuse(scsi::Command& command, const scsi::Sense& sense);
  void Fail(scsi::Command& command, const scsi::Sense& sense);
  void Finish(scsi::Command& command);
  void Conflict(scsi::Command& command);
  void FinishAborted(scsi::Command& command);
  void Answer(scsi::Command& command, Bytes data, uint32_t allocation_length);
  void Answer(scsi::Command& command, const Reply& reply, uint32_t allocation_length) {
    Answer(command, reply.view(), allocation_length);
  }
  void Post(scsi::Command& command, scsi::Command::Step step);

  Work work(const scsi::Command& command) const { return static_cast<Work>(command.work); }
  void set_work(scsi::Command& command, Work work) { command.work = static_cast<uint8_t>(work); }

  bool Paused(const scsi::Command& command) const {
    return work(command) == Work::kVerifyPause || work(command) == Work::kFillPause;
  }

  bool EnterReady(scsi::Command& command);
  scsi::Sense ReadinessSense() const;
  scsi::Sense TakeAttention(Nexus& nexus);
  void Announce(Attention attention);
  void Announce(Attention attention, uint16_t initiators);
  bool removal_prevented() const;
  void Load();

  Clock& clock_;
  BlockStore& store_;
  const DiskOptions options_;
  const uint64_t blocks_count_;
  Medium medium_;
  bool write_protect_switch_ = false;
  bool sanitize_failed_ = false;
  uint8_t low_power_code_ = 0;  // how REQUEST SENSE calls the power condition; 0: active
  std::array<Nexus, scsi::kInitiatorsMax> nexuses_;
  ModePages modes_;
  Reservations reservations_;
  DiskLog log_;
  TaskSet tasks_;
  bool starting_ = false;
  Erasure erasure_;
  scsi::Command* erase_waiter_ = nullptr;  // null where nobody waits
  StoreGate gate_;
  bool driving_waiting_ = false;
  std::array<uint8_t, kBufferLength> buffer_{};  // WRITE BUFFER, data mode
  ReplyPool replies_;
};

}  // namespace usbtwin::emulator
