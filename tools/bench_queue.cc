#include "tools/bench_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "app/run.h"
#include "proto/scsi_command.h"
#include "tools/bench_times.h"

namespace usbtwin::tools {
namespace {

using app::Failure;
using host::StorageProtocol;
using std::chrono::steady_clock;

constexpr uint32_t kLength = 4096;
constexpr uint64_t kSpanMax = uint64_t{64} << 20;  // bytes of the disk that are read
constexpr size_t kRounds = 7;
constexpr uint16_t kDepthMax = 32;

// Reads of random places until `left` is used up; any number of them share one of these.
struct Readers {
  host::ScsiTransport& transport;
  uint8_t lun;
  uint32_t block_size;
  uint64_t places_count;
  uint64_t left;
  uint64_t place = 1;
  std::optional<Error> error;

  uint64_t NextLba() { return NextPlace(place, places_count) * (kLength / block_size); }
};

async::Task<bool> ReadOn(Readers& readers, MutableBytes room) {
  while (readers.left != 0 && !readers.error) {
    --readers.left;
    const scsi::Cdb cdb = scsi::Read10(readers.NextLba(), kLength / readers.block_size);
    const host::ScsiRequest request{
        .lun = readers.lun, .cdb = cdb.view(), .in = room, .in_length = kLength};
    const Result<host::ScsiResult> answer = co_await readers.transport.Execute(request);
    if (!answer) {
      readers.error = answer.error();
    } else if (answer->status != scsi::Status::kGood || answer->length_actual != kLength) {
      readers.error =
          Error{.kind = ErrorKind::kProtocol,
                .text = "a read ended with status {:x}h and {} bytes",
                .values = {static_cast<uint64_t>(answer->status), answer->length_actual}};
    }
  }
  co_return true;
}

// One way of reading: how it is opened, and how it did.
struct Way {
  StorageProtocol protocol;
  uint16_t depth;
  uint64_t count = 64;        // reads in one round
  std::vector<double> times;  // seconds for one read, one a round
};

void Run(app::System& system, Readers& readers, uint16_t depth) {
  std::vector<std::vector<uint8_t>> rooms(depth, std::vector<uint8_t>(kLength));
  std::vector<std::unique_ptr<async::Job<bool>>> jobs;
  for (uint16_t index = 0; index < depth; ++index) {
    jobs.push_back(
        std::make_unique<async::Job<bool>>(system.clock(), ReadOn(readers, rooms[index])));
  }
  const bool ended = system.RunUntil([&jobs] {
    return std::all_of(jobs.begin(), jobs.end(), [](const auto& job) { return job->done(); });
  });
  CHECK(ended);
}

// Seconds for one read of way.count.
Result<double, Failure> Round(OpenDevice& device, uint8_t lun, const host::BlockFacts& facts,
                              Way& way) {
  const Result<host::ScsiTransport*, Failure> opened = device.ReopenStorage(way.protocol);
  if (!opened) return opened.error();
  host::ScsiTransport& transport = **opened;
  if (auto* bot = dynamic_cast<host::BotTransport*>(&transport)) bot->set_submits_ahead(false);
  way.depth = std::min(way.depth, transport.queue_depth());
  Readers readers{.transport = transport,
                  .lun = lun,
                  .block_size = facts.block_size,
                  .places_count = std::min(kSpanMax, facts.size()) / kLength,
                  .left = 1};
  Run(device.system(), readers, 1);  // a unit attention may wait, and is told here
  readers.error.reset();
  readers.left = way.count;
  const steady_clock::time_point start = steady_clock::now();
  Run(device.system(), readers, way.depth);
  const double seconds = SecondsSince(start);
  if (readers.error) {
    return Failure{Failure::Kind::kTransport, "measuring the queue: " + readers.error->Describe()};
  }
  return seconds / static_cast<double>(way.count);
}

// How many reads make a round that is long against the clock's grain.
Result<void, Failure> Calibrate(OpenDevice& device, uint8_t lun, const host::BlockFacts& facts,
                                Way& way, double round_seconds) {
  while (true) {
    const Result<double, Failure> time = Round(device, lun, facts, way);
    if (!time) return time.error();
    const double spent = *time * static_cast<double>(way.count);
    if (spent >= round_seconds / 4 || way.count >= (1u << 24)) {
      way.count = std::max<uint64_t>(way.depth, static_cast<uint64_t>(round_seconds / *time));
      return {};
    }
    way.count *= 2;
  }
}

}  // namespace

bool CanQueue(const OpenDevice& device, const host::BlockFacts& facts) {
  return facts.size() >= kLength && kLength % facts.block_size == 0 &&
         device.Speaks(StorageProtocol::kUas) && device.Speaks(StorageProtocol::kBulkOnly);
}

Result<QueueFigures, Failure> MeasureQueue(OpenDevice& device, uint8_t lun,
                                           const host::BlockFacts& facts, double seconds) {
  std::array<Way, 2> ways{{{.protocol = StorageProtocol::kUas, .depth = kDepthMax},
                           {.protocol = StorageProtocol::kBulkOnly, .depth = 1}}};
  const double round_seconds = seconds / (2 * kRounds + 2);
  for (Way& way : ways) {
    const Result<void, Failure> calibrated = Calibrate(device, lun, facts, way, round_seconds);
    if (!calibrated) return calibrated.error();
  }
  for (size_t round = 0; round < kRounds; ++round) {
    for (Way& way : ways) {
      const Result<double, Failure> time = Round(device, lun, facts, way);
      if (!time) return time.error();
      way.times.push_back(*time);
    }
  }
  return QueueFigures{.length = kLength,
                      .depth = ways[0].depth,
                      .uas_seconds = Median(ways[0].times),
                      .bot_seconds = Median(ways[1].times),
                      .far = device.session().caps().far};
}

std::string QueueText(const QueueFigures& figures) {
  return fmt::format(
      "\n{:<34} {:>12}\nUASP, {:>2} random reads of 4 KiB at once {:>10.0f}\n"
      "Bulk-Only, one at a time{:<11} {:>12.0f}\nratio {:.2f}\n",
      "queueing", "commands/s", figures.depth, 1 / figures.uas_seconds,
      figures.far ? ", URB by URB" : "", 1 / figures.bot_seconds, figures.ratio());
}

Json QueueJson(const QueueFigures& figures) {
  Json json;
  json["length"] = figures.length;
  json["depth"] = figures.depth;
  json["uasp_commands_per_second"] = 1 / figures.uas_seconds;
  json["bot_commands_per_second"] = 1 / figures.bot_seconds;
  json["bot_urb_by_urb"] = figures.far;
  json["ratio"] = figures.ratio();
  return json;
}

}  // namespace usbtwin::tools
