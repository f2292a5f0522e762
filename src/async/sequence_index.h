// SequenceIndex: the transfers that a peer may still unlink, by the number it gave them. Numbers
// are the peer's choice: it may use one twice, or choose all of them so that they meet in one place
// of a hash table. Here a storm of unlinks costs the logarithm of what is under way for each,
// whatever the numbers, and numbers that only go up are entered without a search.
//
// An entry is allocated with its Place, once; a Place that is used again allocates nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/check.h"

namespace usbtwin::async {

template <class Value, class Less = std::less<uint32_t>>
class SequenceIndex {
  using Map = std::multimap<uint32_t, Value*, Less>;

 public:
  // Of one value, and part of it.
  class Place {
   private:
    friend class SequenceIndex;
    typename Map::node_type spare_;  // while it is not in the index, from the second time on
    typename Map::iterator entry_;
    bool taken_ = false;
  };

  void Add(uint32_t sequence, Value& value, Place& place) {
    CHECK(!place.taken_);
    place.taken_ = true;
    if (place.spare_.empty()) {
      place.entry_ = map_.emplace_hint(map_.end(), sequence, &value);
      return;
    }
    place.spare_.key() = sequence;
    place.entry_ = map_.insert(map_.end(), std::move(place.spare_));
  }
  // Nothing happens where it is not in the index.
  void Remove(Place& place) {
    if (!place.taken_) return;
    place.taken_ = false;
    place.spare_ = map_.extract(place.entry_);
  }
  // Of several with this number the one that was added first; null where there is none.
  Value* Find(uint32_t sequence) const {
    const auto found = map_.lower_bound(sequence);
    return found == map_.end() || found->first != sequence ? nullptr : found->second;
  }
  size_t size() const { return map_.size(); }

 private:
  Map map_;
};

}  // namespace usbtwin::async
