// usbtwin disk read|write|verify: images into and out of a device, through the whole host stack.
// The device's blocks move in windows; nothing is ever larger in memory than one of them.
#include <fmt/format.h>

#include <chrono>

#include "app/run.h"
#include "app/size.h"
#include "base/text.h"
#include "os/console.h"
#include "tools/exit_status.h"
#include "tools/fault_report.h"
#include "tools/json_text.h"
#include "tools/open_device.h"
#include "tools/progress.h"

namespace usbtwin::tools {
namespace {

using app::Failure;
using std::chrono::steady_clock;
constexpr uint64_t kWindowLength = uint64_t{4} << 20;  // bytes

struct Options {
  DeviceOptions device;
  std::string path;
  std::string lba = "0";
  std::string count;
  bool quiet = false;
  bool json = false;
};

// Blocks of the device, within its capacity.
struct Range {
  uint64_t lba = 0;
  uint64_t blocks_count = 0;
};

// What a verb came to.
struct Summary {
  uint64_t length = 0;  // bytes that moved, or were compared
  std::optional<uint64_t> difference_lba;
  std::optional<uint64_t> difference_offset;  // in the file
  steady_clock::duration elapsed{};
};

Failure Usage(std::string text) {
  return {Failure::Kind::kUsage, std::move(text)};
}

Result<Range, Failure> RangeOf(const Options& options, const host::BlockFacts& facts) {
  const std::optional<uint64_t> lba = app::ParseNumber(options.lba);
  if (!lba) return Usage("--lba must be a block number, and not \"" + options.lba + "\"");
  if (*lba >= facts.blocks_count) {
    return Usage(fmt::format("--lba {} is beyond the end: the disk has {}, the last one is {}",
                             *lba, Count(facts.blocks_count, "block"), facts.blocks_count - 1));
  }
  const uint64_t blocks_left = facts.blocks_count - *lba;
  if (options.count.empty()) return Range{*lba, blocks_left};
  const std::optional<uint64_t> count = app::ParseNumber(options.count);
  if (!count) return Usage("--count must be a number of blocks, and not \"" + options.count + "\"");
  if (*count > blocks_left) {
    return Usage(fmt::format("--count {}: from block {} on, the disk has {}", *count, *lba,
                             Count(blocks_left, "block")));
  }
  return Range{*lba, *count};
}

Failure Empty(const os::InputFile& file) {
  return Usage(Printable(file.name()) + " is empty: there is nothing to copy or to compare");
}

// The range cut to what the file holds. Files of another length than the range are told early where
// their length is known; pipes end where they end.
Result<Range, Failure> RangeOfFile(const Options& options, const os::InputFile& file,
                                   const host::BlockFacts& facts) {
  Result<Range, Failure> range = RangeOf(options, facts);
  const std::optional<uint64_t> length = file.length();
  if (!range || !length) return range;
  const uint64_t range_length = range->blocks_count * facts.block_size;
  if (*length == 0) return Empty(file);
  if (!options.count.empty() && *length >= range_length) return range;
  if (!options.count.empty()) {
    return Usage(fmt::format("{} has {}, and --count {} asks for {}", file.name(),
                             Count(*length, "byte"), range->blocks_count, range_length));
  }
  if (*length > range_length) {
    return Usage(fmt::format("{} has {}, and from block {} on the disk has {}", file.name(),
                             app::DescribeSize(*length), range->lba,
                             app::DescribeSize(range_length)));
  }
  if (*length % facts.block_size != 0) {
    return Usage(fmt::format(
        "{} has {}, which is no whole number of blocks of {}; pad it: "
        "truncate -s %{} {}",
        file.name(), Count(*length, "byte"), facts.block_size, facts.block_size, file.name()));
  }
  range->blocks_count = *length / facts.block_size;
  return range;
}

// Where and how much of the range the next window is.
struct Window {
  uint64_t lba;
  size_t length;  // bytes
};
Window WindowAt(const Range& range, uint64_t blocks_done, uint32_t block_size) {
  const uint64_t blocks_max = kWindowLength / block_size;
  const uint64_t blocks = std::min(blocks_max, range.blocks_count - blocks_done);
  return {range.lba + blocks_done, static_cast<size_t>(blocks * block_size)};
}

std::optional<Failure> ReadWindow(OpenDevice& device, host::BlockDevice& blocks, uint64_t lba,
                                  MutableBytes target) {
  const host::BlockResult read = app::Run(device.system(), blocks.Read(lba, target));
  if (!read) return FailureOf(read.error());
  return std::nullopt;
}

Result<Summary, Failure> Read(const Options& options, OpenDevice& device,
                              host::BlockDevice& blocks) {
  const uint32_t block_size = blocks.facts().block_size;
  const Result<Range, Failure> range = RangeOf(options, blocks.facts());
  if (!range) return range.error();
  Result<os::OutputFile, Failure> file = os::OutputFile::Open(options.path);
  if (!file) return file.error();
  std::vector<uint8_t> buffer(kWindowLength);
  Progress progress(!options.quiet, range->blocks_count * block_size);
  uint64_t done = 0;  // blocks
  while (done < range->blocks_count) {
    const Window window = WindowAt(*range, done, block_size);
    const MutableBytes target = Take(MutableBytes(buffer), window.length);
    if (const auto failure = ReadWindow(device, blocks, window.lba, target)) return *failure;
    const Result<void, Failure> written = file->Write(target);
    if (!written) return written.error();
    done += window.length / block_size;
    progress.Show(done * block_size);
  }
  const Result<void, Failure> finished = file->Finish();
  if (!finished) return finished.error();
  return Summary{.length = done * block_size};
}

// The next window of the file; shorter only at its end, and then a whole number of blocks.
Result<Bytes, Failure> Fill(os::InputFile& file, MutableBytes room, const Range& range,
                            uint64_t blocks_done, const Options& options, uint32_t block_size) {
  const Result<size_t, Failure> length = file.Read(room);
  if (!length) return length.error();
  if (*length % block_size != 0) {
    return Failure{Failure::Kind::kFile,
                   fmt::format("{} ended within a block, {} into block {}", file.name(),
                               Count(*length % block_size, "byte"),
                               range.lba + blocks_done + *length / block_size)};
  }
  const bool is_counted = !options.count.empty();
  if (is_counted && *length < room.size()) {
    return Failure{Failure::Kind::kFile, fmt::format("{} ended after {} of {}", file.name(),
                                                     blocks_done + *length / block_size,
                                                     Count(range.blocks_count, "block"))};
  }
  return Bytes(room.first(*length));
}

// Is there more in a file than the disk had room for?
Result<void, Failure> CheckEnd(os::InputFile& file, const Options& options) {
  if (!options.count.empty()) return {};
  std::array<uint8_t, 1> more{};
  const Result<size_t, Failure> length = file.Read(more);
  if (!length) return length.error();
  if (*length == 0) return {};
  return Failure{Failure::Kind::kFile, file.name() + " goes on after the disk's last block"};
}

Result<Summary, Failure> Write(const Options& options, OpenDevice& device,
                               host::BlockDevice& blocks) {
  const uint32_t block_size = blocks.facts().block_size;
  Result<os::InputFile, Failure> file = os::InputFile::Open(options.path);
  if (!file) return file.error();
  const Result<Range, Failure> range = RangeOfFile(options, *file, blocks.facts());
  if (!range) return range.error();
  std::vector<uint8_t> buffer(kWindowLength);
  Progress progress(!options.quiet, range->blocks_count * block_size);
  uint64_t done = 0;
  while (done < range->blocks_count) {
    const Window window = WindowAt(*range, done, block_size);
    const Result<Bytes, Failure> source =
        Fill(*file, Take(MutableBytes(buffer), window.length), *range, done, options, block_size);
    if (!source) return source.error();
    if (source->empty() && done == 0) return Empty(*file);
    if (source->empty()) break;
    const host::BlockResult written = app::Run(device.system(), blocks.Write(window.lba, *source));
    if (!written) return FailureOf(written.error());
    done += source->size() / block_size;
    progress.Show(done * block_size);
  }
  const host::BlockResult flushed = app::Run(device.system(), blocks.Flush());
  if (!flushed) return FailureOf(flushed.error());
  const Result<void, Failure> ended = CheckEnd(*file, options);
  if (!ended) return ended.error();
  return Summary{.length = done * block_size};
}

Result<Summary, Failure> Verify(const Options& options, OpenDevice& device,
                                host::BlockDevice& blocks) {
  const uint32_t block_size = blocks.facts().block_size;
  Result<os::InputFile, Failure> file = os::InputFile::Open(options.path);
  if (!file) return file.error();
  const Result<Range, Failure> range = RangeOfFile(options, *file, blocks.facts());
  if (!range) return range.error();
  std::vector<uint8_t> expected(kWindowLength);
  std::vector<uint8_t> found(kWindowLength);
  Progress progress(!options.quiet, range->blocks_count * block_size);
  uint64_t done = 0;
  while (done < range->blocks_count) {
    const Window window = WindowAt(*range, done, block_size);
    const Result<Bytes, Failure> source =
        Fill(*file, Take(MutableBytes(expected), window.length), *range, done, options, block_size);
    if (!source) return source.error();
    if (source->empty() && done == 0) return Empty(*file);
    if (source->empty()) break;
    const MutableBytes target = Take(MutableBytes(found), source->size());
    if (const auto failure = ReadWindow(device, blocks, window.lba, target)) return *failure;
    if (!SameBytes(*source, target)) {
      const auto differs = std::mismatch(source->begin(), source->end(), target.begin());
      const uint64_t offset = static_cast<uint64_t>(differs.first - source->begin());
      return Summary{.length = done * block_size + offset,
                     .difference_lba = window.lba + offset / block_size,
                     .difference_offset = done * block_size + offset};
    }
    done += source->size() / block_size;
    progress.Show(done * block_size);
  }
  const Result<void, Failure> ended = CheckEnd(*file, options);
  if (!ended) return ended.error();
  return Summary{.length = done * block_size};
}

std::string DifferenceText(const Summary& summary) {
  return fmt::format("disk and file differ first at LBA {} (byte {} of the file)",
                     *summary.difference_lba, *summary.difference_offset);
}

std::string SummaryText(const char* verb, const Summary& summary) {
  if (summary.difference_lba) {
    return fmt::format("usbtwin {}: {}\n", verb, DifferenceText(summary));
  }
  return fmt::format("usbtwin {}: {} ({})\n", verb, app::DescribeSize(summary.length),
                     Count(summary.length, "byte"));
}

using Work = Result<Summary, Failure> (*)(const Options&, OpenDevice&, host::BlockDevice&);

// A verb of disks: its name, its work, and whether it compares.
struct Verb {
  const char* name;
  Work work;
  bool writes_file = false;
  bool compares = false;
};

std::string SummaryJson(const Verb& verb, const Options& options, const OpenDevice& device,
                        const Summary& summary) {
  const auto elapsed = std::chrono::duration<double>(summary.elapsed);
  Json json = JsonHead(std::string("usbtwin ") + verb.name);
  if (summary.difference_lba) {
    json["exit_status"] = static_cast<int>(kExitDiffers);
    json["error"]["text"] = DifferenceText(summary);
    json["error"]["kind"] = "difference";
  }
  json["device"] = options.device.device;
  json["file"] = options.path;
  json["bytes"] = summary.length;
  json["elapsed_us"] =
      std::chrono::duration_cast<std::chrono::microseconds>(summary.elapsed).count();
  json["mb_per_second"] = static_cast<double>(summary.length) / elapsed.count() / 1e6;
  if (verb.compares) {
    json["same"] = !summary.difference_lba.has_value();
    json["difference_lba"] = summary.difference_lba ? Json(*summary.difference_lba) : Json(nullptr);
    json["difference_offset"] =
        summary.difference_offset ? Json(*summary.difference_offset) : Json(nullptr);
  }
  AddFaultsJson(json, device.fault_counts(), device.recoveries());
  return JsonText(json);
}

int RunDisk(const Verb& verb, const Options& options) {
  app::FileNames files;
  (verb.writes_file ? files.outputs : files.inputs).push_back(options.path);
  auto opened = OpenDevice::Open(options.device, std::move(files));
  if (!opened) return Fail(verb.name, opened.error(), options.json);
  OpenDevice& device = **opened;
  const auto fail = [&](const Failure& failure) {
    return FailOpened(verb.name, failure, device, options.json);
  };
  const Result<host::BlockDevice*, Failure> blocks = device.OpenBlocks();
  if (!blocks) return fail(blocks.error());
  const steady_clock::time_point start = steady_clock::now();
  Result<Summary, Failure> summary = verb.work(options, device, **blocks);
  if (!summary) return fail(summary.error());
  summary->elapsed = steady_clock::now() - start;
  const Result<void, Failure> closed = device.Close();
  if (!closed) return fail(closed.error());
  if (options.json) {
    const Result<void, Failure> printed =
        os::PrintOutput(SummaryJson(verb, options, device, *summary));
    if (!printed) return Fail(verb.name, printed.error());
  } else if (!options.quiet || summary->difference_lba) {
    os::PrintError(SummaryText(verb.name, *summary));
  }
  return summary->difference_lba ? kExitDiffers : kExitGood;
}

int RunRead(const Options& options) {
  if (options.json && options.path == "-") {
    return Fail("disk read", Usage("--json and -o - both want standard output"), true);
  }
  return RunDisk({.name = "disk read", .work = Read, .writes_file = true}, options);
}
int RunWrite(const Options& options) {
  return RunDisk({.name = "disk write", .work = Write}, options);
}
int RunVerify(const Options& options) {
  return RunDisk({.name = "disk verify", .work = Verify, .compares = true}, options);
}

void Configure(CLI::App& verb, Options& options) {
  AddDeviceOptions(verb, options.device, true);
  verb.add_option("--lba", options.lba, "first block, default 0")->type_name("N");
  verb.add_option("--count", options.count, "number of blocks; default: to the end")
      ->type_name("N");
  verb.add_flag("-q,--quiet", options.quiet, "no progress and no summary");
  verb.add_flag("--json", options.json, "the summary as one JSON object on standard output");
}

void ConfigureOutput(CLI::App& verb, Options& options) {
  Configure(verb, options);
  verb.add_option("-o,--outfile", options.path, "image to write; -: standard output")
      ->type_name("FILE")
      ->required();
}

void ConfigureInput(CLI::App& verb, Options& options) {
  Configure(verb, options);
  verb.add_option("-i,--infile", options.path, "image to read; -: standard input")
      ->type_name("FILE")
      ->required();
}

}  // namespace

void AddDiskVerb(CLI::App& cli, Chosen& chosen) {
  CLI::App* disk = cli.add_subcommand("disk", "copy images out of and into a disk, and compare");
  disk->require_subcommand(1);
  AddVerb<Options>(*disk, chosen, "read", "copy the disk into a file", ConfigureOutput, RunRead);
  AddVerb<Options>(*disk, chosen, "write", "copy a file onto the disk: its contents are lost",
                   ConfigureInput, RunWrite);
  AddVerb<Options>(*disk, chosen, "verify", "compare the disk with a file", ConfigureInput,
                   RunVerify);
}

}  // namespace usbtwin::tools
