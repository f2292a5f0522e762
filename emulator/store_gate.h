// StoreGate: whose store operations may start. Usually everybody's do. A command that must read and
// write without anything in between owns the gate for that time: it waits until the store has
// answered all others, whose next operations wait until it leaves. Used by Disk, which drives what
// Next gives; as many wait as there are commands.
#pragma once

#include <deque>

#include "emulator/logical_unit.h"

namespace usbtwin::emulator {

class StoreGate {
 public:
  // True: its operation may start. False: it is kept here until Next gives it.
  bool Enter(scsi::Command& command, bool exclusive) {
    if (owner_ == &command) return true;
    if (owner_ != nullptr) {
      waiting_.push_back(&command);
      return false;
    }
    if (!exclusive) return true;
    owner_ = &command;
    owner_waits_ = in_store_count_ != 0;
    return !owner_waits_;
  }
  // An operation is with the store, which will answer later; and it has.
  void HandleSubmitted() { ++in_store_count_; }
  void HandleAnswered() {
    CHECK_LT(0u, in_store_count_);
    --in_store_count_;
  }
  // The command is done with the store for now.
  void Leave(const scsi::Command& command) {
    if (owner_ == &command) owner_ = nullptr;
  }
  // A command that was kept and may now enter again; null where there is none.
  scsi::Command* Next() {
    if (owner_ != nullptr) {
      if (!owner_waits_ || in_store_count_ != 0) return nullptr;
      owner_waits_ = false;
      return owner_;
    }
    if (waiting_.empty()) return nullptr;
    scsi::Command* const next = waiting_.front();
    waiting_.pop_front();
    return next;
  }

 private:
  scsi::Command* owner_ = nullptr;
  bool owner_waits_ = false;  // for the store to answer the others
  uint32_t in_store_count_ = 0;
  std::deque<scsi::Command*> waiting_;
};

}  // namespace usbtwin::emulator
