// Opens a disk image for good: a regular file or a block device, locked against a second writer,
// whose length is a whole number of blocks. Everything that can be wrong with it is said here, in a
// sentence with the path and what to do; afterwards only I/O can fail. Called by FileStore::Open.
#pragma once

#include <string>

#include "app/system.h"
#include "os/linux/file_descriptor.h"

namespace usbtwin::os {

struct ImageFile {
  FileDescriptor fd;
  uint64_t size = 0;           // bytes
  bool writable = false;       // false if asked for, or if the file cannot be opened for writing
  bool mincore_tells = false;  // mincore() says the truth; to strangers it claims "all resident"
};

Result<ImageFile, app::Failure> OpenImageFile(const std::string& path,
                                              const app::ImageOptions& options);

}  // namespace usbtwin::os
