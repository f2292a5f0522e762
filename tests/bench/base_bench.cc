// What every command pays for: a post, a timer, a slice of a lease, a coroutine that awaits
// another.
#include <benchmark/benchmark.h>

#include "async/perform.h"
#include "base/lease.h"
#include "base/manual_clock.h"

namespace {

using namespace usbtwin;  // NOLINT

class Counter final : public Deferred, public Timer {
 public:
  void Run() override { ++count_; }
  void HandleTimer() override { ++count_; }
  uint64_t count() const { return count_; }

 private:
  uint64_t count_ = 0;
};

void Post(benchmark::State& state) {
  ManualClock clock;
  Counter counter;
  for ([[maybe_unused]] auto _ : state) {
    clock.Post(counter);
    clock.RunPosted();
  }
  if (counter.count() != static_cast<uint64_t>(state.iterations()))
    state.SkipWithError("lost posts");
}
BENCHMARK(Post);

void ArmAndDisarm(benchmark::State& state) {
  ManualClock clock;
  Counter others[64];
  for (Counter& other : others) clock.Arm(other, TimePoint{1'000'000});
  Counter timer;
  for ([[maybe_unused]] auto _ : state) {
    clock.Arm(timer, TimePoint{500});
    clock.Disarm(timer);
  }
  for (Counter& other : others) clock.Disarm(other);
}
BENCHMARK(ArmAndDisarm);

void SliceLease(benchmark::State& state) {
  static constexpr std::array<uint8_t, 4096> kPage{};
  StaticPin pin(kPage);
  const Lease whole = pin.Lend(kPage.size());
  for ([[maybe_unused]] auto _ : state) {
    Lease slice = whole.Slice(512, 1024);
    benchmark::DoNotOptimize(slice);
  }
}
BENCHMARK(SliceLease);

async::Task<int> One() {
  co_return 1;
}

async::Task<int> Sum(int count) {
  int sum = 0;
  for (int index = 0; index < count; ++index) {
    const int one = co_await One();
    sum += one;
  }
  co_return sum;
}

void AwaitTask(benchmark::State& state) {
  constexpr int kCount = 1000;
  ManualClock clock;
  for ([[maybe_unused]] auto _ : state) {
    async::Job<int> job(clock, Sum(kCount));
    clock.RunPosted();
    if (job.result() != kCount) state.SkipWithError("lost awaits");
  }
  state.SetItemsProcessed(state.iterations() * kCount);
}
BENCHMARK(AwaitTask);

}  // namespace

BENCHMARK_MAIN();
