#include "async/task.h"

#include <array>
#include <new>

// A pool would hide the use of a freed frame from AddressSanitizer.
#if defined(__SANITIZE_ADDRESS__)
#define USBTWIN_POOL_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define USBTWIN_POOL_FRAMES 0
#endif
#endif
#ifndef USBTWIN_POOL_FRAMES
#define USBTWIN_POOL_FRAMES 1
#endif

namespace usbtwin::async::internal {

#if USBTWIN_POOL_FRAMES
namespace {

constexpr size_t kClassSize = 64;
constexpr size_t kClassCount = 64;  // frames up to 4 KiB; larger ones are not pooled

struct FreeNode {
  FreeNode* next;
};

class FramePool {
 public:
  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    for (FreeNode*& head : heads_) {
      while (head != nullptr) ::operator delete(std::exchange(head, head->next));
    }
  }
  FreeNode*& head(size_t size) { return heads_[(size - 1) / kClassSize]; }

 private:
  std::array<FreeNode*, kClassCount> heads_{};
};

thread_local FramePool pool;

}  // namespace

void* AllocateFrame(size_t size) {
  if (size > kClassSize * kClassCount) return ::operator new(size);
  FreeNode*& head = pool.head(size);
  if (head != nullptr) return std::exchange(head, head->next);
  return ::operator new((size + kClassSize - 1) / kClassSize * kClassSize);
}

void FreeFrame(void* frame, size_t size) {
  if (size > kClassSize * kClassCount) return ::operator delete(frame);
  FreeNode*& head = pool.head(size);
  head = new (frame) FreeNode{head};
}
#else
void* AllocateFrame(size_t size) {
  return ::operator new(size);
}
void FreeFrame(void* frame, size_t) {
  ::operator delete(frame);
}
#endif

}  // namespace usbtwin::async::internal
