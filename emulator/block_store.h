// BlockStore: where a disk's bytes are. Addressed in bytes, block sizes are the unit's business. A
// store lends what is read (one window at a time) and protects what is lent: a write to leased
// bytes first moves the leased bytes to a copy, so that a half-sent READ never tears.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/lease.h"

namespace usbtwin::emulator {

enum class StoreOutcome : uint8_t { kOk, kReadError, kWriteError, kNoSpace };

struct StoreOp;
class StoreSink {
 public:
  virtual void OnStoreDone(StoreOp& op) = 0;

 protected:
  ~StoreSink() = default;
};

// One piece of work for a store; lives in the scsi::Command it serves and is reused. Posted by the
// store when it answers later.
struct StoreOp final : Deferred {
  enum class Kind : uint8_t { kRead, kWrite, kFlush, kUnmap };
  // What is asked. The range lies within the store; the caller has checked it.
  Kind kind = Kind::kRead;
  uint64_t offset = 0;  // bytes from the start of the store
  uint64_t length = 0;  // kRead: at most kWindowMax; kWrite: data.size(); kFlush: 0 for everything
  Bytes data;           // kWrite: borrowed until answered
  bool whole = false;   // kWrite: whatever happens, all of it takes effect or nothing does
  StoreSink* sink = nullptr;
  void* owner = nullptr;  // the sink's own: what the op works for; stores leave it alone

  // What came of it.
  StoreOutcome outcome = StoreOutcome::kOk;
  Lease lease;  // kRead: exactly `length` bytes where the outcome is kOk

 private:
  void Run() override { sink->OnStoreDone(*this); }
};

struct StoreExtent {
  bool mapped = true;
  uint64_t length = 0;  // bytes, at least one unless the store ends here
};

class BlockStore {
 public:
  static constexpr uint32_t kWindowMax = 1 << 20;  // bytes in one read

  virtual ~BlockStore() = default;
  virtual uint64_t size() const = 0;  // bytes
  virtual bool writable() const = 0;
  // Unmapped ranges read as zeros. A store that cannot unmap writes zeros.
  // True: answered already, the sink is not called. False: the sink is called later, once.
  virtual bool Submit(StoreOp& op) = 0;
  // What lies from byte `offset` on, and how far: bytes that have been written, or a hole. A store
  // that does not know its holes says that it has none. GET LBA STATUS asks.
  virtual StoreExtent ExtentAt(uint64_t offset) const { return {.length = size() - offset}; }
};

}  // namespace usbtwin::emulator
