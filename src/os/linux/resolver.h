// Names looked up elsewhere. The system's resolver blocks for as long as it likes, half a minute
// where its server is silent, and cannot be told to stop; so each lookup has a thread that nobody
// waits for. Who wants the answer no longer abandons it: the thread then finishes some time later,
// touches nothing but what it shares with its NameLookup, and nobody hears of it. Such threads are
// bounded, since somebody may ask again and again.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "os/linux/loop.h"
#include "os/linux/socket_address.h"

namespace usbtwin::os {

class NameLookup final : private Deferred {
 public:
  using Answer = Result<std::vector<Endpoint>, std::string>;
  class Asker {
   public:
    virtual void HandleAnswer(Answer answer) = 0;  // from the loop's queue

   protected:
    ~Asker() = default;
  };

  // From the loop's thread, before the answer came. False where that is on its way home: the asker
  // still hears it, soon, and stays until then.
  [[nodiscard]] bool Abandon();

 private:
  friend class Resolver;
  using ThreadCount = std::atomic<size_t>;

  NameLookup(Loop& loop, Asker& asker, Address address, std::shared_ptr<ThreadCount> threads)
      : loop_(&loop), asker_(asker), address_(std::move(address)), threads_(std::move(threads)) {}
  static void* RunThread(void* shared);
  void Work();
  void Run() override;

  std::mutex mutex_;  // guards loop_, on_its_way_ and answer_
  Loop* loop_;        // null once it was abandoned
  bool on_its_way_ = false;
  Answer answer_ = std::string();
  Asker& asker_;
  const Address address_;
  const std::shared_ptr<ThreadCount> threads_;
};

class Resolver {
 public:
  static constexpr size_t kThreadsMax = 16;

  explicit Resolver(Loop& loop) : loop_(loop) {}
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // The asker keeps the NameLookup until it was answered or has abandoned it. The error is a
  // clause: there are too many at it already, or no thread.
  Result<std::shared_ptr<NameLookup>, std::string> Start(const Address& address,
                                                         NameLookup::Asker& asker);

 private:
  Loop& loop_;
  const std::shared_ptr<NameLookup::ThreadCount> threads_ =
      std::make_shared<NameLookup::ThreadCount>(0);
};

}  // namespace usbtwin::os
