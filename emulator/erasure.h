// Erasure: what SANITIZE and FORMAT UNIT do to a store, over as many turns of the clock as it
// takes, with or without a command that waits for it. It goes on whatever happens to commands and
// buses; only Stop, for when the disk itself is put away, ends it early. Used by Disk. SBC-3, 4.11.
#pragma once

#include <vector>

#include "base/clock.h"
#include "emulator/block_store.h"

namespace usbtwin::emulator {

class Erasure final : private StoreSink, private Timer {
 public:
  enum class Kind : uint8_t { kSanitize, kFormat };
  struct Plan {
    Kind kind = Kind::kSanitize;
    std::vector<uint8_t> pattern;  // whole blocks, all over the medium; empty: it is unmapped
    uint32_t passes_count = 1;     // of the pattern
    bool invert = false;           // its bits, from each pass to the next
    bool unrestricted = false;     // AUSE: what is left of a failure
  };
  class Owner {
   public:
    virtual void HandleErased() = 0;  // outcome() says how

   protected:
    ~Owner() = default;
  };

  // All outlive it; `length` bytes of the store are the medium.
  Erasure(Clock& clock, BlockStore& store, uint64_t length, Owner& owner)
      : clock_(clock), store_(store), length_(length), owner_(owner) {}
  Erasure(const Erasure&) = delete;
  Erasure& operator=(const Erasure&) = delete;
  ~Erasure();

  void Start(Plan plan);  // none is under way
  void Stop();            // idle() once the store has answered
  bool running() const { return running_; }
  bool idle() const { return !in_store_; }
  uint16_t progress() const;                  // of 65536
  const Plan& plan() const { return plan_; }  // of the last one
  StoreOutcome outcome() const { return op_.outcome; }

 private:
  void HandleTimer() override { Step(); }
  void OnStoreDone(StoreOp& op) override;
  void Step();
  void HandleDone();

  Clock& clock_;
  BlockStore& store_;
  const uint64_t length_;
  Owner& owner_;
  Plan plan_;
  StoreOp op_;
  uint32_t passes_done_ = 0;
  uint64_t done_ = 0;  // bytes of this pass
  bool running_ = false;
  bool in_store_ = false;
};

}  // namespace usbtwin::emulator
