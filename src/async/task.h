// Task<T>: a coroutine that starts when it is awaited and hands its result to whoever awaits it.
// Every chain of tasks hangs from one Root. Resuming goes through the root's trampoline, never from
// one coroutine straight into another, so no build overflows the stack however many children finish
// at once. Frames come from a free list per thread and size (the one exception to "no globals":
// a frame is allocated before the task has a root), so the steady state allocates nothing.
//
// Cancelling is a level, not an event: Root::Cancel sets it and pokes the one suspended leaf, which
// asks its operation to end and then waits for it. A Shield switches it off around work that must
// finish, such as recovery. Destroying a started, unfinished task is a bug: scopes join.
//
// g++ 12 miscompiles some co_await expressions: a co_await stands alone in its statement, with no
// braces, brackets, ?:, && or || in it. tools/tidy.py checks that.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/clock.h"

namespace usbtwin::async {

namespace internal {
void* AllocateFrame(size_t size);
void FreeFrame(void* frame, size_t size);
}  // namespace internal

// What the suspended leaf of a chain registers, so that Cancel reaches it.
class CancelHook {
 public:
  // Asks the operation to end. It still completes, later.
  virtual void Cancel() = 0;

 protected:
  ~CancelHook() = default;
};

class Root {
 public:
  explicit Root(Clock& clock) : clock_(clock) {}
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  Clock& clock() { return clock_; }

  // Runs `handle` and whatever it makes ready, until the chain suspends or ends.
  void Resume(std::coroutine_handle<> handle) {
    CHECK(!next_);
    next_ = handle;
    while (next_) std::exchange(next_, nullptr).resume();
  }
  void set_next(std::coroutine_handle<> handle) { next_ = handle; }

  void Cancel() {
    stop_ = true;
    if (stopping() && hook_ != nullptr) hook_->Cancel();
  }
  bool stopping() const { return stop_ && shields_ == 0; }
  void set_hook(CancelHook* hook) { hook_ = hook; }

 private:
  friend class Shield;
  Clock& clock_;
  std::coroutine_handle<> next_;
  CancelHook* hook_ = nullptr;
  int shields_ = 0;
  bool stop_ = false;
};

// While it lives, the chain is not stopping.
class Shield {
 public:
  explicit Shield(Root& root) : root_(root) { ++root_.shields_; }
  Shield(const Shield&) = delete;
  Shield& operator=(const Shield&) = delete;
  ~Shield() { --root_.shields_; }

 private:
  Root& root_;
};

class PromiseBase {
 public:
  static void* operator new(size_t size) { return internal::AllocateFrame(size); }
  static void operator delete(void* frame, size_t size) { internal::FreeFrame(frame, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      PromiseBase& promise = handle.promise();
      promise.finished_ = true;
      promise.root_->set_next(promise.continuation_);  // null at the top: the trampoline ends
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() { std::terminate(); }

  Root& root() { return *root_; }
  void Attach(Root& root, std::coroutine_handle<> continuation) {
    CHECK(root_ == nullptr);
    root_ = &root;
    continuation_ = continuation;
  }
  bool started() const { return root_ != nullptr; }
  bool finished() const { return finished_; }

 private:
  Root* root_ = nullptr;
  std::coroutine_handle<> continuation_;
  bool finished_ = false;
};

template <class T>
class [[nodiscard]] Task {
 public:
  class promise_type : public PromiseBase {  // NOLINT: the name is the language's
   public:
    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    void return_value(T value) { value_.emplace(std::move(value)); }
    T take() { return std::move(*value_); }

   private:
    std::optional<T> value_;
  };
  using Handle = std::coroutine_handle<promise_type>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (!handle_) return;
    CHECK(!handle_.promise().started() || handle_.promise().finished());
    handle_.destroy();
  }

  bool await_ready() const { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> parent) {
    Root& root = parent.promise().root();
    handle_.promise().Attach(root, parent);
    root.set_next(handle_);
  }
  T await_resume() { return handle_.promise().take(); }

  Handle handle() const { return handle_; }

 private:
  explicit Task(Handle handle) : handle_(handle) {}
  Handle handle_;
};

template <>
class [[nodiscard]] Task<void> {
 public:
  class promise_type : public PromiseBase {  // NOLINT: the name is the language's
   public:
    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    void return_void() {}
    void take() {}
  };
  using Handle = std::coroutine_handle<promise_type>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (!handle_) return;
    CHECK(!handle_.promise().started() || handle_.promise().finished());
    handle_.destroy();
  }

  bool await_ready() const { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> parent) {
    Root& root = parent.promise().root();
    handle_.promise().Attach(root, parent);
    root.set_next(handle_);
  }
  void await_resume() {}

  Handle handle() const { return handle_; }

 private:
  explicit Task(Handle handle) : handle_(handle) {}
  Handle handle_;
};

// A started chain of tasks: the bridge from ordinary code. It must finish before it is destroyed.
//   async::Job job(clock, Copy(device, file));
//   loop.RunUntil([&] { return job.done(); });
//   job.result()
template <class T>
class Job {
 public:
  Job(Clock& clock, Task<T> task) : root_(clock), task_(std::move(task)) {
    task_.handle().promise().Attach(root_, nullptr);
    root_.Resume(task_.handle());
  }
  bool done() const { return task_.handle().promise().finished(); }
  // Once, when done.
  T result() {
    CHECK(done());
    return task_.handle().promise().take();
  }
  void Cancel() { root_.Cancel(); }

 private:
  Root root_;
  Task<T> task_;
};

// co_await CurrentRoot() gives the root of the chain, for a Shield or the clock.
class CurrentRoot {
 public:
  bool await_ready() const { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    root_ = &handle.promise().root();
    return false;
  }
  Root& await_resume() { return *root_; }

 private:
  Root* root_ = nullptr;
};

}  // namespace usbtwin::async
