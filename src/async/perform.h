// The bridge from coroutines to operations: co_await Perform(link, transfer). Awaiters, not tasks:
// no frame, no post; OnDone resumes the coroutine from the clock's loop. Cancelling the chain
// becomes Link::Cancel, and the await ends when the transfer has completed.
#pragma once

#include "async/task.h"
#include "usb/bus.h"
#include "usb/link.h"

namespace usbtwin::async {

// Re-arms the transfer, submits it and waits. The result is its outcome; a chain that is stopping
// does not submit and gets kCancelled.
class Perform final : private usb::TransferSink, private CancelHook {
 public:
  Perform(usb::Link& link, usb::Transfer& transfer) : link_(link), transfer_(transfer) {}

  bool await_ready() const { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    root_ = &handle.promise().root();
    handle_ = handle;
    transfer_.Rearm();
    if (root_->stopping()) {
      transfer_.outcome = usb::Outcome::kCancelled;
      return false;
    }
    transfer_.Push(*this);
    root_->set_hook(this);
    link_.Submit(transfer_);
    return true;
  }
  usb::Outcome await_resume() const { return transfer_.outcome; }

 private:
  void OnDone(usb::Transfer&, uint64_t) override {
    root_->set_hook(nullptr);
    root_->Resume(handle_);
  }
  void Cancel() override { link_.Cancel(transfer_); }

  usb::Link& link_;
  usb::Transfer& transfer_;
  Root* root_ = nullptr;
  std::coroutine_handle<> handle_;
};

// The same for a port request, which cannot be cancelled and is always sent.
class PerformPort final : private usb::PortSink {
 public:
  PerformPort(usb::Link& link, usb::PortOp& op) : link_(link), op_(op) {}

  bool await_ready() const { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) {
    root_ = &handle.promise().root();
    handle_ = handle;
    op_.outcome = usb::Outcome::kPending;
    op_.Push(*this);
    link_.Request(op_);
  }
  usb::Outcome await_resume() const { return op_.outcome; }

 private:
  void OnDone(usb::PortOp&, uint64_t) override { root_->Resume(handle_); }

  usb::Link& link_;
  usb::PortOp& op_;
  Root* root_ = nullptr;
  std::coroutine_handle<> handle_;
};

// The same for opening a device. The result is op.result.
class PerformOpen final : private usb::Sink<usb::OpenOp> {
 public:
  PerformOpen(usb::Bus& bus, usb::OpenOp& op) : bus_(bus), op_(op) {}

  bool await_ready() const { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) {
    root_ = &handle.promise().root();
    handle_ = handle;
    op_.Push(*this);
    bus_.Open(op_);
  }
  void await_resume() const {}

 private:
  void OnDone(usb::OpenOp&, uint64_t) override { root_->Resume(handle_); }

  usb::Bus& bus_;
  usb::OpenOp& op_;
  Root* root_ = nullptr;
  std::coroutine_handle<> handle_;
};

// co_await Sleep(duration): false where the chain was cancelled first.
class Sleep final : private Timer, private CancelHook {
 public:
  explicit Sleep(Duration length) : length_(length) {}

  bool await_ready() const { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    root_ = &handle.promise().root();
    handle_ = handle;
    if (root_->stopping()) {
      cancelled_ = true;
      return false;
    }
    root_->set_hook(this);
    root_->clock().Arm(*this, root_->clock().Now() + length_);
    return true;
  }
  bool await_resume() const { return !cancelled_; }

 private:
  void HandleTimer() override {
    root_->set_hook(nullptr);
    root_->Resume(handle_);
  }
  void Cancel() override {
    cancelled_ = true;
    root_->clock().Arm(*this, root_->clock().Now());
  }

  Duration length_;
  Root* root_ = nullptr;
  std::coroutine_handle<> handle_;
  bool cancelled_ = false;
};

}  // namespace usbtwin::async
