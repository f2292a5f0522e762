// The bridge from coroutines to sockets, as perform.h is to links: co_await PerformRead(socket,
// read). Cancelling the chain cancels the operation, and the await ends when it has completed.
#pragma once

#include "async/socket.h"
#include "async/task.h"

namespace usbtwin::async {

// `Target` has Start and Cancel for the operation, in one of the forms below.
template <class Op, class Target, void (Target::*kStart)(Op&), void (Target::*kCancel)(Op&)>
class PerformSocketOp final : private usb::Sink<Op>, private CancelHook {
 public:
  PerformSocketOp(Target& target, Op& op) : target_(target), op_(op) {}

  bool await_ready() const { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    root_ = &handle.promise().root();
    handle_ = handle;
    op_.outcome = SocketOutcome::kPending;
    if (root_->stopping()) {
      op_.outcome = SocketOutcome::kCancelled;
      return false;
    }
    op_.Push(*this);
    root_->set_hook(this);
    (target_.*kStart)(op_);
    return true;
  }
  SocketOutcome await_resume() const { return op_.outcome; }

 private:
  void OnDone(Op&, uint64_t) override {
    root_->set_hook(nullptr);
    root_->Resume(handle_);
  }
  void Cancel() override { (target_.*kCancel)(op_); }

  Target& target_;
  Op& op_;
  Root* root_ = nullptr;
  std::coroutine_handle<> handle_;
};

using PerformRead = PerformSocketOp<SocketRead, Socket, &Socket::Read, &Socket::Cancel>;
using PerformWrite = PerformSocketOp<SocketWrite, Socket, &Socket::Write, &Socket::Cancel>;
using PerformConnect = PerformSocketOp<SocketConnect, SocketProvider, &SocketProvider::Connect,
                                       &SocketProvider::Cancel>;
using PerformAccept = PerformSocketOp<SocketAccept, Listener, &Listener::Accept, &Listener::Cancel>;

}  // namespace usbtwin::async
