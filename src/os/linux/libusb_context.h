// What the opened devices share: libusb's context, the events it waits for as watches on our loop,
// and the helper thread for calls that block. libusb starts no thread here, since devices are found
// in sysfs and handed to it as open nodes. Everything belongs to the loop's thread; jobs on the
// helper thread may use context() and a device.
//
// The loop tells of a descriptor once when it becomes ready, libusb takes only some of what is
// there in one call: while transfers are in flight the descriptors are looked at after each call,
// until none is ready.
#pragma once

#include <poll.h>

#include <deque>
#include <memory>
#include <vector>

#include "os/linux/libusb_device.h"
#include "os/linux/loop.h"
#include "os/linux/worker.h"

namespace usbtwin::os {

class LibusbContext final : private Deferred {
 public:
  // Whose descriptor is watched, from Add to Remove.
  class Member : private Watch {
   protected:
    Member() = default;
    ~Member() = default;

   private:
    friend class LibusbContext;
    // All transfers in flight have ended, and there will be no event any more.
    virtual void HandleGone() = 0;
    void HandleReady(Readiness) final { context_->Pump(); }
    LibusbContext* context_ = nullptr;
    int fd_ = -1;
  };

  explicit LibusbContext(Loop& loop) : loop_(loop), worker_(loop) {}
  // Nobody is a member any more. Waits until all devices are closed, and their interfaces back.
  ~LibusbContext();

  // False where libusb cannot start; asked again, it tries again.
  [[nodiscard]] bool Start();
  libusb_context* context() { return context_; }
  Loop& loop() { return loop_; }
  Worker& worker() { return worker_; }

  // False where the system watches no more descriptors.
  [[nodiscard]] bool Add(Member& member, int fd);
  void Remove(Member& member);
  // A transfer is in flight: the loop stays for it.
  void BeginTransfer() {
    ++in_flight_count_;
    loop_.BeginWait();
  }
  void EndTransfer() {
    CHECK_NE(in_flight_count_, 0u);
    --in_flight_count_;
    loop_.EndWait();
  }
  // Closes it on the helper thread. Its member is removed.
  void Close(std::unique_ptr<LibusbDevice> device);

  // A transfer could not be had because the system's memory for them is used up.
  void NoteMemoryLimit() { memory_limit_met_ = true; }
  bool memory_limit_met() const { return memory_limit_met_; }

 private:
  struct OwnWatch final : Watch {  // libusb's own descriptors
    explicit OwnWatch(LibusbContext& owner) : context(owner) {}
    void HandleReady(Readiness) override { context.Pump(); }
    LibusbContext& context;
  };
  struct Closing final : Job {
    void Work() override { device.reset(); }
    void HandleHome() override;
    LibusbContext* owner = nullptr;
    std::unique_ptr<LibusbDevice> device;
  };

  void Pump();
  void Run() override;
  bool IsAnyReady();
  void TellGone();

  Loop& loop_;
  Worker worker_;
  libusb_context* context_ = nullptr;
  std::deque<OwnWatch> own_;
  std::vector<Member*> members_;
  std::vector<pollfd> fds_;  // libusb's own, then one for each member
  size_t in_flight_count_ = 0;
  std::vector<int> gone_;  // descriptors whose device is gone, which libusb has yet to see
  std::vector<std::unique_ptr<Closing>> closings_;
  bool memory_limit_met_ = false;
};

}  // namespace usbtwin::os
