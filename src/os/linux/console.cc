#include "os/console.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/text.h"
#include "os/linux/file_descriptor.h"

namespace usbtwin::os {
namespace {

using app::Failure;

constexpr size_t kChunkLength = 256 * 1024;

Failure FileFailure(std::string_view name, std::string_view what, int number) {
  std::string text(what);
  return {Failure::Kind::kFile,
          text.append(" ").append(Printable(name)).append(": ").append(ErrorText(number))};
}

}  // namespace

void PrepareStreams() {
  std::signal(SIGPIPE, SIG_IGN);
  for (int descriptor = kStandardInput; descriptor <= kStandardError; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // The wrong direction on purpose: using the stream fails, as it did while it was closed.
    const int mode = descriptor == kStandardInput ? O_WRONLY : O_RDONLY;
    const int opened = open("/dev/null", mode);
    if (opened >= 0 && opened != descriptor) {
      dup2(opened, descriptor);
      close(opened);
    }
  }
}

bool IsTerminal(int descriptor) {
  return isatty(descriptor) == 1;
}

bool IsCapableTerminal(int descriptor) {
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || *terminal == 0 || std::string_view(terminal) == "dumb") return false;
  return IsTerminal(descriptor);
}

void PrintError(std::string_view text) {
  const std::string lines = PrintableLines(text);
  (void)Write(kStandardError, "standard error", TextBytes(lines)).has_value();
}

void ShowProgress(std::string_view text) {
  const std::string line = "\r\033[K" + Printable(text);  // back to the left, and erase
  (void)Write(kStandardError, "standard error", TextBytes(line)).has_value();
}

Result<void, Failure> Write(int descriptor, std::string_view name, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileFailure(name, "cannot write", errno);
    bytes = Drop(bytes, static_cast<size_t>(count));
  }
  return {};
}

Result<void, Failure> PrintOutput(std::string_view text) {
  return Write(kStandardOutput, "standard output", TextBytes(text));
}

Result<InputFile, Failure> InputFile::Open(const std::string& path) {
  if (path == "-") return InputFile("standard input", File());
  File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.descriptor() < 0) {
    Failure failure = FileFailure(path, "cannot open", errno);
    failure.kind = Failure::Kind::kUsage;
    return failure;
  }
  return InputFile(path, std::move(file));
}

std::optional<uint64_t> InputFile::length() const {
  struct stat status {};
  if (fstat(descriptor(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const off_t position = lseek(descriptor(), 0, SEEK_CUR);
  if (position < 0) return std::nullopt;
  return static_cast<uint64_t>(std::max<off_t>(status.st_size - position, 0));
}

Result<size_t, Failure> InputFile::Read(MutableBytes room) {
  size_t length = 0;
  while (length < room.size()) {
    const ssize_t count = read(descriptor(), room.data() + length, room.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileFailure(name_, "cannot read", errno);
    if (count == 0) break;
    length += static_cast<size_t>(count);
  }
  return length;
}

Result<void, Failure> InputFile::Skip(uint64_t length) {
  if (length == 0) return {};
  if (length <= INT64_MAX && lseek(descriptor(), static_cast<off_t>(length), SEEK_CUR) >= 0) {
    return {};
  }
  std::vector<uint8_t> dropped(std::min<uint64_t>(length, kChunkLength));
  while (length != 0) {
    const size_t wanted = std::min<uint64_t>(length, dropped.size());
    const Result<size_t, Failure> count = Read(MutableBytes(dropped).first(wanted));
    if (!count) return count.error();
    if (*count < wanted) return {};  // what follows finds nothing, and says so
    length -= wanted;
  }
  return {};
}

Result<std::vector<uint8_t>, Failure> ReadInput(const InputRequest& request) {
  if (request.length.value_or(0) > request.length_max) {
    return Failure{Failure::Kind::kUsage, std::to_string(*request.length) +
                                              " bytes are more than the limit of " +
                                              std::to_string(request.length_max)};
  }
  Result<InputFile, Failure> file = InputFile::Open(request.path);
  if (!file) return file.error();
  const Result<void, Failure> skipped = file->Skip(request.skip);
  if (!skipped) return skipped.error();
  // One byte more than allowed, to see whether there is more.
  const uint64_t wanted = request.length.value_or(request.length_max + 1);
  std::vector<uint8_t> bytes;
  while (bytes.size() < wanted) {
    const size_t done = bytes.size();
    bytes.resize(std::min<uint64_t>(wanted, done + kChunkLength));
    const Result<size_t, Failure> count = file->Read(MutableBytes(bytes).subspan(done));
    if (!count) return count.error();
    const bool ended = *count < bytes.size() - done;
    bytes.resize(done + *count);
    if (ended) break;
  }
  if (request.length && bytes.size() < *request.length) {
    return Failure{Failure::Kind::kFile, Printable(file->name()) + " ended after " +
                                             std::to_string(bytes.size()) + " of " +
                                             std::to_string(*request.length) + " bytes"};
  }
  if (bytes.size() > request.length_max) {
    return Failure{Failure::Kind::kUsage, Printable(file->name()) +
                                              " is longer than the limit of " +
                                              std::to_string(request.length_max) + " bytes"};
  }
  return bytes;
}

File& File::operator=(File&& other) noexcept {
  Close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  return *this;
}
File::~File() {
  Close();
}
bool File::Close() {
  const int descriptor = std::exchange(descriptor_, -1);
  return descriptor < 0 || close(descriptor) == 0;
}

Result<OutputFile, Failure> OutputFile::Open(const std::string& path) {
  if (path == "-") return OutputFile(path, File(), false);
  bool is_new = true;
  File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.descriptor() < 0 && errno == EEXIST) {
    is_new = false;
    file = File(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  }
  if (file.descriptor() < 0) {
    Failure failure = FileFailure(path, "cannot create", errno);
    failure.kind = Failure::Kind::kUsage;
    return failure;
  }
  struct stat status {};
  if (fstat(file.descriptor(), &status) == 0 && S_ISREG(status.st_mode) &&
      !LockOutput(file.descriptor())) {
    return Failure{Failure::Kind::kUsage, "cannot write " + Printable(path) + ": " + kOutputInUse};
  }
  return OutputFile(path, std::move(file), is_new);
}

OutputFile::~OutputFile() {
  if (file_.descriptor() >= 0 && is_new_ && !begun_) unlink(path_.c_str());
}

Result<void, Failure> OutputFile::Begin() {
  if (std::exchange(begun_, true) || is_standard_output()) return {};
  struct stat status {};
  if (fstat(descriptor(), &status) == 0 && S_ISREG(status.st_mode) &&
      ftruncate(descriptor(), 0) != 0) {
    return FileFailure(path_, "cannot write", errno);
  }
  return {};
}

Result<void, Failure> OutputFile::Write(Bytes bytes) {
  const Result<void, Failure> begun = Begin();
  if (!begun) return begun;
  return os::Write(descriptor(), is_standard_output() ? "standard output" : path_, bytes);
}

Result<void, Failure> OutputFile::Finish() {
  const Result<void, Failure> begun = Begin();
  if (!begun) return begun;
  if (!file_.Close()) return FileFailure(path_, "cannot write", errno);
  return {};
}

}  // namespace usbtwin::os
