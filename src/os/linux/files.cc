#include "os/linux/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/text.h"
#include "os/linux/file_descriptor.h"

namespace usbtwin::os {
namespace {

using app::Failure;

Failure FileFailure(const char* verb, const std::string& path, int error) {
  return {Failure::Kind::kFile,
          std::string("cannot ") + verb + " '" + Printable(path) + "': " + ErrorText(error)};
}

Failure TooLong(const std::string& path, size_t length_max) {
  return {Failure::Kind::kFile, "cannot read '" + Printable(path) + "': it has more than " +
                                    std::to_string(length_max) + " bytes, the limit"};
}

// What makes two names the same file. One that is still to be made has its folder and a name.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  std::string name;
  bool operator==(const Identity&) const = default;
};

std::optional<Identity> IdentityOf(const struct stat& status) {
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) return std::nullopt;
  return Identity{status.st_dev, status.st_ino, ""};
}

std::optional<Identity> IdentityOf(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0) return IdentityOf(status);
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (errno != ENOENT || stat(folder.c_str(), &status) != 0) return std::nullopt;
  return Identity{status.st_dev, status.st_ino, path.substr(slash + 1)};
}

std::optional<Identity> InputIdentity(const std::string& path) {
  struct stat status = {};
  if (path != "-") return IdentityOf(path);
  return fstat(STDIN_FILENO, &status) == 0 ? IdentityOf(status) : std::nullopt;
}

Failure Overwrites(const std::string& output, const std::string& other, const char* what) {
  const std::string name = other == "-" ? "standard input" : Quote(other);
  return {Failure::Kind::kUsage, "the output " + Quote(output) + " would overwrite " + name +
                                     ", which this command " + what + ": name another file"};
}

class FileSink final : public ByteSink {
 public:
  FileSink(FileDescriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {
    buffer_.reserve(kBufferLength);
  }
  ~FileSink() override { Flush(); }

  bool Write(Bytes bytes) override {
    if (buffer_.size() + bytes.size() > kBufferLength && !Flush()) return false;
    // What would fill the buffer at once need not pass through it.
    if (bytes.size() >= kBufferLength) return WriteAll(bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return error_ == 0;
  }
  bool Flush() override {
    WriteAll(buffer_);
    buffer_.clear();
    return error_ == 0;
  }
  std::string error() const override {
    return error_ == 0 ? "" : FileFailure("write", path_, error_).text;
  }

 private:
  static constexpr size_t kBufferLength = 64 << 10;

  bool WriteAll(Bytes bytes) {
    while (error_ == 0 && !bytes.empty()) {
      const ssize_t written = write(fd_.get(), bytes.data(), bytes.size());
      if (written >= 0)
        bytes = Drop(bytes, static_cast<size_t>(written));
      else if (errno != EINTR)
        error_ = errno;
    }
    return error_ == 0;
  }

  const FileDescriptor fd_;
  const std::string path_;
  std::vector<uint8_t> buffer_;
  int error_ = 0;  // the first one; nothing is written after it
};

}  // namespace

Result<std::vector<uint8_t>, Failure> ReadWholeFile(const std::string& path, size_t length_max) {
  // A FIFO without a writer would block here, and a device may never end: neither is a file.
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return FileFailure("read", path, errno);
  std::vector<uint8_t> bytes;
  size_t length = 0;
  struct stat status = {};
  if (fstat(fd.get(), &status) != 0) return FileFailure("read", path, errno);
  if (S_ISDIR(status.st_mode)) return FileFailure("read", path, EISDIR);
  if (!S_ISREG(status.st_mode)) {
    return Failure{Failure::Kind::kFile, "cannot read '" + Printable(path) +
                                             "': it is a pipe or a device, and not a file"};
  }
  // One byte more than the file, so that its end is found without growing.
  if (status.st_size > 0 && static_cast<uint64_t>(status.st_size) <= length_max) {
    bytes.resize(static_cast<size_t>(status.st_size) + 1);
  }
  while (true) {
    if (length == bytes.size()) bytes.resize(std::max<size_t>(4096, length * 2));
    const ssize_t got = read(fd.get(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileFailure("read", path, errno);
    if (got == 0) break;
    length += static_cast<size_t>(got);
    if (length > length_max) return TooLong(path, length_max);
  }
  bytes.resize(length);
  return bytes;
}

Result<void, Failure> CheckOutputs(const app::FileNames& names) {
  for (size_t index = 0; index < names.outputs.size(); ++index) {
    const std::string& output = names.outputs[index];
    const std::optional<Identity> identity = output == "-" ? std::nullopt : IdentityOf(output);
    if (!identity) continue;
    for (const std::string& input : names.inputs) {
      if (InputIdentity(input) == identity) return Overwrites(output, input, "reads");
    }
    for (size_t other = 0; other < index; ++other) {
      const bool is_same = IdentityOf(names.outputs[other]) == identity;
      if (is_same) return Overwrites(output, names.outputs[other], "writes as well");
    }
  }
  return {};
}

Result<std::unique_ptr<ByteSink>, Failure> CreateFileSink(const std::string& path) {
  FileDescriptor fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666));
  if (!fd) return FileFailure("create", path, errno);
  struct stat status = {};
  if (fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode)) {
    if (!LockOutput(fd.get())) {
      return Failure{Failure::Kind::kFile,
                     "cannot create '" + Printable(path) + "': " + kOutputInUse};
    }
    if (ftruncate(fd.get(), 0) != 0) return FileFailure("create", path, errno);
  }
  return std::unique_ptr<ByteSink>(std::make_unique<FileSink>(std::move(fd), path));
}

}  // namespace usbtwin::os
