// BlockDevice: a logical unit as blocks: identity, capacity, read, write, verify, flush, over any
// ScsiTransport. It splits what is asked into commands of a bounded length, tries again what may be
// tried again (retry_policy.h), and believes no device blindly: a READ whose data is short, a
// residue that contradicts the wire, and a capacity that makes no sense are errors with their
// numbers.
//
// Its tasks run one at a time. Called by the tools, and by whoever needs blocks rather than
// commands.
#pragma once

#include "host/block_error.h"
#include "host/retry_policy.h"
#include "proto/scsi_command.h"

namespace usbtwin::host {

struct BlockDeviceOptions {
  uint64_t lun = 0;
  uint32_t command_length_max = 128 << 10;  // bytes in one command; many devices fail on more
  uint32_t verify_blocks_max = 65535;       // blocks in one VERIFY, which moves none of them
  Duration command_timeout = std::chrono::seconds(30);
  Duration flush_timeout = std::chrono::seconds(60);
  // The wire's count alone decides how much data there is. For devices whose residue is nonsense.
  bool ignore_residue = false;
  RetryLimits retry;
};

// What INQUIRY and READ CAPACITY said. Texts are printable ASCII without the padding.
struct BlockFacts {
  uint8_t peripheral_type = 0;  // PERIPHERAL DEVICE TYPE
  uint8_t version = 0;          // VERSION: of SPC
  bool removable = false;       // RMB
  std::string vendor;
  std::string product;
  std::string revision;

  uint32_t block_size = 0;        // bytes; a power of two
  uint64_t blocks_count = 0;      // blocks_count * block_size fits into 63 bits
  bool long_capacity = false;     // from READ CAPACITY(16); what follows is known only then
  uint8_t physical_exponent = 0;  // log2 of logical blocks in a physical one
  bool thin = false;              // LBPME: logical block provisioning

  uint64_t size() const { return blocks_count * block_size; }  // bytes
};

class BlockDevice {
 public:
  static constexpr uint32_t kBlockSizeMin = 256;
  static constexpr uint32_t kBlockSizeMax = 1 << 20;

  // The transport outlives it.
  explicit BlockDevice(ScsiTransport& transport, BlockDeviceOptions options = {});

  // INQUIRY, TEST UNIT READY, READ CAPACITY. Again after a medium has changed. Where it fails,
  // facts() hold what was learned until then.
  async::Task<BlockResult> Open();
  bool is_open() const { return is_open_; }
  const BlockFacts& facts() const { return facts_; }

  // Lengths are whole numbers of blocks, within the capacity. The bytes are borrowed until the
  // result. After an error the contents of `target`, or of the range on the medium, are unknown
  // from error.blocks_done on.
  async::Task<BlockResult> Read(uint64_t lba, MutableBytes target, scsi::Caching caching = {});
  async::Task<BlockResult> Write(uint64_t lba, Bytes source, scsi::Caching caching = {});
  // Has the device read the blocks, and keep them.
  async::Task<BlockResult> Verify(uint64_t lba, uint64_t blocks_count);
  // Everything written is on the medium afterwards. A device without the command has no cache.
  // Where the device was disconnected since it took a write that was neither forced nor flushed,
  // that write may be lost with its power: the flush then fails once (kDisconnected), and the
  // caller writes again.
  async::Task<BlockResult> Flush();

  // Reads without a copy, where the transport lends: blocks of one command, at most blocks_max().
  bool lends_data() const { return transport_.lends_data(); }
  uint32_t blocks_max() const;
  async::Task<BlockResult> ReadLent(uint64_t lba, uint32_t blocks_count, LeaseList& lent);

 private:
  enum class Verb : uint8_t { kRead, kWrite, kVerify };
  // What a call asks for. The blocks are given as a count, or as bytes to move.
  struct Extent {
    Verb verb = Verb::kRead;
    uint64_t lba = 0;
    uint64_t blocks_count = 0;
    MutableBytes in;
    Bytes out;
    LeaseList* lent = nullptr;
    scsi::Caching caching;
  };
  struct Command {
    scsi::Cdb cdb;
    Bytes out;
    MutableBytes in;
    uint32_t in_length = 0;
    LeaseList* lent = nullptr;
    std::optional<uint32_t> length_min;  // bytes that will do; all that are asked for where unset
    Duration timeout{};
    std::optional<uint64_t> lba;
    uint32_t blocks_count = 0;
  };
  static_assert(std::is_trivially_destructible_v<Extent>);
  static_assert(std::is_trivially_destructible_v<Command>);

  // host/block_probe.cc
  async::Task<BlockResult> Inquire();
  async::Task<BlockResult> AwaitReady();
  async::Task<BlockResult> ReadCapacity();
  async::Task<BlockResult> ReadLongCapacity();
  BlockResult SetCapacity(uint8_t opcode, uint64_t lba_final, uint32_t block_size);

  // Sets the count of blocks, and finds what is wrong with them.
  std::optional<Error> Check(Extent& extent) const;
  uint32_t blocks_max(const Extent& extent) const;
  async::Task<BlockResult> Move(Extent extent);
  Command MakeCommand(const Extent& extent, uint64_t blocks_done, uint32_t blocks_count) const;

  // Sends the command until it is done, which leaves `result_`, or may not be tried again: then it
  // is false, and `error_` says why. (Members, because a command copies large results many times.)
  async::Task<bool> Run(const Command& command);
  async::Task<void> StartUnit();
  RetryPolicy::Guard guard() const;
  void NoteDisturbance(const Result<ScsiResult>& answer);
  void NoteReopenings();
  void Explain(const Command& command, const Result<ScsiResult>& answer);
  std::optional<Error> CheckLengths(const Command& command, const ScsiResult& result) const;
  // Bytes of data that count: the wire's, less what the residue takes away.
  uint32_t ValidLength(const Command& command, const ScsiResult& result) const;

  ScsiTransport& transport_;
  const BlockDeviceOptions options_;
  BlockFacts facts_;
  ScsiResult result_;
  BlockError error_;
  bool is_open_ = false;
  bool disturbed_ = false;         // the transport broke since a command last succeeded
  bool unflushed_ = false;         // something was written that may be in the device's cache
  bool cache_lost_ = false;        // the device was disconnected since
  uint64_t reopenings_count_ = 0;  // of the transport, that are known here
};

}  // namespace usbtwin::host
