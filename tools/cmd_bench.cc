// usbtwin bench: how fast blocks come through the whole host stack, beside plain memcpy of the same
// bytes in the same run, and the ratio of both. Rounds of the two are interleaved and medians are
// shown, because a machine's speed drifts more than the stack's cost does. It only reads; a twin in
// memory is filled before.
#include <fmt/format.h>

#include <chrono>

#include "app/run.h"
#include "app/size.h"
#include "os/bare_exchange.h"
#include "os/console.h"
#include "tools/bench_far.h"
#include "tools/bench_queue.h"
#include "tools/bench_times.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/fault_report.h"
#include "tools/json_text.h"
#include "tools/open_device.h"

namespace usbtwin::tools {
namespace {

using app::Failure;
using std::chrono::steady_clock;
constexpr uint64_t kSpanMax = uint64_t{64} << 20;  // bytes of the disk that are read
constexpr size_t kRoundsMin = 5;
constexpr size_t kRoundsMax = 101;

struct Options {
  DeviceOptions device;
  double seconds = 3;
  std::optional<unsigned> pin;
  bool writes = false;
  bool json = false;
};

struct Pattern {
  const char* name;
  uint32_t length;  // bytes in one read
  bool random;
};
constexpr std::array<Pattern, 3> kPatterns{{
    {"random 4 KiB", 4 << 10, true},
    {"sequential 64 KiB", 64 << 10, false},
    {"sequential 1 MiB", 1 << 20, false},
}};

// Places to read from, the same ones for the device and for memcpy.
class Places {
 public:
  Places(const Pattern& pattern, uint64_t span)
      : random_(pattern.random), length_(pattern.length), count_(span / pattern.length) {}
  uint64_t Next() {
    if (!random_) return index_++ % count_ * length_;
    return NextPlace(index_, count_) * length_;
  }

