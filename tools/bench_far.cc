#include "tools/bench_far.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "app/run.h"
#include "host/bot_transport.h"
#include "os/bare_exchange.h"
#include "tools/bench_times.h"
#include "wire/usbip.h"

namespace usbtwin::tools {
namespace {

using app::Failure;
using std::chrono::steady_clock;

constexpr uint32_t kHeader = wire::usbip::kHeaderLength;
constexpr uint32_t kWrapper = 31;
constexpr uint32_t kStatus = 13;
constexpr uint32_t kSmall = 4096;
constexpr size_t kRounds = 7;

// Runs something `count` times; false where it failed.
using Work = std::function<bool(uint32_t count)>;

// Both in turn, so that a machine whose speed drifts drifts for both; each round long enough for
// the clock. The medians of the times of one, or nothing where something failed.
std::optional<std::pair<double, double>> Compare(const Work& ours, const Work& bare,
                                                 double seconds) {
  const double round_seconds = seconds / (2 * kRounds + 2);
  std::array<std::vector<double>, 2> times;
  std::array<uint32_t, 2> counts{1, 1};
  const std::array<const Work*, 2> works{&ours, &bare};
  for (size_t side = 0; side < works.size(); ++side) {
    while (true) {
      const steady_clock::time_point start = steady_clock::now();
      if (!(*works[side])(counts[side])) return std::nullopt;
      const double spent = SecondsSince(start);
      if (spent >= round_seconds / 4 || counts[side] > (1u << 24)) {
        const double wanted = counts[side] * round_seconds / std::max(spent, 1e-9);
        counts[side] = std::max(1u, static_cast<uint32_t>(wanted));
        break;
      }
      counts[side] *= 2;
    }
  }
  for (size_t round = 0; round < kRounds; ++round) {
    for (size_t side = 0; side < works.size(); ++side) {
      const steady_clock::time_point start = steady_clock::now();
      if (!(*works[side])(counts[side])) return std::nullopt;
      times[side].push_back(SecondsSince(start) / counts[side]);
    }
  }
  return std::pair(Median(times[0]), Median(times[1]));
}

async::Task<bool> ReadMany(host::BlockDevice& blocks, MutableBytes target, uint32_t count) {
  const uint64_t step = target.size() / blocks.facts().block_size;
  const uint64_t places = std::max<uint64_t>(blocks.facts().blocks_count / step, 1);
  for (uint32_t index = 0; index < count; ++index) {
    const uint64_t lba = index % places * step;
    const host::BlockResult read = co_await blocks.Read(lba, target);
    if (!read) co_return false;
  }
  co_return true;
}

// What the first blocks hold, written back to them.
async::Task<bool> WriteMany(host::BlockDevice& blocks, MutableBytes held, uint32_t count) {
  const host::BlockResult read = co_await blocks.Read(0, held);
  if (!read) co_return false;
  for (uint32_t index = 0; index < count; ++index) {
    const host::BlockResult written = co_await blocks.Write(0, held);
    if (!written) co_return false;
  }
  co_return true;
}

// GET_STATUS of the device, again and again, so many at once.
class StatusRequests final : private usb::TransferSink {
 public:
  StatusRequests(usb::Link& link, size_t depth) : link_(link), slots_(depth) {
    for (Slot& slot : slots_) {
      slot.transfer.setup = usb::SetupPacket{.request_type = wire::usb::kDirectionIn,
                                             .request = 0,
                                             .value = uint16_t{0},
                                             .index = uint16_t{0},
                                             .length = uint16_t{2}};
      slot.transfer.in = slot.room;
      slot.transfer.in_length_max = 2;
    }
  }
  bool Run(app::System& system, uint32_t count) {
    left_ = count;
    for (Slot& slot : slots_) Next(slot.transfer);
    return system.RunUntil([this] { return under_way_ == 0; }) && good_;
  }

 private:
  struct Slot {
    usb::Transfer transfer;
    std::array<uint8_t, 2> room{};
  };
  void Next(usb::Transfer& transfer) {
    if (left_ == 0) return;
    --left_;
    ++under_way_;
    transfer.Rearm();
    transfer.Push(*this);
    link_.Submit(transfer);
  }
  void OnDone(usb::Transfer& transfer, uint64_t) override {
    --under_way_;
    good_ = good_ && transfer.outcome == usb::Outcome::kOk;
    Next(transfer);
  }

  usb::Link& link_;
  std::vector<Slot> slots_;
  uint32_t left_ = 0;
  size_t under_way_ = 0;
  bool good_ = true;
};

class Measurement {
 public:
  Measurement(OpenDevice& device, host::BlockDevice& blocks, os::BareExchange& bare, double seconds)
      : device_(device), blocks_(blocks), bare_(bare), seconds_(seconds) {}

