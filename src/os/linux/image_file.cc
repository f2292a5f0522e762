#include "os/linux/image_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/text.h"
#include "os/linux/files.h"

namespace usbtwin::os {
namespace {

using app::Failure;

Failure CannotOpen(const std::string& path, const std::string& why) {
  return {Failure::Kind::kCannotOpen, Printable("cannot open image '" + path + "': " + why)};
}

Failure NoImage(const std::string& path, const std::string& why) {
  return {Failure::Kind::kCannotOpen, Printable("'" + path + "' " + why)};
}

// Not even a FIFO blocks, and no terminal becomes ours.
constexpr int kOpenFlags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

// Opens for writing where that is wanted and possible.
Result<ImageFile, Failure> OpenFile(const std::string& path, bool read_only) {
  ImageFile image;
  int error = 0;
  if (!read_only) {
    image.fd = FileDescriptor(open(path.c_str(), O_RDWR | kOpenFlags));
    error = image.fd ? 0 : errno;
    image.writable = static_cast<bool>(image.fd);
    const bool may_read = error == EACCES || error == EPERM || error == EROFS || error == ETXTBSY;
    if (error == EISDIR) return NoImage(path, "is a directory, not a disk image");
    if (error != 0 && !may_read) return CannotOpen(path, ErrorText(error));
  }
  if (!image.fd) {
    image.fd = FileDescriptor(open(path.c_str(), O_RDONLY | kOpenFlags));
    if (!image.fd) return CannotOpen(path, ErrorText(errno));
  }
  return image;
}

// Claims a block device, which fails while it is mounted.
Result<void, Failure> ClaimBlockDevice(const std::string& path, ImageFile& image) {
  uint64_t size = 0;
  if (ioctl(image.fd.get(), BLKGETSIZE64, &size) != 0) return CannotOpen(path, ErrorText(errno));
  image.size = size;
  if (!image.writable) return {};
  FileDescriptor exclusive(open(path.c_str(), O_RDWR | O_EXCL | kOpenFlags));
  if (!exclusive) {
    const std::string why =
        errno == EBUSY ? "it is mounted or otherwise in use; unmount it first" : ErrorText(errno);
    return CannotOpen(path, why);
  }
  image.fd = std::move(exclusive);
  return {};
}

// Whether a descriptor of this process holds a lock on the same file: /proc/self/fdinfo shows the
// locks of each. Where there is no /proc, somebody else is blamed.
bool IsLockedHere(const struct stat& file) {
  constexpr char kDescriptors[] = "/proc/self/fd";
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(kDescriptors), closedir);
  if (folder == nullptr) return false;
  while (const dirent* entry = readdir(folder.get())) {
    const std::string name = entry->d_name;
    struct stat status = {};
    if (fstatat(dirfd(folder.get()), name.c_str(), &status, 0) != 0) continue;
    if (status.st_dev != file.st_dev || status.st_ino != file.st_ino) continue;
    const auto locks = ReadWholeFile("/proc/self/fdinfo/" + name, 1 << 16);
    constexpr std::string_view kLock = "\nlock:";
    if (locks && !std::ranges::search(*locks, kLock).empty()) return true;
  }
  return false;
}

Result<void, Failure> Lock(const std::string& path, const ImageFile& image) {
  const int operation = (image.writable ? LOCK_EX : LOCK_SH) | LOCK_NB;
  while (flock(image.fd.get(), operation) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return CannotOpen(path, "cannot lock it: " + ErrorText(errno));
    struct stat status = {};
    if (fstat(image.fd.get(), &status) == 0 && IsLockedHere(status)) {
      return CannotOpen(
          path,
          "who was to open it has it open already, as another disk or an output; "
          "name it once, or, to read alone, with ?ro=1 each time (read_only = true in a "
          "profile)");
    }
    return CannotOpen(path, image.writable
                                ? "it is in use by another process; end "
                                  "that one, or open the image read-only in both"
                                : "it is in use by another process, which may write to it; end "
                                  "that one, or open the image read-only there as well");
  }
  return {};
}

Result<void, Failure> CheckSize(const std::string& path, uint64_t size, uint32_t block_size) {
  if (size == 0) {
    return NoImage(path,
                   "is empty. Give it a size, for example: truncate --size=64M '" + path + "'");
  }
  if (block_size == 0 || size % block_size == 0) return {};
  const std::string block = std::to_string(block_size);
  return NoImage(
      path, "is " + std::to_string(size) + " bytes long, which is not a whole number of " + block +
                "-byte blocks. Round it up with: truncate --size=%" + block + " '" + path + "'");
}

}  // namespace

Result<ImageFile, Failure> OpenImageFile(const std::string& path,
                                         const app::ImageOptions& options) {
  auto opened = OpenFile(path, options.read_only);
  if (!opened) return opened.error();
  ImageFile& image = *opened;

  struct stat status = {};
  if (fstat(image.fd.get(), &status) != 0) return CannotOpen(path, ErrorText(errno));
  if (S_ISDIR(status.st_mode)) return NoImage(path, "is a directory, not a disk image");
  if (S_ISBLK(status.st_mode)) {
    const auto claimed = ClaimBlockDevice(path, image);
    if (!claimed) return claimed.error();
  } else if (S_ISREG(status.st_mode)) {
    image.size = static_cast<uint64_t>(status.st_size);
  } else {
    return NoImage(path, "is neither a file nor a block device, so it cannot be a disk image");
  }
  const auto locked = Lock(path, image);
  if (!locked) return locked.error();
  // The length is read again under the lock: whoever held it before may have changed it.
  if (S_ISREG(status.st_mode) && fstat(image.fd.get(), &status) == 0) {
    image.size = static_cast<uint64_t>(status.st_size);
  }
  const auto checked = CheckSize(path, image.size, options.block_size);
  if (!checked) return checked.error();

  // The kernel's rule, can_do_mincore(): the owner, or who may write.
  image.mincore_tells = image.writable || geteuid() == 0 || status.st_uid == geteuid() ||
                        faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
  return opened;
}

}  // namespace usbtwin::os
