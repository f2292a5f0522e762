// The speed of one command through the whole stack in one process: host engine, three transfers,
// device engine, disk, one copy (or none). Each figure is set against memcpy of the same bytes in
// the same access pattern, measured in the same process: ratios are what this is for.
//
//   bench-stack                      the table of ratios, from interleaved rounds, pinned to one
//   CPU bench-stack --benchmark_...      Google Benchmark's own output
#include <benchmark/benchmark.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <string>

#include "../twin/rig.h"

namespace {

using namespace usbtwin;  // NOLINT

constexpr uint64_t kDiskSize = 64 << 20;
constexpr uint32_t kSmall = 4096;
constexpr uint32_t kLarge = 1 << 20;

// A decorator that only passes on, as an idle one would.
class PassThrough final : public usb::Link, private usb::TransferSink, private usb::PortSink {
 public:
  explicit PassThrough(usb::Link& inner) : inner_(inner) {}
  usb::LinkCaps caps() const override { return inner_.caps(); }
  void Submit(usb::Transfer& transfer) override {
    transfer.Push(*this, 1);
    inner_.Submit(transfer);
  }
  void Cancel(usb::Transfer& transfer) override { inner_.Cancel(transfer); }
  void Request(usb::PortOp& op) override {
    op.Push(*this);
    inner_.Request(op);
  }

 private:
  void OnDone(usb::Transfer& transfer, uint64_t) override { transfer.Complete(); }
  void OnDone(usb::PortOp& op, uint64_t) override { op.Complete(); }
  usb::Link& inner_;
};

enum class Decorators { kNone, kThree, kAuditor };

struct Bench {
  Bench() : rig({.size = kDiskSize, .audited = false}), arena(kDiskSize), room(kLarge) {
    rig.Settle();
    std::mt19937 random(7);  // the same places for memcpy and for READ
    for (int count = 0; count < 1 << 14; ++count) {
      scattered.push_back(static_cast<uint32_t>(random() % (kDiskSize / kSmall)) * (kSmall / 512));
    }
    for (uint32_t index = 0; index < kDiskSize / kLarge; ++index) {
      sequential.push_back(index * (kLarge / 512));
    }
    const auto pattern = Rig::Pattern(kLarge);
    for (uint32_t lba : sequential) {
      CHECK(rig.Write(lba, kLarge / 512, pattern).has_value());
      CopyBytes(MutableBytes(arena).subspan(size_t{lba} * 512), pattern);
    }
  }

  Rig rig;
  std::vector<uint8_t> arena;  // as large as the disk: what memcpy reads from
  std::vector<uint8_t> room;
  std::vector<uint32_t> hot{64};
  std::vector<uint32_t> scattered;
  std::vector<uint32_t> sequential;
};

Bench& TheBench() {
  static Bench bench;
  return bench;
}

struct Work {
  uint32_t length;  // bytes a command; 0 for TEST UNIT READY
  bool write = false;
  bool lend = false;
};

async::Task<int> Run(host::BotTransport& transport, Work work, const std::vector<uint32_t>& places,
                     MutableBytes room, benchmark::State& state) {
  LeaseList lent;
  size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    const uint32_t lba = places[next];
    if (++next == places.size()) next = 0;
    const auto cdb = Rig::Cdb(work.length == 0 ? 0
                              : work.write     ? 0x2a
                                               : 0x28,
                              lba, static_cast<uint16_t>(work.length / 512));
    host::ScsiRequest request{.cdb = Bytes(cdb).first(work.length == 0 ? 6 : 10)};
    if (work.write) {
      request.out = room.first(work.length);
    } else {
      request.in_length = work.length;
      if (work.lend) {
        request.lent = &lent;
      } else {
        request.in = room.first(work.length);
      }
    }
    const Result<host::ScsiResult> result = co_await transport.Execute(request);
    CHECK(result.has_value());
    CHECK_EQ(result->length_actual, work.length);
  }
  lent.Clear();
  co_return 0;
}

void Command(benchmark::State& state, Work work, const std::vector<uint32_t>& places,
             Decorators decorators) {
  Bench& bench = TheBench();
  std::vector<std::unique_ptr<usb::Link>> links;
  usb::Link* top = &bench.rig.controller;
  for (int count = 0; count < (decorators == Decorators::kThree ? 3 : 0); ++count) {
    links.push_back(std::make_unique<PassThrough>(*top));
    top = links.back().get();
  }
  if (decorators == Decorators::kAuditor) {
    links.push_back(std::make_unique<link::Auditor>(*top));
    top = links.back().get();
  }
  host::BotTransport transport(bench.rig.clock, *top, bench.rig.transport_options);
  async::Job<int> job(bench.rig.clock, Run(transport, work, places, bench.room, state));
  CHECK(bench.rig.clock.RunUntil([&] { return job.done(); }, SIZE_MAX));
  state.SetBytesProcessed(state.iterations() * work.length);
  job.result();
  while (!links.empty()) links.pop_back();
}