  bool Add(const std::string& name, const char* beside, double aim, const Work& ours,
           const Work& bare) {
    const auto times = Compare(ours, bare, seconds_);
    if (!times) return false;
    all_.push_back({.name = name,
                    .beside = beside,
                    .per_second = 1 / times->first,
                    .bare_per_second = 1 / times->second,
                    .aim = aim});
    return true;
  }
  // The stream is hardly ever waited for: a pipe that is kept full.
  bool AddReads(const std::string& name, uint32_t length) {
    return AddBytes(name, length, Reads(length), Exchange({{1, kStreamLength}}));
  }
  bool AddWrites(const std::string& name, uint32_t length) {
    return AddBytes(name, length, Writes(length), Exchange({{kStreamLength, 1}}));
  }
  Work Reads(uint32_t length) {
    return [this, length](uint32_t count) {
      room_.resize(length);
      return app::Run(device_.system(), ReadMany(blocks_, room_, count));
    };
  }
  Work Exchange(std::vector<os::BareExchange::Step> steps) {
    return [this, steps](uint32_t count) { return bare_.Run(steps, count); };
  }
  std::vector<FarSeries> all() { return std::move(all_); }

 private:
  static constexpr uint32_t kStreamLength = 16 << 20;

  Work Writes(uint32_t length) {
    return [this, length](uint32_t count) {
      room_.resize(length);
      return app::Run(device_.system(), WriteMany(blocks_, room_, count));
    };
  }
  bool AddBytes(const std::string& name, uint32_t length, const Work& ours, const Work& bare) {
    if (!Add(name, "bare stream", 0.85, ours, bare)) return false;
    all_.back().bytes = true;
    all_.back().per_second *= length;
    all_.back().bare_per_second *= kStreamLength;
    return true;
  }

  OpenDevice& device_;
  host::BlockDevice& blocks_;
  os::BareExchange& bare_;
  const double seconds_;
  std::vector<uint8_t> room_;
  std::vector<FarSeries> all_;
};

}  // namespace

Result<std::vector<FarSeries>, Failure> MeasureFar(OpenDevice& device, host::BlockDevice& blocks,
                                                   const std::string& device_text, double seconds,
                                                   bool writes) {
  const bool is_unix = device_text.starts_with("usbip+unix:");
  auto bare = os::BareExchange::Start(is_unix ? os::BareExchange::Kind::kUnix
                                              : os::BareExchange::Kind::kTcp);
  if (!bare) return bare.error();
  Measurement measurement(device, blocks, **bare, seconds / (writes ? 7 : 5));
  auto* const bot = dynamic_cast<host::BotTransport*>(&device.transport());
  bool good = true;
  if (bot != nullptr) {
    bot->set_submits_ahead(false);
    good = measurement.Add("READ of 4 KiB, one by one", "bare ping-pong", 0.88,
                           measurement.Reads(kSmall),
                           measurement.Exchange({{kHeader + kWrapper, kHeader},
                                                 {kHeader, kHeader + kSmall},
                                                 {kHeader, kHeader + kStatus}}));
    bot->set_submits_ahead(true);
    good = good &&
           measurement.Add(
               "READ of 4 KiB, together", "bare ping-pong", 0.8, measurement.Reads(kSmall),
               measurement.Exchange({{3 * kHeader + kWrapper, 3 * kHeader + kSmall + kStatus}}));
  }
  for (const auto& [length, size] : {std::pair{64u << 10, "64 KiB"}, {1u << 20, "1 MiB"}}) {
    if (blocks.facts().size() < length) continue;
    good = good && measurement.AddReads(std::string("READ of ") + size, length);
    if (writes) good = good && measurement.AddWrites(std::string("WRITE of ") + size, length);
  }
  usb::Link& link = device.session().control().link();
  StatusRequests many(link, 32);
  StatusRequests one(link, 1);
  good = good && measurement.Add(
                     "GET_STATUS, 32 in flight", "one in flight", 10,
                     [&](uint32_t count) { return many.Run(device.system(), count); },
                     [&](uint32_t count) { return one.Run(device.system(), count); });
  if (!good) {
    return Failure{Failure::Kind::kTransport, "the device or the bare exchange failed on the way"};
  }
  return measurement.all();
}

std::string FarText(const std::vector<FarSeries>& all) {
  if (all.empty()) return "";
  std::string text = fmt::format("\n{:<28} {:>12} {:<16} {:>12} {:>7} {:>6}\n", "over USB/IP",
                                 "a second", "beside", "a second", "ratio", "aim");
  for (const FarSeries& one : all) {
    const double scale = one.bytes ? 1e6 : 1;
    text += fmt::format("{:<28} {:>12.0f} {:<16} {:>12.0f} {:>7.2f} {:>6.2f}\n",
                        one.name + (one.bytes ? ", MB" : ""), one.per_second / scale, one.beside,
                        one.bare_per_second / scale, one.ratio(), one.aim);
  }
  return text;
}

Json FarJson(const std::vector<FarSeries>& all) {
  Json json = Json::array();
  for (const FarSeries& one : all) {
    Json item;
    item["name"] = one.name;
    item["beside"] = one.beside;
    item["unit"] = one.bytes ? "bytes" : "exchanges";
    item["per_second"] = one.per_second;
    item["bare_per_second"] = one.bare_per_second;
    item["ratio"] = one.ratio();
    json.push_back(item);
  }
  return json;
}

}  // namespace usbtwin::tools
