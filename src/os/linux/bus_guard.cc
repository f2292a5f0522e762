#include "os/linux/bus_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

#include "base/check.h"

namespace usbtwin::os {
namespace {

struct Slot {
  std::atomic<uintptr_t> start = 0;  // 0: the slot is free
  std::atomic<size_t> length = 0;
  std::atomic<uint32_t> faults = 0;
};
static_assert(std::atomic<uintptr_t>::is_always_lock_free, "used in a signal handler");

std::array<Slot, 64> slots;
std::mutex slots_mutex;  // guards who takes and frees slots, and what follows
size_t slots_used = 0;
struct sigaction previous;
uintptr_t page_mask = 0;

bool ReplacePage(uintptr_t address) {
  for (Slot& slot : slots) {
    const uintptr_t start = slot.start.load(std::memory_order_acquire);
    if (start == 0 || address < start || address - start >= slot.length.load()) continue;
    const size_t page_length = ~page_mask + 1;
    void* page = reinterpret_cast<void*>(address & page_mask);
    void* zeros =
        mmap(page, page_length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) return false;
    slot.faults.fetch_add(1);
    return true;
  }
  return false;
}

void CallPrevious(int signal, siginfo_t* info, void* context) {
  // A handler installed later that calls ours would otherwise call itself through us for ever.
  static thread_local bool calling = false;
  const bool is_default = (previous.sa_flags & SA_SIGINFO) == 0 &&
                          (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN);
  const bool sent_by_process = info->si_code <= 0;
  if (calling || is_default) {
    if (!calling && sent_by_process && previous.sa_handler == SIG_IGN) return;
    struct sigaction fatal = {};
    fatal.sa_handler = SIG_DFL;
    sigaction(signal, &fatal, nullptr);
    // A fault is raised again by the same instruction; a signal that was sent is not.
    if (sent_by_process) raise(signal);
    return;
  }
  calling = true;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else {
    previous.sa_handler(signal);
  }
  calling = false;
}

void HandleBusError(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const bool is_fault = info->si_code > 0;
  const bool replaced = is_fault && ReplacePage(reinterpret_cast<uintptr_t>(info->si_addr));
  if (!replaced) CallPrevious(signal, info, context);
  errno = saved;
}

void Install() {
  page_mask = ~(static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);
  struct sigaction ours = {};
  ours.sa_sigaction = HandleBusError;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  CHECK_EQ(sigaction(SIGBUS, &ours, &previous), 0);
}

void Uninstall() {
  struct sigaction current = {};
  CHECK_EQ(sigaction(SIGBUS, nullptr, &current), 0);
  const bool is_ours =
      (current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == HandleBusError;
  // Somebody came after us and may call us: then ours stays where it is.
  if (is_ours) CHECK_EQ(sigaction(SIGBUS, &previous, nullptr), 0);
}

}  // namespace

std::unique_ptr<GuardedMapping> GuardedMapping::Map(int fd, uint64_t length) {
  if (length == 0 || length > SIZE_MAX / 2) return nullptr;
  const std::lock_guard lock(slots_mutex);
  size_t index = 0;
  while (index < slots.size() && slots[index].start.load() != 0) ++index;
  if (index == slots.size()) return nullptr;
  const auto map_length = static_cast<size_t>(length);
  void* start = mmap(nullptr, map_length, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (start == MAP_FAILED) return nullptr;

  if (slots_used++ == 0) Install();
  Slot& slot = slots[index];
  slot.length.store(map_length);
  slot.faults.store(0);
  slot.start.store(reinterpret_cast<uintptr_t>(start), std::memory_order_release);
  const Bytes bytes(static_cast<const uint8_t*>(start), map_length);
  return std::unique_ptr<GuardedMapping>(new GuardedMapping(index, bytes));
}

GuardedMapping::~GuardedMapping() {
  const std::lock_guard lock(slots_mutex);
  // In this order: the addresses may be somebody else's as soon as they are unmapped.
  slots[slot_].start.store(0);
  munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size());
  if (--slots_used == 0) Uninstall();
}

bool GuardedMapping::broken() const {
  return slots[slot_].faults.load() != 0;
}

bool GuardedMapping::TakeFault() {
  const uint32_t faults = slots[slot_].faults.load();
  return std::exchange(faults_told_, faults) != faults;
}

}  // namespace usbtwin::os