void Memcpy(benchmark::State& state, uint32_t length, const std::vector<uint32_t>& places,
            bool write) {
  Bench& bench = TheBench();
  size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    uint8_t* place = bench.arena.data() + size_t{places[next]} * 512;
    if (++next == places.size()) next = 0;
    if (write) {
      std::memcpy(place, bench.room.data(), length);
    } else {
      std::memcpy(bench.room.data(), place, length);
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * length);
}

// A row of the table: a command, the memcpy it is set against, and the ratio aimed at.
struct Row {
  const char* name;
  const char* against;
  double target;  // 0: none
};
constexpr Row kRows[] = {
    {"read_4k_hot", "memcpy_4k_hot", 12},
    {"read_4k_hot_lent", "memcpy_4k_hot", 8},
    {"read_4k_random", "memcpy_4k_random", 2.5},
    {"read_4k_random_lent", "memcpy_4k_random", 1.2},
    {"read_1m", "memcpy_1m", 1.1},
    {"read_4k_hot_3_decorators", "read_4k_hot", 1.1},
    {"read_4k_hot_audited", "read_4k_hot", 0},
    {"write_4k_hot", "memcpy_4k_hot", 0},
    {"write_4k_random", "memcpy_to_4k_random", 0},
    {"test_unit_ready", "memcpy_4k_hot", 0},
};

// Gathers the repetitions of each benchmark.
class Gatherer final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      const double count = static_cast<double>(run.iterations);
      times_[run.run_name.function_name].push_back(run.cpu_accumulated_time / count * 1e9);
    }
  }
  // Nanoseconds.
  double Median(const std::string& name) {
    std::vector<double>& times = times_[name];
    CHECK(!times.empty());
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }
  void Print() {
    std::printf("%-28s %10s  %-22s %10s %7s %7s\n", "command", "ns", "against", "ns", "ratio",
                "aim");
    for (const Row& row : kRows) {
      const double time = Median(row.name);
      const double base = Median(row.against);
      std::printf("%-28s %10.0f  %-22s %10.0f %7.2f ", row.name, time, row.against, base,
                  time / base);
      if (row.target == 0) {
        std::printf("%7s\n", "-");
      } else {
        std::printf("%7.2f%s\n", row.target, time / base <= row.target ? "" : "  missed");
      }
    }
  }

 private:
  std::map<std::string, std::vector<double>> times_;
};

void PinToThisCpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) std::perror("not pinned");
}

}  // namespace

int main(int argc, char** argv) {
  PinToThisCpu();
  Bench& bench = TheBench();
  const auto command = [](const char* name, Work work, const std::vector<uint32_t>& places,
                          Decorators decorators = Decorators::kNone) {
    benchmark::RegisterBenchmark(name, [work, &places, decorators](benchmark::State& state) {
      Command(state, work, places, decorators);
    });
  };
  const auto copy = [](const char* name, uint32_t length, const std::vector<uint32_t>& places,
                       bool write = false) {
    benchmark::RegisterBenchmark(name, [length, &places, write](benchmark::State& state) {
      Memcpy(state, length, places, write);
    });
  };
  copy("memcpy_4k_hot", kSmall, bench.hot);
  command("read_4k_hot", {.length = kSmall}, bench.hot);
  command("read_4k_hot_lent", {.length = kSmall, .lend = true}, bench.hot);
  command("read_4k_hot_3_decorators", {.length = kSmall}, bench.hot, Decorators::kThree);
  command("read_4k_hot_audited", {.length = kSmall}, bench.hot, Decorators::kAuditor);
  command("write_4k_hot", {.length = kSmall, .write = true}, bench.hot);
  command("test_unit_ready", {.length = 0}, bench.hot);
  copy("memcpy_4k_random", kSmall, bench.scattered);
  command("read_4k_random", {.length = kSmall}, bench.scattered);
  command("read_4k_random_lent", {.length = kSmall, .lend = true}, bench.scattered);
  copy("memcpy_to_4k_random", kSmall, bench.scattered, true);
  command("write_4k_random", {.length = kSmall, .write = true}, bench.scattered);
  copy("memcpy_1m", kLarge, bench.sequential);
  command("read_1m", {.length = kLarge}, bench.sequential);

  // Without arguments: many short rounds in random order, so that a machine that changes its speed
  // changes it for both sides of a ratio.
  std::vector<std::string> arguments{argv[0], "--benchmark_enable_random_interleaving=true",
                                     "--benchmark_repetitions=15", "--benchmark_min_time=0.03"};
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  if (argc > 1) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  }
  benchmark::Initialize(&count, pointers.data());
  Gatherer gatherer;
  benchmark::RunSpecifiedBenchmarks(&gatherer);
  gatherer.Print();
  return 0;
}
