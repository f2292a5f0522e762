// Runs a fuzz target without a fuzzer: no bytes at all, every file of one corpus directory, and
// each file cut short and with single bits flipped. What runs depends on the files alone, so a
// failure repeats. Each input sits in a heap block of exactly its length, for AddressSanitizer.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

constexpr size_t kCutsMax = 256;    // truncations of one file
constexpr size_t kFlipsMax = 2048;  // flipped bits of one file

std::string running;  // what is running, for the handlers below

void TellWhatRan() {
  constexpr std::string_view kPrefix = "failing input: ";
  for (std::string_view text : {kPrefix, std::string_view(running), std::string_view("\n")}) {
    if (write(STDERR_FILENO, text.data(), text.size()) < 0) return;
  }
}

void HandleSignal(int number) {
  TellWhatRan();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void Run(std::string what, const std::vector<uint8_t>& bytes) {
  running = std::move(what);
  const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

// Evenly spread indices below `bound`, at most `count_max` of them.
std::vector<size_t> Spread(size_t bound, size_t count_max) {
  const size_t count = std::min(bound, count_max);
  std::vector<size_t> indices(count);
  for (size_t index = 0; index < count; ++index) indices[index] = index * bound / count;
  return indices;
}

size_t RunFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  const std::string name = path.string();
  size_t count = 1;
  Run(name, bytes);
  for (size_t length : Spread(bytes.size(), kCutsMax)) {
    const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    Run(name + ", first " + std::to_string(length) + " bytes", cut);
    ++count;
  }
  for (size_t bit : Spread(bytes.size() * 8, kFlipsMax)) {
    std::vector<uint8_t> flipped = bytes;
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1u << bit % 8));
    Run(name + ", bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8), flipped);
    ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: %s <corpus directory>\n", argv[0]);
    return 1;
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(TellWhatRan);
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    if (std::signal(number, HandleSignal) == SIG_ERR) return 1;
  }

  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  if (paths.empty()) {
    std::fprintf(stderr, "%s: a corpus needs at least one file\n", argv[1]);
    return 1;
  }

  Run("no bytes", {});
  size_t count = 1;
  for (const auto& path : paths) count += RunFile(path);
  std::printf("%zu inputs from %zu files\n", count, paths.size());
  return 0;
}
