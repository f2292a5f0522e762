#include "os/linux/resolver.h"

#include "base/text.h"
#include "os/linux/thread.h"

namespace usbtwin::os {

bool NameLookup::Abandon() {
  const std::lock_guard lock(mutex_);
  if (on_its_way_) return false;
  loop_->EndWork();
  loop_ = nullptr;
  return true;
}

void* NameLookup::RunThread(void* shared) {
  const std::unique_ptr<std::shared_ptr<NameLookup>> lookup(
      static_cast<std::shared_ptr<NameLookup>*>(shared));
  (*lookup)->Work();
  return nullptr;
}

void NameLookup::Work() {
  Answer answer = LookUp(address_, LookUpKind::kName);
  --*threads_;
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr) return;
  answer_ = std::move(answer);
  on_its_way_ = true;
  loop_->PostFromThread(*this);
}

void NameLookup::Run() {
  {
    // Once it can be locked the thread is done with the loop, which may go then.
    const std::lock_guard lock(mutex_);
    loop_->EndWork();
  }
  asker_.HandleAnswer(std::move(answer_));  // lets go of this
}

Result<std::shared_ptr<NameLookup>, std::string> Resolver::Start(const Address& address,
                                                                 NameLookup::Asker& asker) {
  if (*threads_ >= kThreadsMax) {
    return Count(kThreadsMax, "name") +
           " are being looked up, and the resolver does not answer; "
           "try again, or give an address";
  }
  std::shared_ptr<NameLookup> lookup(new NameLookup(loop_, asker, address, threads_));
  auto shared = std::make_unique<std::shared_ptr<NameLookup>>(lookup);
  ++*threads_;
  pthread_t thread{};
  if (!StartThread(thread, NameLookup::RunThread, shared.get())) {
    --*threads_;
    return std::string("the system gives no thread to look the name up; try again");
  }
  pthread_detach(thread);
  (void)shared.release();  // the thread's
  loop_.BeginWork();
  return lookup;
}

}  // namespace usbtwin::os