 private:
  const bool random_;
  const uint64_t length_;
  const uint64_t count_;
  uint64_t index_ = 0;
};

// One pattern with its buffers and what was measured.
struct Series {
  Pattern pattern;
  Places device_places;
  Places memory_places;
  std::vector<uint8_t> target;
  size_t batch_count = 1;            // reads in one round
  std::vector<double> device_times;  // seconds for one read, one a round
  std::vector<double> memory_times;
};

async::Task<host::BlockResult> ReadBatch(host::BlockDevice& blocks, Series& series, size_t count) {
  const uint32_t block_size = blocks.facts().block_size;
  for (size_t index = 0; index < count; ++index) {
    const uint64_t lba = series.device_places.Next() / block_size;
    const MutableBytes target = series.target;
    const host::BlockResult read = co_await blocks.Read(lba, target);
    if (!read) co_return read;
  }
  co_return host::BlockResult();
}

void CopyBatch(const std::vector<uint8_t>& memory, Series& series, size_t count) {
  for (size_t index = 0; index < count; ++index) {
    std::memcpy(series.target.data(), memory.data() + series.memory_places.Next(),
                series.pattern.length);
    // The copy must be made although nothing looks at it.
    asm volatile("" : : "r"(series.target.data()) : "memory");
  }
}

Result<void, Failure> Round(OpenDevice& device, host::BlockDevice& blocks,
                            const std::vector<uint8_t>& memory, Series& series) {
  const double count = static_cast<double>(series.batch_count);
  const steady_clock::time_point device_start = steady_clock::now();
  const host::BlockResult read =
      app::Run(device.system(), ReadBatch(blocks, series, series.batch_count));
  if (!read) return FailureOf(read.error());
  series.device_times.push_back(SecondsSince(device_start) / count);
  const steady_clock::time_point memory_start = steady_clock::now();
  CopyBatch(memory, series, series.batch_count);
  series.memory_times.push_back(SecondsSince(memory_start) / count);
  return {};
}

// How many reads make a round that is long against the clock's grain and short against the budget.
Result<void, Failure> Calibrate(OpenDevice& device, host::BlockDevice& blocks, Series& series,
                                double round_seconds) {
  constexpr size_t kBatchMax = 1 << 20;
  while (true) {
    const steady_clock::time_point start = steady_clock::now();
    const host::BlockResult read =
        app::Run(device.system(), ReadBatch(blocks, series, series.batch_count));
    if (!read) return FailureOf(read.error());
    const double seconds = SecondsSince(start);
    if (seconds >= round_seconds / 4 || series.batch_count >= kBatchMax) {
      const double wanted = static_cast<double>(series.batch_count) * round_seconds / seconds;
      series.batch_count = std::clamp<size_t>(static_cast<size_t>(wanted), 1, kBatchMax);
      return {};
    }
    series.batch_count *= 2;
  }
}

Result<std::vector<Series>, Failure> Measure(const Options& options, OpenDevice& device,
                                             host::BlockDevice& blocks) {
  const steady_clock::time_point start = steady_clock::now();
  const uint64_t span = std::min(kSpanMax, blocks.facts().size());
  const std::vector<uint8_t> memory(span, 0xa5);
  std::vector<Series> all;
  for (const Pattern& pattern : kPatterns) {
    if (pattern.length > span || pattern.length % blocks.facts().block_size != 0) continue;
    all.push_back({.pattern = pattern,
                   .device_places = Places(pattern, span),
                   .memory_places = Places(pattern, span),
                   .target = std::vector<uint8_t>(pattern.length)});
  }
  if (all.empty()) {
    return Failure{Failure::Kind::kUsage, "the disk is too small to measure: it has " +
                                              app::DescribeSize(blocks.facts().size())};
  }
  // A series gets its share of the time, in rounds of which memcpy takes the smaller part.
  const double share = options.seconds / static_cast<double>(all.size());
  const double round_seconds = share / 40;
  for (Series& series : all) {
    const Result<void, Failure> calibrated = Calibrate(device, blocks, series, round_seconds);
    if (!calibrated) return calibrated.error();
  }
  for (size_t round = 0; round < kRoundsMax; ++round) {
    if (round >= kRoundsMin && SecondsSince(start) > options.seconds) break;
    for (Series& series : all) {
      const Result<void, Failure> done = Round(device, blocks, memory, series);
      if (!done) return done.error();
    }
  }
  return all;
}

std::string ReportText(const std::vector<Series>& all) {
  std::string text = fmt::format("{:<18} {:>12} {:>10} {:>12} {:>8}\n", "reads", "commands/s",
                                 "MB/s", "memcpy MB/s", "ratio");
  for (const Series& series : all) {
    const double device_time = Median(series.device_times);
    const double memory_time = Median(series.memory_times);
    text += fmt::format("{:<18} {:>12.0f} {:>10.1f} {:>12.1f} {:>8.2f}\n", series.pattern.name,
                        1 / device_time, series.pattern.length / device_time / 1e6,
                        series.pattern.length / memory_time / 1e6, device_time / memory_time);
  }
  text += fmt::format("medians of {} rounds; ratio: time of a read to that of memcpy, same bytes\n",
                      all[0].device_times.size());
  return text;
}

// `failure` is of the record; null where there is none.
std::string ReportJson(const Options& options, const OpenDevice& device,
                       const std::vector<Series>& all, const std::vector<FarSeries>& far,
                       const std::optional<QueueFigures>& queue, const Failure* failure) {
  Json json = JsonHead("usbtwin bench");
  if (failure != nullptr) SetError(json, *failure);
  json["device"] = options.device.device;
  json["results"] = Json::array();
  for (const Series& series : all) {
    const double device_time = Median(series.device_times);
    const double memory_time = Median(series.memory_times);
    Json result;
    result["name"] = series.pattern.name;
    result["length"] = series.pattern.length;
    result["random"] = series.pattern.random;
    result["rounds_count"] = series.device_times.size();
    result["reads_per_round"] = series.batch_count;
    result["commands_per_second"] = 1 / device_time;
    result["mb_per_second"] = series.pattern.length / device_time / 1e6;
    result["memcpy_mb_per_second"] = series.pattern.length / memory_time / 1e6;
    result["ratio"] = device_time / memory_time;
    json["results"].push_back(result);
  }
  if (!far.empty()) json["usbip"] = FarJson(far);
  if (queue) json["queue"] = QueueJson(*queue);
  AddFaultsJson(json, device.fault_counts(), device.recoveries());
  return JsonText(json);
}

// A memory disk that was never written is one page of zeros over and over, and reading that tells
// nothing. Its contents end with this program, so it is filled first; nothing else is written to.
Result<void, Failure> FillMemoryDisk(OpenDevice& device, host::BlockDevice& blocks) {
  if (!device.IsInMemory()) return {};
  const std::vector<uint8_t> bytes(size_t{1} << 20, 0x5a);
  const uint64_t span = std::min(kSpanMax, blocks.facts().size());
  const uint32_t block_size = blocks.facts().block_size;
  for (uint64_t offset = 0; offset < span; offset += bytes.size()) {
    const Bytes source = Take(Bytes(bytes), span - offset);
    const host::BlockResult written =
        app::Run(device.system(), blocks.Write(offset / block_size, source));
    if (!written && written.error().sense.key == scsi::SenseKey::kDataProtect) {
      os::PrintError(
          "usbtwin bench: this disk is in memory and write-protected, so all of it is one page of "
          "zeros: the figures flatter it\n");
      return {};
    }
    if (!written) return FailureOf(written.error());
  }
  os::PrintError("usbtwin bench: filled the first " + app::DescribeSize(span) +
                 " of this disk in memory, so that there is something to read\n");
  return {};
}

int RunBench(const Options& options) {
  if (options.pin && !os::PinToCpu(*options.pin)) {
    return Fail("bench", {Failure::Kind::kUsage,
                          fmt::format("--pin {}: there is no such CPU for us", *options.pin)});
  }
  auto opened = OpenDevice::Open(options.device);
  if (!opened) return Fail("bench", opened.error(), options.json);
  OpenDevice& device = **opened;
  const auto fail = [&](const Failure& failure) {
    return FailOpened("bench", failure, device, options.json);
  };
  const Result<host::BlockDevice*, Failure> blocks = device.OpenBlocks();
  if (!blocks) return fail(blocks.error());
  const Result<void, Failure> filled = FillMemoryDisk(device, **blocks);
  if (!filled) return fail(filled.error());
  const Result<std::vector<Series>, Failure> measured = Measure(options, device, **blocks);
  if (!measured) return fail(measured.error());
  std::vector<FarSeries> far;
  if (device.session().caps().far) {
    auto compared =
        MeasureFar(device, **blocks, options.device.device, options.seconds, options.writes);
    if (!compared) return fail(compared.error());
    far = std::move(*compared);
  }
  std::optional<QueueFigures> queue;
  const host::BlockFacts facts = (*blocks)->facts();
  if (CanQueue(device, facts)) {
    const auto lun = static_cast<uint8_t>(options.device.lun.value_or(0));
    const auto queued = MeasureQueue(device, lun, facts, options.seconds);
    if (!queued) return fail(queued.error());
    queue = *queued;
  }
  const Result<void, Failure> closed = device.Close();
  const Failure* const failure = closed ? nullptr : &closed.error();
  const Result<void, Failure> printed = os::PrintOutput(
      options.json ? ReportJson(options, device, *measured, far, queue, failure)
                   : ReportText(*measured) + FarText(far) + (queue ? QueueText(*queue) : ""));
  if (!printed) return Fail("bench", printed.error());
  return failure == nullptr ? kExitGood : Fail("bench", *failure);
}

}  // namespace

void AddBenchVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<Options>(
      cli, chosen, "bench", "measure reads beside plain memcpy of the same bytes",
      [](CLI::App& verb, Options& options) {
        AddDeviceOptions(verb, options.device, true);
        verb.add_option("--seconds", options.seconds, "time to spend on each table, default 3")
            ->check(NumberFrom(0.05, 3600))
            ->type_name("S");
        verb.add_option("--pin", options.pin,
                        "run on this CPU alone; pin a server in the same way (taskset 1 ...)")
            ->check(NumberFrom(0, 1023))
            ->type_name("CPU");
        verb.add_flag("--writes", options.writes,
                      "of a USB/IP server's device, measure writes, too: what the first MiB holds "
                      "is written back to it");
        verb.add_flag("--json", options.json, "the result as one JSON object");
        verb.footer(
            "Reads the first 64 MiB of the disk, one command at a time. Only a twin in memory is "
            "filled\n"
            "before: where nothing was written, it is one page of zeros.\n"
            "A device of a USB/IP server is also measured beside a bare exchange of messages of "
            "the\n"
            "same lengths over the same kind of socket, in the same run, and each ratio is of "
            "that.\n"
            "A device that speaks UASP and Bulk-Only is measured over both: many reads at once "
            "beside\n"
            "one at a time.");
      },
      RunBench);
}

}  // namespace usbtwin::tools
