// FaultyStore: plays the faults of a plan that begin in a store, in front of any store: errors,
// torn writes, slow answers. Beside that, on request, the store as a volatile write cache that
// power loss finds full: see LosePower. Operations that meet neither go to the store as they are.
//
// With the cache, writes, unmaps and flushes are carried out one after another, since each first
// reads what it is about to replace; reads still go straight through. A flush that succeeds makes
// its range permanent, and so does the write that finds no room for what it replaces: it writes
// through, and everything before it. Nothing is kept from the store itself, so without a power loss
// there is never anything to write back.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "emulator/block_store.h"
#include "emulator/write_history.h"
#include "link/fault_player.h"

namespace usbtwin::emulator {

struct FaultyStoreOptions {
  uint32_t block_size = 512;  // bytes that change together or not at all
  uint8_t lun = 0;            // what rules mean by `lun` here
  bool volatile_cache = false;
  uint64_t cache_length_max = 16 << 20;  // bytes of replaced blocks to remember
};

class FaultyStore final : public BlockStore, private StoreSink {
 public:
  // All outlive the store.
  FaultyStore(Clock& clock, BlockStore& store, fault::Player& player,
              const FaultyStoreOptions& options = {});
  FaultyStore(const FaultyStore&) = delete;
  FaultyStore& operator=(const FaultyStore&) = delete;
  ~FaultyStore() override;

  uint64_t size() const override { return store_.size(); }
  bool writable() const override { return store_.writable(); }
  bool Submit(StoreOp& op) override;
  StoreExtent ExtentAt(uint64_t offset) const override { return store_.ExtentAt(offset); }

  // Power fails now. What waits here ends with an error and changes nothing; what the store is busy
  // with ends with an error whatever it changed. Each block written since it was last permanent is
  // left as one of its versions since then, or as the one before them, drawn by the chooser.
  // Operations submitted from now on wait until that is so. Leases keep their bytes.
  void LosePower(Chooser& chooser);
  // Nothing is under way.
  bool idle() const;
  uint64_t cache_length() const { return history_.length(); }  // bytes of replaced blocks

 private:
  class Job;  // an operation that does not go straight through

  bool Plays(const fault::Rule& rule, const StoreOp& op) const;
  bool Play(StoreOp& op, const fault::Rule& rule);
  Job& Take(StoreOp& op);
  void Enqueue(Job& job);
  void Pump();
  void Begin(Job& job);
  void Drive(Job& job);
  void SetNext(Job& job);
  bool Advance(Job& job);
  bool Save(Job& job);
  void Finish(Job& job, StoreOutcome outcome);
  void Lose(Job& job);

  void HandleHeld(Job& job);
  void HandleDone(Job& job);
  bool undoing() const { return !undo_.empty(); }
  void Undo();
  void OnStoreDone(StoreOp& op) override;  // of undo_op_

  Clock& clock_;
  BlockStore& store_;
  fault::Player& player_;
  const FaultyStoreOptions options_;
  WriteHistory history_;
  std::vector<std::unique_ptr<Job>> jobs_;  // made when first needed, used again
  std::deque<Job*> queue_;
  Job* active_ = nullptr;
  std::vector<WriteHistory::Undo> undo_;
  StoreOp undo_op_;
};

}  // namespace usbtwin::emulator
