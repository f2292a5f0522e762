// SequenceIndex: the transfers that a peer may still unlink, by the number it gave them. Numbers
// are the peer's choice: it may use one twice, or choose all of them so that they meet in one place
// of a hash table. Here each transfer that a search has met was sorted into a tree once: a storm of
// unlinks costs the logarithm of what is under way for each, whatever the numbers. Who unlinks
// nothing pays for a list.
//
// An entry of the tree is allocated with its Place, once; a Place that is used again allocates
// nothing. The index is empty when it goes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/intrusive_list.h"

namespace usbtwin::async {

template <class Value, class Less = std::less<uint32_t>>
class SequenceIndex {
  using Map = std::multimap<uint32_t, Value*, Less>;

 public:
  // Of one value, and part of it.
  class Place final : public ListNode {
   private:
    friend class SequenceIndex;
    uint32_t sequence_ = 0;
    Value* value_ = nullptr;
    typename Map::node_type spare_;  // while it is not in the tree, from the second time on
    typename Map::iterator entry_;
    bool sorted_ = false;  // into the tree
  };

  void Add(uint32_t sequence, Value& value, Place& place) {
    CHECK(!place.sorted_);
    place.sequence_ = sequence;
    place.value_ = &value;
    unsorted_.PushBack(place);
  }
  // Nothing happens where it is not in the index.
  void Remove(Place& place) {
    if (place.linked()) place.Unlink();
    if (!place.sorted_) return;
    place.sorted_ = false;
    place.spare_ = map_.extract(place.entry_);
  }
  // Of several with this number the one that was added first; null where there is none.
  Value* Find(uint32_t sequence) {
    while (!unsorted_.empty()) Sort(unsorted_.PopFront());
    const auto found = map_.lower_bound(sequence);
    return found == map_.end() || found->first != sequence ? nullptr : found->second;
  }

 private:
  // Numbers that only go up find their place without a search.
  void Sort(Place& place) {
    place.sorted_ = true;
    if (place.spare_.empty()) {
      place.entry_ = map_.emplace_hint(map_.end(), place.sequence_, place.value_);
      return;
    }
    place.spare_.key() = place.sequence_;
    place.spare_.mapped() = place.value_;
    place.entry_ = map_.insert(map_.end(), std::move(place.spare_));
  }

  IntrusiveList<Place> unsorted_;  // added since the last search, in that order
  Map map_;
};

}  // namespace usbtwin::async
