// A transfer that is submitted before anybody waits for it, and waited for later: for links where
// each wait costs a round trip. Owned by a transport, which waits for every one it started.
#pragma once

#include "async/task.h"
#include "usb/link.h"

namespace usbtwin::host {

class Ahead final : private usb::TransferSink, private async::CancelHook {
 public:
  usb::Transfer transfer;

  void Start(usb::Link& link) {
    CHECK(!started_);
    link_ = &link;
    started_ = true;
    done_ = false;
    cancelled_ = false;
    transfer.Rearm();
    transfer.Push(*this);
    link.Submit(transfer);
  }
  // What was started after this one, to be cancelled before it; null: nothing. Or data would go
  // out in the place of the wrapper that was taken back before it.
  void set_behind(Ahead* behind) { behind_ = behind; }
  void CancelTransfer() {
    if (behind_ != nullptr && behind_->started_) behind_->CancelTransfer();
    if (!done_ && !std::exchange(cancelled_, true)) link_->Cancel(transfer);
  }

  // co_await ahead.Wait(): its outcome; it may be started again then. Cancelling the chain cancels
  // the transfer.
  class Awaiter {
   public:
    explicit Awaiter(Ahead& ahead) : ahead_(ahead) {}
    bool await_ready() const { return ahead_.done_; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) {
      ahead_.root_ = &handle.promise().root();
      ahead_.handle_ = handle;
      ahead_.root_->set_hook(&ahead_);
      if (ahead_.root_->stopping()) ahead_.CancelTransfer();
    }
    usb::Outcome await_resume() const {
      ahead_.started_ = false;
      return ahead_.transfer.outcome;
    }

   private:
    Ahead& ahead_;
  };
  Awaiter Wait() { return Awaiter(*this); }

 private:
  void OnDone(usb::Transfer&, uint64_t) override {
    done_ = true;
    if (!handle_) return;
    root_->set_hook(nullptr);
    root_->Resume(std::exchange(handle_, nullptr));
  }
  void Cancel() override { CancelTransfer(); }

  usb::Link* link_ = nullptr;
  Ahead* behind_ = nullptr;
  bool started_ = false;
  bool done_ = false;
  bool cancelled_ = false;
  async::Root* root_ = nullptr;
  std::coroutine_handle<> handle_;
};

}  // namespace usbtwin::host
