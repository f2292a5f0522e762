// A list whose links live in its members: no allocation, removal from the middle in constant time.
// A node is in at most one list at once; a list does not own its nodes and must be empty before it
// is destroyed, because a forgotten node would keep a dangling neighbour.
#pragma once

#include <utility>

#include "base/check.h"

namespace usbtwin {

class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  bool linked() const { return next_ != nullptr; }
  void Unlink() {
    CHECK(linked());
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = nullptr;
    next_ = nullptr;
  }

 protected:
  ~ListNode() = default;

 private:
  template <class T>
  friend class IntrusiveList;
  ListNode* prev_ = nullptr;
  ListNode* next_ = nullptr;
};

// First in, first out. T derives from ListNode.
template <class T>
class IntrusiveList {
 public:
  IntrusiveList() { head_.prev_ = head_.next_ = &head_; }
  ~IntrusiveList() {
    CHECK(empty());
    head_.prev_ = head_.next_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  T& front() { return *static_cast<T*>(head_.next_); }

  void PushBack(T& item) {
    ListNode& node = item;
    CHECK(!node.linked());
    node.prev_ = head_.prev_;
    node.next_ = &head_;
    head_.prev_->next_ = &node;
    head_.prev_ = &node;
  }

  // Before all others: for pools, which give out next what came back last.
  void PushFront(T& item) {
    ListNode& node = item;
    CHECK(!node.linked());
    node.prev_ = &head_;
    node.next_ = head_.next_;
    head_.next_->prev_ = &node;
    head_.next_ = &node;
  }

  T& PopFront() {
    CHECK(!empty());
    T& item = front();
    item.Unlink();
    return item;
  }

  // The item behind `item`, or null at the end: for walking while the list does not change.
  T* next(T& item) {
    ListNode* node = static_cast<ListNode&>(item).next_;
    return node == &head_ ? nullptr : static_cast<T*>(node);
  }

  bool Contains(const T& item) const {
    const ListNode* wanted = &item;
    for (const ListNode* node = head_.next_; node != &head_; node = node->next_) {
      if (node == wanted) return true;
    }
    return false;
  }

 private:
  ListNode head_;
};

}  // namespace usbtwin
