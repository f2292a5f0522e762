// TaskSet: the commands one logical unit has, and which of them may start. An ordered command waits
// for all older ones, and all younger ones wait for it; nobody starts while a command for the head
// of the queue is there, but another one of those; simple commands take no notice of each other.
// SAM-5, 8.6. Used by Disk; bounded, so that it can answer TASK SET FULL. It orders what takes
// effect among all initiators, for as long as the unit is at it; that the answers come in that
// order too is for the transport to see to, whose tasks last longer (proto/uas_device.h).
#pragma once

#include <algorithm>
#include <vector>

#include "emulator/logical_unit.h"

namespace usbtwin::emulator {

class TaskSet {
 public:
  static constexpr size_t kCommandsMax = 256;

  bool full() const { return entries_.size() >= kCommandsMax; }
  // Takes in a command that the set has room for.
  void Add(scsi::Command& command) {
    CHECK(!full());
    entries_.push_back({&command, false});
    if (command.attribute != scsi::TaskAttribute::kSimple) ++special_count_;
  }
  // True for one that was there.
  bool Remove(const scsi::Command& command) {
    const auto found = Find(command);
    if (found == entries_.end()) return false;
    if (command.attribute != scsi::TaskAttribute::kSimple) --special_count_;
    entries_.erase(found);
    return true;
  }
  // Whether it is here and has not started.
  bool IsDormant(const scsi::Command& command) const {
    const auto found = Find(command);
    return found != entries_.end() && !found->started;
  }
  // The next command that may start, which then counts as started; null where there is none.
  scsi::Command* Start() {
    bool behind = false;   // there is an older command
    bool blocked = false;  // there is an older ordered one
    const bool head = HasHead();
    for (Entry& entry : entries_) {
      const scsi::TaskAttribute attribute = entry.command->attribute;
      const bool may =
          attribute == scsi::TaskAttribute::kHeadOfQueue ||
          (!head && !blocked && (attribute == scsi::TaskAttribute::kSimple || !behind));
      if (may && !entry.started) {
        entry.started = true;
        return entry.command;
      }
      behind = true;
      if (attribute == scsi::TaskAttribute::kOrdered) blocked = true;
    }
    return nullptr;
  }
  // The commands of initiators whose bit is set, oldest first.
  std::vector<scsi::Command*> Of(uint16_t initiators) const {
    std::vector<scsi::Command*> found;
    for (const Entry& entry : entries_) {
      if ((initiators >> entry.command->initiator & 1) != 0) found.push_back(entry.command);
    }
    return found;
  }

 private:
  struct Entry {
    scsi::Command* command;
    bool started;
  };
  std::vector<Entry>::iterator Find(const scsi::Command& command) {
    return std::find_if(entries_.begin(), entries_.end(),
                        [&](const Entry& entry) { return entry.command == &command; });
  }
  std::vector<Entry>::const_iterator Find(const scsi::Command& command) const {
    return std::find_if(entries_.begin(), entries_.end(),
                        [&](const Entry& entry) { return entry.command == &command; });
  }
  bool HasHead() const {
    return special_count_ != 0 &&
           std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
             return entry.command->attribute == scsi::TaskAttribute::kHeadOfQueue;
           });
  }

  std::vector<Entry> entries_;  // oldest first
  size_t special_count_ = 0;    // of those that are not simple
};

}  // namespace usbtwin::emulator
