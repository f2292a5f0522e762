// WorldStore: the medium of a unit in a World: bytes in memory, and an answer that takes its time.
// What is asked is carried out when it is answered. It also counts what was read, so that a judge
// knows whether a unit that says so has read its medium.
#pragma once

#include <memory>
#include <vector>

#include "emulator/memory_store.h"

namespace usbtwin::sim {

class WorldStore final : public emulator::BlockStore {
 public:
  // `latency` of each operation; 0: answered at once. The clock outlives the store.
  WorldStore(Clock& clock, uint64_t size, Duration latency);
  ~WorldStore() override;

  uint64_t size() const override { return store_.size(); }
  bool writable() const override { return true; }
  bool Submit(emulator::StoreOp& op) override;

  uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Job final : Timer {
    explicit Job(WorldStore& of) : store(of) {}
    void HandleTimer() override { store.Answer(*this); }
    WorldStore& store;
    emulator::StoreOp* op = nullptr;  // null: free
  };

  void Carry(emulator::StoreOp& op);
  void Answer(Job& job);

  Clock& clock_;
  emulator::MemoryStore store_;
  const Duration latency_;
  uint64_t bytes_read_ = 0;
  std::vector<std::unique_ptr<Job>> jobs_;  // made when first needed, used again
};

}  // namespace usbtwin::sim
